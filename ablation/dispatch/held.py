"""Holding an array: a marker beside its order says why, and every task that has not begun looks at it and ends at once.

An array is held as soon as `hold_after` of its cells have failed with one class, and no more cells than that have completed: what
fails so often is most likely wrong for all. A class that passes by itself (preempted, timeout) holds nothing.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ablation.dispatch import history
from ablation.store import write_text_atomically

_PASSES = ("preempted", "timeout", "cancelled")


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


def unhold(jobs: Path, submission: str) -> None:
    """Remove the marker."""
    marker(jobs, submission).unlink(missing_ok=True)


def reason_to_hold(jobs: Path, cells: Sequence[str], array: str, hold_after: int) -> str | None:
    """The line when `hold_after` of these cells have failed alike under the array `array`, Slurm's id; else None."""
    if not hold_after:
        return None
    ends = [end for cell in cells if (end := _last_end(jobs, cell, array))]
    complete = sum(end.is_complete for end in ends)
    failed = [end for end in ends if end.is_failure and end.kind not in _PASSES]
    counts = Counter(end.kind for end in failed)
    kind, count = counts.most_common(1)[0] if counts else (None, 0)
    if count < hold_after or count <= complete:
        return None
    error = next(end.error or "" for end in reversed(failed) if end.kind == kind)
    first_line = (error.splitlines() or [""])[0]
    return f"{count} cells failed as {kind}, {complete} completed; the last: {first_line}"


def _last_end(jobs: Path, cell: str, array: str) -> history.Event | None:
    ends = [one for one in history.read(jobs, cell) if one.what == "ended" and one.job.partition("_")[0] == array]
    return ends[-1] if ends else None
