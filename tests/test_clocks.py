"""Clocks that are wrong, and file systems that show a file later than it was written: neither decides anything.

Walks through store, training, jobs.
"""

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission
from ablation.jobs.submit.watch import wait_for_cells
from ablation.store.lease import LeaseHolder, LeaseWatcher
from ablation.training.checkpoint import newest_checkpoint, seal
from tests.fake_slurm import FakeSlurm, fake
from tests.studies import finish, planned

__all__ = ["fake"]
THREE_HOURS_S = 3 * 3600


def test_a_record_that_appears_late_is_waited_for_and_its_cell_not_submitted_again(
    fake: FakeSlurm, tmp_path: Path
) -> None:
    """The queue has forgotten the job, and the folder of its last stage appears between two looks."""
    plan = planned(tmp_path / "outputs", "cluster=slurm")
    [cell] = plan.cells
    Ledger(plan.folder / LEDGER).intend(Submission("ablation-one", ((cell.name,),)))
    Ledger(plan.folder / LEDGER).confirm("ablation-one", "7")
    finish(plan, [cell])
    folder, unseen = plan.store.path(cell.outcome), tmp_path / "unseen"
    folder.rename(unseen)
    looks = tmp_path / "looks"
    fake.command("squeue", f'echo >>{looks}; [ "$(wc -l <{looks})" -lt 3 ] || mv {unseen} {folder} 2>/dev/null; true')
    [state] = wait_for_cells(plan, Console(file=io.StringIO()))
    assert state.state == "done"
    assert len(looks.read_text().splitlines()) == 3
    assert fake.submitted == 0


@pytest.mark.parametrize("shift_s", [-THREE_HOURS_S, THREE_HOURS_S])
def test_a_holder_whose_clock_is_wrong_is_neither_dead_nor_immortal(tmp_path: Path, shift_s: int) -> None:
    """Its files are hours old, or of a time to come; what counts is for how long they have not changed."""
    far = LeaseWatcher(tmp_path / "far", replace(LeaseHolder.of_this_process("far"), machine="elsewhere")).take()
    assert far
    stamp = far.path.stat().st_mtime + shift_s
    os.utime(far.path, (stamp, stamp))
    assert LeaseWatcher(far.workbench, LeaseHolder.of_this_process("here")).take() is None
    died = LeaseWatcher(tmp_path / "died", replace(LeaseHolder.of_this_process("died"), started="1")).take()
    assert died
    os.utime(died.path, (stamp, stamp))
    assert LeaseWatcher(died.workbench, LeaseHolder.of_this_process("here")).take()


def test_the_newest_checkpoint_is_the_one_with_the_most_updates(tmp_path: Path) -> None:
    for update, stamp in ((2, 3 * THREE_HOURS_S), (10, THREE_HOURS_S)):
        folder = tmp_path / f"checkpoint-{update}"
        folder.mkdir()
        (folder / "state.json").write_text(json.dumps({"update": update}))
        seal(folder, update, 1.0)
        os.utime(folder, (stamp, stamp))
    newest = newest_checkpoint(tmp_path)
    assert newest and newest.update == 10
