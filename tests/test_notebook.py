"""The notebook in docs runs, and nothing of it names a path of the machine that made it.

Walks through analysis.
"""

import re
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs/analysis.ipynb"
STUDY = ROOT / "docs/notebook-study"


def test_nothing_that_ships_names_a_path_of_a_machine() -> None:
    machine = re.compile(r"/(?:home|root|tmp|opt|work|Users)/")
    assert not machine.search(NOTEBOOK.read_text(encoding="utf-8"))
    assert not any(machine.search(path.read_text(encoding="utf-8")) for path in STUDY.glob("*.json"))


def test_the_notebook_runs_from_top_to_bottom_and_shows_what_it_is_kept_with(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    kept = _shown(notebook)
    (tmp_path / "notebook-study").symlink_to(STUDY)
    NotebookClient(
        notebook, timeout=600, startup_timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert _shown(notebook) == kept and any("image/png" in kinds for kinds in kept)


def _shown(notebook: Any) -> list[list[str]]:
    """For each cell with code, the kinds of what it shows."""
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return [
        [kind for output in shown for kind in sorted(output.get("data", {output.output_type: None}))]
        for shown in outputs
    ]
