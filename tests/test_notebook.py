"""The notebook in docs runs, and nothing of it names a path of the machine that made it."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs/analysis.ipynb"
STUDY = ROOT / "docs/notebook-study"


def test_nothing_that_ships_names_a_path_of_a_machine() -> None:
    machine = re.compile(r"/(?:home|root|tmp|opt|work|Users)/")
    assert not machine.search(NOTEBOOK.read_text(encoding="utf-8"))
    assert not any(machine.search(path.read_text(encoding="utf-8")) for path in STUDY.glob("*.json"))


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
