"""Checks of this machine, its disk and its cluster before a study, each with the step to take where it fails."""
