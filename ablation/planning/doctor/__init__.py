"""Whether this machine, its disk and its cluster are fit for a study: checks, each with what to do when it fails."""
