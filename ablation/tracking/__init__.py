"""What a tracker is told of a cell while the records stay the truth; Weights & Biases is the one tracker now."""
