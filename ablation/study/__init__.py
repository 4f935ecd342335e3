"""A study on disk: its plan, manifest and tables."""
