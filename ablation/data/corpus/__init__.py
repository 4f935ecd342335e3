"""From a corpus on disk or on a hub to the trajectories of a cell: read, pool, select."""
