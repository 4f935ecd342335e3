"""With ``cluster=debug`` whoever sits at a terminal gets the debugger where a cell failed.

Walks through store, jobs.
"""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.records import WEIGHTS_FOLDER
from ablation.store.store import Store
from tests.conftest import ROOT, TINY


@pytest.mark.slow
def test_the_debugger_opens_where_a_cell_failed(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    trained = run_cell(cell_of(*TINY), Store(tmp_path / "outputs/store"), last="train")["train"]
    (trained / WEIGHTS_FOLDER / "config.json").write_text("not JSON")  # nobody foresaw that
    master, slave = pty.openpty()
    os.write(master, b"where\nq\n")
    command = [sys.executable, str(ROOT / "launch.py"), "cluster=debug", "tracker=none", *TINY]
    ended = subprocess.run(
        [*command, f"outputs='{tmp_path}/outputs'"],
        stdin=slave,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert "(Pdb)" in ended.stdout, ended.stderr
    assert "from_pretrained" in ended.stdout
    assert ended.returncode == 1
    assert "config.json" in ended.stderr
