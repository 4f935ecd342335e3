"""The notebook in docs runs, shows no path of the machine that ran it, and holds what it shows."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs/analysis.ipynb"
STUDY = ROOT / "docs/notebook-study"


def test_the_notebook_that_ships_has_its_figures_and_no_path() -> None:
    told = NOTEBOOK.read_text(encoding="utf-8")
    code = [cell for cell in json.loads(told)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] and cell["execution_count"] for cell in code)
    assert sum("image/png" in str(cell["outputs"]) for cell in code) >= 5
    machine = re.compile(r"/(?:home|root|tmp|opt|work|usr|Users)/")
    assert not machine.search(told)
    assert not any(machine.search(path.read_text()) for path in STUDY.glob("*.json"))


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """About 30 s of processor time, most of it importing in a new kernel and the bootstrap."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    (tmp_path / "notebook-study").symlink_to(STUDY)
    NotebookClient(
        notebook, timeout=600, startup_timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(output.output_type != "error" for cell in shown for output in cell.outputs)
