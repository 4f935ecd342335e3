"""``cluster=debug``: whoever sits at a terminal gets the debugger where a cell failed."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ablation.cell import Cell
from ablation.pipeline import run_cell
from ablation.records import COMPLETIONS_FILE
from ablation.store import Store
from tests.conftest import ROOT, TINY


def test_the_debugger_opens_where_a_cell_failed(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    sampled = run_cell(cell_of(*TINY), Store(tmp_path / "outputs/store"), last="sample")["sample"]
    (sampled / COMPLETIONS_FILE).unlink()  # nobody foresaw that
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
    assert "read_rows" in ended.stdout
    assert ended.returncode == 1
    assert "FileNotFoundError" in ended.stderr
