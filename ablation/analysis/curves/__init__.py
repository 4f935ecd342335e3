"""How P grows with N."""
