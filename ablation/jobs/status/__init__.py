"""How far a study is: counts by factor, the time that is left, and both as tables for a terminal."""
