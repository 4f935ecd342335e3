"""The right to work on a stage: numbered files that are created once and never replaced, so the highest number holds.

The number is a fencing token. Whoever takes over removes the files of lower numbers. A process that was taken for dead may still
live: a node lost its network, Slurm requeued a job, a laptop was suspended. Such a process finds its own file gone, or a higher
number, at its next heartbeat or before it publishes. Then it stops, also when the one that took over has given up meanwhile.
"""

import json
import os
import platform
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ablation.store.files import entries
from ablation.store.interrupt import StopRequest

BEAT_S = 15.0
# Where death cannot be proved, a holder counts as gone after this much silence, by the watcher's own clock.
SILENCE_S = 300.0
# Stage runs at work in this process. A lease of this process that is not among them was left by a run that failed.
_AT_WORK: set[str] = set()
_LEASE = re.compile(r"lease-(\d{6})\.json")
_SQUEUE_TIMEOUT_S = 20
# Slurm's states of a task that has started and is not over. A requeued task, which waits again, is in none of them.
STARTED_STATES = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
# A holder whose task has its nodes, which still boot, counts as alive too: a lease is taken from the provably dead alone. The
# state of a cell differs: nothing runs there yet, so it is queued.
_LIVE_STATES = (*STARTED_STATES, "CONFIGURING")


def _lease_path(workbench: Path, token: int) -> Path:
    return workbench / f"lease-{token:06d}.json"


def _beat_path(workbench: Path, token: int) -> Path:
    return workbench / f"beat-{token:06d}"


def _highest_token(workbench: Path) -> int:
    matches = [_LEASE.fullmatch(path.name) for path in entries(workbench, "lease-*.json")]
    return max((int(match[1]) for match in matches if match), default=0)


def _highest_run(workbench: Path) -> int:
    return max((int(path.name.split("-")[1]) for path in entries(workbench, "attempt-*-*")), default=0)


