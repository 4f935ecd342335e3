"""Effects and their errors."""
