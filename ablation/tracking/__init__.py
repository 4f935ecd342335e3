"""Trackers show the records of a cell; the records stay the truth. Weights & Biases is the one tracker now."""
