"""Holding an array: a marker beside its order says why, and every task that has not begun looks at it and ends at once.

An array is held when the last `hold_after` of its cells to end, in its order, failed with one class: what fails in a row is most
likely wrong for all that follow, and what fails here and there is not. A class that passes by itself (preempted, node_fail) holds
nothing. Workers see what they recorded; whoever follows the study sees also what never came to record anything, and
holds the other arrays behind the same canary.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from ablation.jobs.slurm import history
from ablation.store.files import write_text_atomically

_PASSES = ("preempted", "timeout", "cancelled", "node_fail", "lost")


def marker(jobs: Path, submission: str) -> Path:
    """The file that says that an array is held."""
    return jobs / f"{submission}.held.json"


def why_held(jobs: Path, submission: str) -> str | None:
    """One line that says why an array is held; None when it is not."""
    try:
        return str(json.loads(marker(jobs, submission).read_text(encoding="utf-8"))["why"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return "its marker cannot be read"  # somebody wanted it held


def hold(jobs: Path, submission: str, why: str) -> None:
    """Write the marker."""
    write_text_atomically(marker(jobs, submission), json.dumps({"why": why}) + "\n")


def mark_released(jobs: Path, submission: str, ended: int) -> None:
    """Remove the marker, and note that somebody has let it go on after so many of its cells had ended."""
    write_text_atomically(_released(jobs, submission), json.dumps({"ended": ended}) + "\n")
    marker(jobs, submission).unlink(missing_ok=True)


def ends_at_release(jobs: Path, submission: str) -> int | None:
    """How many of its cells had ended when somebody let it go on: those hold it no more. None: nobody has."""
    try:
        return int(json.loads(_released(jobs, submission).read_text(encoding="utf-8"))["ended"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _released(jobs: Path, submission: str) -> Path:
    return jobs / f"{submission}.released.json"


def reason_to_hold(ends: Sequence[tuple[str | None, str | None]], hold_after: int) -> str | None:
    """The line when the last `hold_after` of these ends, each a class (None: complete) and an error, failed alike; else None."""
    last = ends[-hold_after:] if hold_after else []
    kinds = {kind for kind, _ in last}
    if len(last) < max(1, hold_after) or len(kinds) > 1 or not kinds - {None, *_PASSES}:
        return None
    first_line = ((last[-1][1] or "").splitlines() or [""])[0]
    return f"{len(last)} cells in a row failed as {last[-1][0]}; the last: {first_line}"


def recorded_ends(jobs: Path, cells: Sequence[str], array: str) -> list[tuple[str | None, str | None]]:
    """The class and error of each of these cells that has ended under the array of this id, in their order."""
    ends = [_last_end(jobs, cell, array) for cell in cells]
    return [(end.kind, end.error) for end in ends if end and (end.is_complete or end.is_failure)]


def _last_end(jobs: Path, cell: str, array: str) -> history.Event | None:
    ends = [one for one in history.read(jobs, cell) if one.what == "ended" and one.job.partition("_")[0] == array]
    return ends[-1] if ends else None
