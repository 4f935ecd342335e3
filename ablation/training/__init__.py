"""From chosen trajectories to trained weights: encode, then TRL's SFTTrainer."""
