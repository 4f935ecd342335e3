"""The texts of the attempts: lengths, endings, phrases, repetition, and how alike two cells write."""
