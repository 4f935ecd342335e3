"""The smallest effects that a planned design can show, from simulated studies."""
