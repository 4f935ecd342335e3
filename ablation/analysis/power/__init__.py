"""What a design could show."""
