"""A power cut takes nothing that was published: a trace of every call shows that all of it was flushed.

Walks through store, study, jobs.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.crash.everywhere import prepared, run_victim

_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)")
_OPEN = re.compile(r"<([^>]*)>")
_NAME = re.compile(r'"([^"]*)"')


def unflushed(trace: str, store: Path) -> tuple[list[str], set[Path]]:
    """What was renamed to a visible name before it was flushed, and what was still not flushed at the end.

    A file is at risk from its last write to its flush, a folder from a change of its names to its own flush; where hidden names
    go matters to nobody.
    """
    at_risk: set[Path] = set()
    created: set[Path] = set()
    too_early: list[str] = []
    for line in trace.splitlines():
        match = _CALL.match(line)
        if not match:
            continue
        call, arguments = match[1], match[2]
        opened = [Path(path) for path in _OPEN.findall(arguments)]
        named = [Path(path) for path in _NAME.findall(arguments)]
        if call in ("write", "pwrite64", "ftruncate"):
            at_risk.add(opened[0])
        elif call in ("fsync", "fdatasync"):
            at_risk.discard(opened[0])
        elif call.startswith("mkdir") or (call == "openat" and "O_CREAT" in arguments and named[0] not in created):
            created.add(named[0])
            at_risk.add(named[0].parent)
        elif call.startswith("rename"):
            source, target = named
            if not target.name.startswith("."):
                too_early += [f"{path} when {target} appeared" for path in at_risk if path.is_relative_to(source)]
                at_risk.add(target.parent)
    return too_early, {path for path in at_risk if path.is_relative_to(store)}


def test_what_is_published_survives_a_power_cut(tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (apt-get install strace)")
    prepared(tmp_path)
    trace = tmp_path / "trace"
    assert run_victim(tmp_path, trace=trace) == 0
    too_early, left = unflushed(trace.read_text(), tmp_path)
    assert "rename" in trace.read_text()
    assert too_early == []
    visible = {path for path in left if not any(part.startswith(".") for part in path.relative_to(tmp_path).parts)}
    assert visible == {tmp_path / "controller"}, "all but what stands for Slurm's own files"
