"""What Weights & Biases shows beside the scores of a cell: its lineage and questions, and the study as a whole."""
