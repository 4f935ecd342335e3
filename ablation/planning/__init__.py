"""The outlook of a sweep before anything is spent: work, cost, disk, memory, power, and what would be refused at a launch."""
