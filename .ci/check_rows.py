"""Fail unless a study has exactly the rows it planned: ``python .ci/check_rows.py outputs/smoke``."""

import json
import sys
from pathlib import Path

import pandas as pd

study = Path(sys.argv[1])
planned = sum(cell["planned_attempts"] for cell in json.loads((study / "manifest.json").read_text())["cells"])
present = len(pd.read_parquet(study / "results.parquet"))
print(f"{study.name}: {present} rows of {planned} planned")
sys.exit(present != planned)
