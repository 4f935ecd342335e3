"""Whether the questions form a ladder."""
