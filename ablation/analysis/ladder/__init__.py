"""The questions as a ladder: scalograms, difficulties, and what a model can do at times but not reliably."""
