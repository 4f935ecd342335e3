"""Stop a process at every system call with which it writes, in turn, and look at what it left behind.

``python -m tests.crash.everywhere CALL FAULT [STRIDE]``: a process publishes a stage, replaces the views of a study, copies the
code, freezes a cell, submits one job by the ledger, tells its history and drops the weights. strace kills it (FAULT ``SIGKILL``)
or fails it (``ENOSPC``, ``EDQUOT``, ``EIO``, ``ESTALE``) at its 1st, 2nd, 3rd … CALL, or at every STRIDEth. What it leaves must
be whole: the old or the new, never torn. One that was failed tries again, as a warm worker does; then an undisturbed process must
come to the one right end. Each victim is forked from this warm process, so a point costs tens of milliseconds.

Walks through specs, config, store, study, jobs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

from ablation.config.cluster import RuntimeOptions
from ablation.config.sweep.cells import compose_sweep
from ablation.errors import AblationError
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import Provenance, TaskList, read_job, write_job
from ablation.jobs.slurm import history
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import Ledger, Submission, latest_tasks
from ablation.jobs.submit import code_copy as snapshots
from ablation.specs.address import Address
from ablation.specs.cell import Cell
from ablation.store.files import write_text_atomically
from ablation.store.records import WEIGHTS_FOLDER
from ablation.store.stage_run import StageRun
from ablation.store.store import Store, verify
from ablation.study.retention import DroppableWeights, drop_weights

STAGE = Address.of("train", "algebra", {"stage": "train", "spec": {"epochs": 5}})
VIEWS = ("plan.json", "manifest.json")
CELL = "algebra-n100"
ORIGIN = Provenance(None, {"torch": "1"}, "login")
ORDER = TaskList("one", "cell", (("/a b/x.json",),), 60, 3, 2)
EVENT = Event("ended", "7_0", 0, "cell", "node", "error", "line\nbreak", 1.5)
# What one name on the command line stands for: the variants of a call that a C library may choose.
CALLS = {
    "write": "write,pwrite64", "fsync": "fsync,fdatasync", "rename": "rename,renameat,renameat2", "link": "link,linkat",
    "openat": "openat", "mkdir": "mkdir,mkdirat", "unlink": "unlink,unlinkat,rmdir", "ftruncate": "ftruncate", "close": "close",
    "read": "read,pread64",
}  # fmt: skip
_PATIENCE_S = 90
STOPPED = 3  # exit code: a call failed, and a second try in the same process came to the end


def work(folder: Path) -> None:
    """What a launcher and a worker write, in a fraction of a second."""
    Store(folder / "store").make(STAGE, _train)
    study = folder / "study"
    for view in VIEWS:
        write_text_atomically(study / view, _text("new"))
    snapshots._ROOT = folder / "installation"  # of two files: the whole package has hundreds
    vars(snapshots)["ThreadPoolExecutor"] = OneThread
    snapshots.copy_code(study / "code")
    write_job(_job(folder), study / "jobs", ORIGIN)
    ORDER.write(study / "jobs" / "order.tasks.json")
    ledger = Ledger(study / "submissions.jsonl")
    ledger.adopt(lambda name: "7" if (folder / "controller" / name).exists() else None)
    if CELL not in latest_tasks(ledger.submissions()):
        name = f"job-{os.urandom(4).hex()}"
        ledger.intend(Submission(name, ((CELL,),)))
        os.close(os.open(folder / "controller" / name, os.O_CREAT | os.O_EXCL))  # in the place of sbatch
        ledger.confirm(name, "7")
    history.record(study / "jobs", CELL, EVENT)
    published = Store(folder / "store").find(STAGE)
    assert published
    drop_weights(DroppableWeights(published, 0))


class OneThread:
    """In the place of a pool: strace counts the calls of each thread by itself, and a second try would meet the same fault."""

    def __init__(self, at_once: int) -> None:
        del at_once

    def __enter__(self) -> "OneThread":
        return self

    def __exit__(self, *raised: object) -> None:
        del raised

    map = staticmethod(map)


@cache
def _cell() -> Cell:
    """Composed once, before a victim is forked; not on import, since Hydra keeps its state in singletons."""
    return compose_sweep(["sweep=single"]).cells[0]


def _job(folder: Path) -> Job:
    return Job(_cell(), CELL, folder / "store", folder / "log", 1, RuntimeOptions())


def _train(run: StageRun) -> None:
    (run.kept / "checkpoint").write_text("half way")
    (run.out / "weights").mkdir()
    (run.out / "weights" / "model.bin").write_bytes(bytes(range(256)) * 40)
    (run.out / "loss.jsonl").write_text('{"update": 1}\n')


def _text(version: str) -> str:
    return json.dumps({"version": version, "filler": "x" * 9000})


def prepared(folder: Path) -> None:
    """A study with older views, and a controller without jobs."""
    _cell()
    for name in ("study", "controller"):
        (folder / name).mkdir(parents=True)
    for view in VIEWS:
        (folder / "study" / view).write_text(_text("old"))
    (folder / "study" / "jobs").mkdir()
    for name in ("ablation/one.py", "hydra_plugins/two.py"):
        (folder / "installation" / name).parent.mkdir(parents=True)
        (folder / "installation" / name).write_text(f"# {name}")


def check_whole(folder: Path) -> None:
    """Whatever is there is complete: old or new."""
    store, study = Store(folder / "store"), folder / "study"
    published = store.find(STAGE)
    assert published is None or verify(published) == [], f"torn stage in {published}"
    for view in VIEWS:
        assert (study / view).read_text() in (_text("old"), _text("new")), f"torn {view}"
    copies = [path for path in (study / "code").glob("*") if not path.name.startswith(".")]
    assert all(snapshots._is_whole(copy, ["ablation/one.py", "hydra_plugins/two.py"]) for copy in copies), "torn code"
    jobs_folder = study / "jobs"
    if (jobs_folder / f"{CELL}.json").exists():
        assert read_job(jobs_folder / f"{CELL}.json") == (_job(folder), ORIGIN)
    if (jobs_folder / "order.tasks.json").exists():
        assert TaskList.read(jobs_folder / "order.tasks.json") == ORDER
    assert set(history.read(jobs_folder, CELL)) <= {EVENT}
    known = {submission.name for submission in Ledger(study / "submissions.jsonl").submissions()}
    jobs = {path.name for path in (folder / "controller").iterdir()}
    assert jobs <= known, "a job that the ledger does not know would be submitted again"


def check_end(folder: Path) -> None:
    """The one right end: everything new, one job, nothing else in sight."""
    published = Store(folder / "store").find(STAGE)
    assert published is not None
    assert verify(published) == []
    assert [(folder / "study" / view).read_text() for view in VIEWS] == [_text("new")] * 2
    jobs = [path.name for path in (folder / "controller").iterdir()]
    assert len(jobs) == 1, f"submitted {len(jobs)} times"
    [submission] = Ledger(folder / "study" / "submissions.jsonl").submissions()
    assert (submission.name, submission.job) == (jobs[0], "7")
    assert read_job(folder / "study/jobs" / f"{CELL}.json") == (_job(folder), ORIGIN)
    assert TaskList.read(folder / "study/jobs/order.tasks.json") == ORDER
    assert history.read(folder / "study/jobs", CELL)[-1:] == [EVENT]
    assert len([path for path in (folder / "study/code").iterdir() if not path.name.startswith(".")]) == 1
    assert not (published / WEIGHTS_FOLDER).exists()
    visible = [path.name for path in (folder / "store" / "train").iterdir() if not path.name.startswith(".")]
    assert visible == [published.name]


def run_victim(folder: Path, inject: str | None = None, trace: Path | None = None) -> int:
    """Fork a process that does the work, under strace where asked; its exit status as `os.waitpid` tells it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    pid = os.fork()
    if pid == 0:
        signal.sigwait({signal.SIGUSR1})
        signal.alarm(_PATIENCE_S)
        os._exit(_outcome(folder))
    tracer = _attach(pid, inject, trace) if inject or trace else None
    os.kill(pid, signal.SIGUSR1)
    status = os.waitpid(pid, 0)[1]
    if tracer:
        tracer.wait(_PATIENCE_S)
    assert not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM), "the process hangs"
    return status


