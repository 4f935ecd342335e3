"""From the command line and Hydra to values; refusals that name every mistake."""
