"""Keys of cells that studies hold already: whatever is moved, renamed or added, a cell of before keeps its key.

`tests/data/keys/cells.json` holds the full values of every cell of every shipped sweep at every scale, each distinct part once,
as store format 1 had them. The values are not composed from conf/: changing a sweep leaves this test alone. Where the
configuration names a branch of a hub, a commit was written in by hand.

Walks through specs.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ablation.specs.cell import Cell
from tests.conftest import ROOT

CONTENT: dict[str, Any] = json.loads((ROOT / "tests/data/keys/cells.json").read_text())
SWEEPS = sorted({sweep for entry in CONTENT["cells"] for sweep in entry["sweeps"]})


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: CONTENT["parts"][name][index] for name, index in entry["parts"].items()}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_cell_of_before_has_the_key_and_the_name_of_before(sweep: str) -> None:
    entries = [entry for entry in CONTENT["cells"] if sweep in entry["sweeps"]]
    assert entries
    cells = [Cell.parse(_values(entry)) for entry in entries]
    assert [cell.key for cell in cells] == [entry["key"] for entry in entries]
    assert [cell.name for cell in cells] == [entry["name"] for entry in entries]


def test_every_shipped_sweep_was_recorded_at_every_scale() -> None:
    names = {"budget", "cnls", "count_length", "paper", "reference", "seeds", "single", "size", "smoke"}
    assert set(SWEEPS) == {f"{scale}/{name}" for scale in ("mini", "small", "paper") for name in names}
    assert len({entry["key"] for entry in CONTENT["cells"]}) == len(CONTENT["cells"])