def _outcome(folder: Path) -> int:
    """Do the work; when a call fails, do it again in the same process, as a warm worker does. The exit code."""
    try:
        try:
            work(folder)
        except (OSError, AblationError):
            work(folder)
            return STOPPED
    except BaseException as error:  # noqa: BLE001 a fork of a test must not go on as one
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _attach(pid: int, inject: str | None, trace: Path | None) -> subprocess.Popen[bytes]:
    every = ",".join(CALLS.values())
    what = ["-e", f"trace={inject.split(':')[0]}", "-e", f"inject={inject}"] if inject else ["-e", f"trace={every}"]
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-y", "-o", str(trace or os.devnull), *what, "-p", str(pid)])
    deadline = time.monotonic() + _PATIENCE_S
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        assert tracer.poll() is None, "strace could not attach"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return tracer


def count_calls(call: str) -> Counter[str]:
    """How often an undisturbed victim makes each variant of this call: strace counts each by itself."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepared(folder)
        assert run_victim(folder, trace=folder / "trace") == 0
        made = [
            line.split()[1].partition("(")[0] for line in (folder / "trace").read_text().splitlines() if "(" in line
        ]
        check_end(folder)
    return Counter(name for name in made if name in CALLS[call].split(","))


def crash_at(call: str, fault: str, when: int) -> bool:
    """One victim that meets `fault` at its system call number `when`; whether that stopped it. Raises AssertionError."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepared(folder)
        how = f"signal={fault}" if fault.startswith("SIG") else f"error={fault}"
        status = run_victim(folder, f"{call}:{how}:when={when}")
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) in (0, STOPPED), "the same process could not go on"
        check_whole(folder)
        assert run_victim(folder) == 0, "the second run failed"
        check_end(folder)
    return status != 0


def main(call: str, fault: str, stride: str = "1") -> int:
    """Every STRIDEth point; exit code 1 when one of them tore or lost something."""
    points = [(name, when) for name, total in count_calls(call).items() for when in range(1, total + 1)]
    tried, stopped, faults = points[:: int(stride)], 0, []
    for name, when in tried:
        try:
            stopped += crash_at(name, fault, when)
        except Exception as error:  # noqa: BLE001 every broken point is told
            faults.append(f"{fault} at {name} number {when}: {type(error).__name__}: {error}")
    summary = f"{fault} at {len(tried)} of {len(points)} calls of {call}: {stopped} stopped, {len(faults)} broke"
    print("\n".join([*faults, summary]))
    return 1 if faults or not points else 0


if __name__ == "__main__":
    assert shutil.which("strace"), "strace is not installed"
    sys.exit(main(*sys.argv[1:]))
