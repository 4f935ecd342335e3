"""Which cells go to Slurm now, and what is done to them there."""
