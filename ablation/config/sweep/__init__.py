"""From a sweep file and a command line to cells: read_design → narrow → expand_design → compose_points → read_cells.

1. `design.Design`: the levels that a sweep file gives, read and validated (`cells.read_design`).
2. `narrow.narrow`: the same design with the levels of the command line in place of its own.
3. `points.expand_design`: the points of the design. A point names a level for each key: ``{"count": "n100", "seed": "0"}``.
4. `compose.compose_points`: a resolved configuration for each point.
5. `read_cells` of ablation/config/read.py: a validated cell for each configuration.

`cells.expand_sweep` takes all five steps. Steps 2 and 3 are pure; Hydra is asked in steps 1 and 4 alone.
"""
