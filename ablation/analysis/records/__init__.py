"""Records read and counted."""
