"""A process that stops at any of its system calls leaves nothing torn and loses nothing; strace stops it.

Walks through store, study, jobs.
"""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.crash.everywhere import CALLS

FAULTS = [
    ("SIGKILL", "1"),
    ("ENOSPC", "2"),
    *(pytest.param(error, "1", marks=pytest.mark.slow) for error in ("ENOSPC", "EDQUOT", "EIO", "ESTALE")),
]


@pytest.mark.parametrize(("fault", "stride"), FAULTS)
@pytest.mark.parametrize("call", list(CALLS))
def test_nothing_is_torn_or_lost_at_any_call(call: str, fault: str, stride: str) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (apt-get install strace)")
    command = [sys.executable, "-m", "tests.crash.everywhere", call, fault, stride]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert process.returncode == 0, process.stdout + process.stderr[-2000:]
    assert ", 0 broke" in process.stdout
