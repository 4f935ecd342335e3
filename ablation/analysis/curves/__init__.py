"""P against the training count N, and the conditions that pass a line."""
