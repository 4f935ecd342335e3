"""`tools/slurm-sandbox`: a Slurm of one's own for one command, and starting over what an earlier sandbox has left.

Walks through no room: it tries the sandbox.
"""

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]
SANDBOX = ROOT / "tools/slurm-sandbox"


@pytest.fixture(autouse=True)
def namespaces() -> None:
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("apt-get"):
        pytest.skip("a sandbox of one's own needs root, unshare and Debian's packages")
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("this machine does not let us make namespaces")


def within(*command: str, options: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """What a command says that has a Slurm of its own, beside any other on this machine."""
    words = [str(SANDBOX), "with", *options, "--", *command]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_sandbox_that_lost_its_controller_is_started_over_and_taken_down_whole() -> None:
    script = """
    set -e
    sbatch --output=/dev/null --wrap 'exec sleep 4242' >/dev/null
    until pgrep -f 'sleep 4242' >/dev/null; do sleep 0.1; done
    kill -9 "$(cat "$SLURM_SANDBOX_STATE/pid/slurmctld")"
    tools/slurm-sandbox up --nodes 2 >/dev/null
    sbatch --output=/dev/null --wait --wrap true
    tools/slurm-sandbox down
    ps -eo comm | grep -c -E '^(slurm|sleep)' || true
    """
    answer = within("bash", "-c", script, options=("--nodes", "2"))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "0", answer.stdout


def test_without_accounting_there_is_no_sacct() -> None:
    assert "accounting storage is disabled" in within("sacct", options=("--nodes", "1")).stderr
