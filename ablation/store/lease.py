"""The right to work on a stage: numbered files that are created once and never replaced, so the highest number holds.

The number is a fencing token. Whoever takes over removes the files of lower numbers. So a process that was taken for dead and is
not (a node that lost its network, a job that Slurm has requeued, a suspended laptop) finds its own file gone, or a higher number,
at its next heartbeat or before it publishes, and stops, also when the one that took over has given up meanwhile.
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

from ablation.store.files import listed
from ablation.store.interrupt import StopRequest

BEAT_S = 15.0
# Where death cannot be proved, a holder counts as gone after this much silence, by the watcher's own clock.
SILENCE_S = 300.0
# Attempts at work in this process: a lease of this process that is not among them was left by an attempt that failed.
_AT_WORK: set[str] = set()
_LEASE = re.compile(r"lease-(\d{6})\.json")
_SQUEUE_TIMEOUT_S = 20
# A job in one of these states has a process; one that waits in the queue again has lost it.
_LIVE = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "CONFIGURING", "SIGNALING", "STAGE_OUT", "RESIZING")


def _path(bench: Path, token: int) -> Path:
    return bench / f"lease-{token:06d}.json"


def _beat(bench: Path, token: int) -> Path:
    return bench / f"beat-{token:06d}"


def _highest(bench: Path) -> int:
    found = [_LEASE.fullmatch(path.name) for path in listed(bench, "lease-*.json")]
    return max((int(match[1]) for match in found if match), default=0)


def _highest_attempt(bench: Path) -> int:
    return max((int(path.name.split("-")[1]) for path in listed(bench, "attempt-*-*")), default=0)


@dataclass(frozen=True)
class LeaseHolder:
    """One attempt's process. `machine` names host, boot and process namespace, in which `pid` and `started` are unique.

    `job` is Slurm's ``JOB_INDEX`` in its `cluster`, `restart` how often Slurm has started it again.
    """

    attempt: str
    machine: str
    pid: int
    started: str
    job: str | None
    restart: int
    cluster: str | None = None

    @classmethod
    def here(cls, attempt: str) -> "LeaseHolder":
        """This process, under the name of its attempt."""
        job = os.environ.get("SLURM_ARRAY_JOB_ID")
        index = os.environ.get("SLURM_ARRAY_TASK_ID")
        named = f"{job}_{index}" if job and index else os.environ.get("SLURM_JOB_ID")
        restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        cluster = os.environ.get("SLURM_CLUSTER_NAME")
        return cls(attempt, _machine(), os.getpid(), _started(os.getpid()) or "", named, restart, cluster)

    @classmethod
    def parse(cls, text: str) -> "LeaseHolder":
        """Raises ValueError or TypeError on anything else than `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self)) + "\n"

    def is_process_of(self, other: "LeaseHolder") -> bool:
        """True when both were made in one process."""
        return replace(self, attempt=other.attempt) == other

    def is_gone(self, asking: "LeaseHolder") -> bool | None:
        """True when it can be proved dead or replaced, False when it lives, None when `asking` cannot tell."""
        if self.job and (self.job, self.cluster) == (asking.job, asking.cluster) and self.restart < asking.restart:
            return True
        if self.machine == asking.machine:
            return _started(self.pid) != self.started
        if asking.cluster and self.cluster and asking.cluster != self.cluster:
            return None  # the Slurm that answers here does not know its job
        return _slurm_has_ended(self.job) if self.job else None


@dataclass(frozen=True)
class Lease:
    """The lease `token` of one attempt on the stage whose workbench is `bench`."""

    bench: Path
    token: int
    holder: LeaseHolder

    @property
    def path(self) -> Path:
        """The file that says so."""
        return _path(self.bench, self.token)

    def is_held(self) -> bool:
        """True while the file is ours and nobody has a higher number. Raises OSError where that cannot be read."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return False
        return text == self.holder.to_json() and _highest(self.bench) == self.token

    def release(self) -> None:
        """Give it back; another process may take the stage at once."""
        self.end()
        for path in (self.path, _beat(self.bench, self.token)):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # somebody else has begun here
            self.bench.rmdir()

    def end(self) -> None:
        """The attempt is over; should its file still stand (a disk that failed), this process's next attempt may replace it."""
        _AT_WORK.discard(self.holder.attempt)

    @contextmanager
    def beating(self, halt: StopRequest) -> Iterator[None]:
        """Count up while the work goes on; when the lease is lost, ask the work to stop."""
        over = threading.Event()

        def beat() -> None:
            count = 0
            while not over.wait(BEAT_S):
                count += 1
                with suppress(OSError):  # a full or failing disk must not end the work that is going on
                    if not self.is_held():
                        halt.request("another attempt has taken this stage over")
                        return
                    _beat(self.bench, self.token).write_text(str(count))

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

    bench: Path
    me: LeaseHolder = field(default_factory=lambda: LeaseHolder.here(uuid.uuid4().hex[:12]))
    _seen: tuple[int, str] = (0, "")
    _since: float = field(default_factory=time.monotonic)

    def take(self) -> Lease | None:
        """The lease, or None while somebody else may be alive who holds it."""
        token = _highest(self.bench)
        if token and not self._is_gone(token):
            return None
        self.bench.mkdir(parents=True, exist_ok=True)
        lease = Lease(self.bench, max(token, _highest_attempt(self.bench)) + 1, self.me)
        _AT_WORK.add(self.me.attempt)
        with ExitStack() as unless_taken:
            unless_taken.callback(lease.end)  # also when the disk fails here: nobody may wait for one who does not work
            if not _create(lease):
                return None
            _remove_below(lease)
            unless_taken.pop_all()
        return lease

    def holder(self) -> LeaseHolder | None:
        """Who holds it now."""
        token = _highest(self.bench)
        return _reads(_path(self.bench, token)) if token else None

    def _is_gone(self, token: int) -> bool:
        holder = _reads(_path(self.bench, token))
        if holder and holder.is_process_of(self.me):
            return holder.attempt not in _AT_WORK
        gone = holder.is_gone(self.me) if holder else None
        return self._is_silent(token) if gone is None else gone

    def _is_silent(self, token: int) -> bool:
        beat = ""
        with suppress(FileNotFoundError):  # it has not counted yet, or has given back
            beat = _beat(self.bench, token).read_text()
        seen = (token, beat)
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since > SILENCE_S


def _create(lease: Lease) -> bool:
    """Write the file beside and link it into place, which fails where one of that number stands."""
    beside = lease.bench / f".lease-{lease.holder.attempt}"
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
    """Take their files from all that held before, for good."""
    for path in (*listed(lease.bench, "lease-*.json"), *listed(lease.bench, "beat-*")):
        if int(path.stem.rpartition("-")[2]) < lease.token:
            path.unlink(missing_ok=True)


def _reads(path: Path) -> LeaseHolder | None:
    try:
        return LeaseHolder.parse(path.read_text())
    except (OSError, ValueError, TypeError):
        return None


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    parts = [boot.read_text().strip() if boot.exists() else "", str(space.readlink()) if space.is_symlink() else ""]
    return " ".join([platform.node(), *parts])


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (``/proc/PID/stat``, field 22); None when there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _slurm_has_ended(job: str) -> bool | None:
    """None where Slurm does not show it: what it hides from us may well run."""
    command = ["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SQUEUE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if told.returncode:
        return True if "Invalid job id" in told.stderr else None
    states = told.stdout.split()
    return not any(state in _LIVE for state in states) if states else None
