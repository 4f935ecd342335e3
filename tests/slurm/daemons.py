"""The daemons of `tools/slurm-sandbox`, killed and started again by the process ids that they wrote down.

Walks through no room: it steers the sandbox.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STATE = Path(os.environ.get("SLURM_SANDBOX_STATE", "/var/tmp/ablation-slurm"))
CONFIGURATION = Path("/etc/slurm/slurm.conf")
# Nothing here is late before this; a test that waits several times has LIMIT_S in all.
PATIENCE_S, LIMIT_S = 480.0, 1500


def are_here() -> bool:
    """True when the Slurm that answers is the sandbox of this machine, whose daemons a test may kill."""
    try:
        subprocess.run(["sinfo", "--noheader"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return (STATE / "pid/slurmctld").exists()


def kill_node(node: str, *, with_steps: bool) -> None:
    """End a node's slurmd with SIGKILL; `with_steps` its slurmstepds too, so that its jobs' processes are nobody's."""
    _kill(_pid(f"slurmd.{node}"))
    if with_steps:
        log = STATE / f"log/slurmd.{node}.log"
        for pid, _ in processes("slurmstepd: ["):
            if _has_open(pid, log):
                _kill(pid)


def start_node(node: str) -> None:
    """Start a node's slurmd, and wait until the controller has heard of it."""
    subprocess.run(["slurmd", "-N", node], check=True)
    until(lambda: not re.search(r"down|\*|unk", _out("sinfo", "--noheader", f"--nodes={node}", "--format=%t")))


def stop_controller() -> None:
    """End slurmctld as an administrator does, with SIGTERM. (With SIGKILL it forgets what it started in the last seconds, finds
    jobs on its nodes that it does not know, and drains the nodes until somebody resumes them.)
    """
    pid = _pid("slurmctld")
    os.kill(pid, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{pid}").exists())


def start_controller(*options: str) -> None:
    """Start slurmctld from its saved state (``-c``: without it); wait until it knows of every node whether it is there."""
    subprocess.run(["slurmctld", *options], check=True)
    until(lambda: subprocess.run(["squeue"], capture_output=True, check=False).returncode == 0)
    until(lambda: not re.search(r"unk|(?<!down)\*", _out("sinfo", "--noheader", "--Node", "--format=%t")))


@contextmanager
def no_controller() -> Iterator[None]:
    """Without slurmctld for a while."""
    stop_controller()
    try:
        yield
    finally:
        start_controller()


@contextmanager
def drained_nodes() -> Iterator[None]:
    """With no node that takes jobs for a while."""
    subprocess.run(["scontrol", "update", _every_node(), "State=DRAIN", "Reason=test"], check=True)
    try:
        yield
    finally:
        resume_nodes()


@contextmanager
def failing_prolog() -> Iterator[None]:
    """With a program that every node runs before a job, and that fails: Slurm drains the node and holds the job."""
    before = CONFIGURATION.read_text()
    try:
        CONFIGURATION.write_text(f"{before}Prolog={shutil.which('false')}\n")
        subprocess.run(["scontrol", "reconfigure"], check=True)
        yield
    finally:
        CONFIGURATION.write_text(before)
        subprocess.run(["scontrol", "reconfigure"], check=True)
        resume_nodes()


def resume_nodes() -> None:
    """Let every node take jobs, as an administrator does with those that the controller has drained."""
    subprocess.run(["scontrol", "update", _every_node(), "State=RESUME"], check=False, capture_output=True)


def _every_node() -> str:
    return f"NodeName={','.join(_out('sinfo', '--noheader', '--Node', '--partition=main', '--format=%N').split())}"


def processes(part: str) -> Iterator[tuple[int, str]]:
    """The processes of this machine with `part` in their command line, and that line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if part in line:
                yield int(entry.name), line


def until(condition: Callable[[], bool], within_s: float = PATIENCE_S, every_s: float = 0.2) -> None:
    """Wait for a condition. Raises AssertionError when it never comes true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(every_s)


def _pid(name: str) -> int:
    return int((STATE / "pid" / name).read_text())


def _has_open(pid: int, file: Path) -> bool:
    """A slurmstepd writes to the log of the slurmd that started it, which tells whose it is."""
    try:
        return any(entry.readlink() == file for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _out(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
