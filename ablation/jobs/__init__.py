"""Run many cells: the same function of a job in this process or in warm local workers."""
