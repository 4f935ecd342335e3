"""Slurm: its commands, and the records beside it."""