@dataclass(frozen=True)
class LeaseHolder:
    """The process of one run of a stage, as the file of its lease names it."""

    attempt: str
    """A name of the run of the stage, unlike any other's."""
    machine: str
    """Host, boot and process namespace: within them `pid` and `started` are unique."""
    pid: int
    started: str
    """Time of the process's start, in clock ticks since boot."""
    job: str | None
    """Slurm's ``JOB_INDEX``, or ``JOB`` outside an array; None outside Slurm."""
    restart: int
    """How often Slurm has started the job again."""
    cluster: str | None = None
    """The name of the cluster whose Slurm knows `job`."""

    @classmethod
    def of_this_process(cls, attempt: str) -> "LeaseHolder":
        """Return this process, under the name of its run."""
        array = os.environ.get("SLURM_ARRAY_JOB_ID")
        index = os.environ.get("SLURM_ARRAY_TASK_ID")
        job = f"{array}_{index}" if array and index else os.environ.get("SLURM_JOB_ID")
        restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        cluster = os.environ.get("SLURM_CLUSTER_NAME")
        return cls(attempt, _machine_name(), os.getpid(), _start_ticks(os.getpid()) or "", job, restart, cluster)

    @classmethod
    def parse(cls, text: str) -> "LeaseHolder":
        """Return the holder that `to_json` wrote. Raises ValueError or TypeError on any other text."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    def is_process_of(self, other: "LeaseHolder") -> bool:
        """Return True when both were made in one process."""
        return replace(self, attempt=other.attempt) == other

    def is_gone(self, asking: "LeaseHolder") -> bool | None:
        """Return True when this one is provably dead or replaced, False when it lives, None when `asking` cannot tell."""
        # Slurm starts a task again only after it has ended the process of before.
        if self.job and (self.job, self.cluster) == (asking.job, asking.cluster) and self.restart < asking.restart:
            return True
        if self.machine == asking.machine:
            return _start_ticks(self.pid) != self.started  # another process may have got its number
        if asking.cluster and self.cluster and asking.cluster != self.cluster:
            return None  # the Slurm that answers here does not know its job
        return _slurm_has_ended(self.job) if self.job else None


@dataclass(frozen=True)
class Lease:
    """The right of one run to work on a stage, under the number `token`."""

    workbench: Path
    """The hidden folder in which runs of the stage work."""
    token: int
    holder: LeaseHolder

    @property
    def path(self) -> Path:
        """The file of this lease."""
        return _lease_path(self.workbench, self.token)

    def is_held(self) -> bool:
        """Return True while the file is ours and no other has a higher number. Raises OSError where that cannot be read."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return False
        return text == self.holder.to_json() and _highest_token(self.workbench) == self.token

    def release(self) -> None:
        """Give the lease back. Another process may take the stage at once."""
        self.end()
        for path in (self.path, _beat_path(self.workbench, self.token)):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # somebody else has begun here
            self.workbench.rmdir()

    def end(self) -> None:
        """Say that the run is over. Should its file still stand (a disk that failed), this process's next run may replace it."""
        _AT_WORK.discard(self.holder.attempt)

    @contextmanager
    def beating(self, halt: StopRequest) -> Iterator[None]:
        """Write a heartbeat while the work goes on. When the lease is lost, ask the work to stop."""
        over = threading.Event()

        def beat() -> None:
            count = 0
            while not over.wait(BEAT_S):
                count += 1
                with suppress(OSError):  # a full or failing disk must not end the work that is going on
                    if not self.is_held():
                        halt.request("another attempt has taken this stage over")
                        return
                    _beat_path(self.workbench, self.token).write_text(str(count))

        thread = threading.Thread(target=beat, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@dataclass
class LeaseWatcher:
    """Tries to take the lease of one stage, and remembers for how long its holder has been silent."""

    workbench: Path
    me: LeaseHolder = field(default_factory=lambda: LeaseHolder.of_this_process(uuid.uuid4().hex[:12]))
    _last_beat: tuple[int, str] = (0, "")
    _silent_since: float = field(default_factory=time.monotonic)

    def take(self) -> Lease | None:
        """Return the lease, or None while another holder may be alive."""
        token = _highest_token(self.workbench)
        if token and not self._is_gone(token):
            return None
        self.workbench.mkdir(parents=True, exist_ok=True)
        # A lease that was given back leaves no file, but its run may have left a folder of that number.
        lease = Lease(self.workbench, max(token, _highest_run(self.workbench)) + 1, self.me)
        _AT_WORK.add(self.me.attempt)
        with ExitStack() as unless_taken:
            unless_taken.callback(lease.end)  # also when the disk fails here: nobody may wait for one who does not work
            if not _create(lease):
                return None
            _remove_below(lease)
            unless_taken.pop_all()
        return lease

    def holder(self) -> LeaseHolder | None:
        """Return the present holder, or None when there is none or its file cannot be read."""
        token = _highest_token(self.workbench)
        return _read_holder(_lease_path(self.workbench, token)) if token else None

    def _is_gone(self, token: int) -> bool:
        holder = _read_holder(_lease_path(self.workbench, token))
        if holder and holder.is_process_of(self.me):
            return holder.attempt not in _AT_WORK
        is_gone = holder.is_gone(self.me) if holder else None
        return self._is_silent(token) if is_gone is None else is_gone

    def _is_silent(self, token: int) -> bool:
        count = ""
        with suppress(FileNotFoundError):  # it has not counted yet, or has given back
            count = _beat_path(self.workbench, token).read_text()
        beat = (token, count)
        if beat != self._last_beat:
            self._last_beat, self._silent_since = beat, time.monotonic()
        return time.monotonic() - self._silent_since > SILENCE_S


def _create(lease: Lease) -> bool:
    """Write the file beside and link it into place, which fails where a file of that number stands."""
    beside = lease.workbench / f".lease-{lease.holder.attempt}"
    try:
        with beside.open("w") as stream:
            stream.write(lease.holder.to_json())
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError, FileNotFoundError):  # on NFS a link that succeeded may say that it failed
            os.link(beside, lease.path)
        return lease.is_held()
    except FileNotFoundError:  # the stage was published and its workbench cleared meanwhile
        return False
    finally:
        beside.unlink(missing_ok=True)


def _remove_below(lease: Lease) -> None:
    """Remove the files of all earlier holders, for good."""
    for path in (*entries(lease.workbench, "lease-*.json"), *entries(lease.workbench, "beat-*")):
        if int(path.stem.rpartition("-")[2]) < lease.token:
            path.unlink(missing_ok=True)


def _read_holder(path: Path) -> LeaseHolder | None:
    try:
        return LeaseHolder.parse(path.read_text())
    except (OSError, ValueError, TypeError):
        return None


def _machine_name() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    parts = [
        boot.read_text().strip() if boot.exists() else "",
        str(namespace.readlink()) if namespace.is_symlink() else "",
    ]
    return " ".join([platform.node(), *parts])


def _start_ticks(pid: int) -> str | None:
    """Return a process's start in clock ticks since boot (``/proc/PID/stat``, field 22); None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _slurm_has_ended(job: str) -> bool | None:
    """Return None where Slurm does not show the job: what it hides from us may well run."""
    command = ["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SQUEUE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return True if "Invalid job id" in answer.stderr else None
    states = answer.stdout.split()
    return not any(state in _LIVE_STATES for state in states) if states else None
