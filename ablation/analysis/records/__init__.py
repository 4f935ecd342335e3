"""The records of a study as checked tables: read, counted, matched and measured. Every other folder builds on this one."""
