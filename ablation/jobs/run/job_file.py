"""A job as a file: what a compute node runs is what was submitted, whatever happens to the configuration meanwhile."""

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ablation.config.cluster import JobPart, RuntimeOptions
from ablation.errors import RecordError
from ablation.jobs.run.job import Job
from ablation.specs.cell import Cell
from ablation.store.files import write_text_atomically
from ablation.study.provenance import git_state, package_versions

JOB_FORMAT = 5
TASKS_FORMAT = 1


@dataclass(frozen=True)
class Provenance:
    """Who submitted: the commit of the code, the versions of the packages, the machine."""

    git: str | None
    versions: dict[str, str]
    host: str

    @classmethod
    def here(cls) -> "Provenance":
        """This process."""
        return cls(git_state(), package_versions(), platform.node())


def write_job(job: Job, folder: Path, origin: Provenance) -> Path:
    """Write ``FOLDER/NAME.json`` and return its path. Holds the whole cell, its key and absolute paths; no secret."""
    path = folder / f"{job.name}.json"
    content = {
        "format": JOB_FORMAT,
        "name": job.name,
        "key": job.cell.key,
        "cell": job.cell.model_dump(mode="json"),
        "store": str(job.store_root.resolve()),
        "log": str(job.log.resolve()),
        "threads": job.threads,
        "means": asdict(job.options),
        "keep": job.keep,
        "origin": asdict(origin),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps(content, indent=1) + "\n")
    return path


def read_job(path: Path) -> tuple[Job, Provenance]:
    """The job of a file. Raises RecordError when the file is damaged, of another format, or its cell has another key."""
    try:
        told = _read(path, JOB_FORMAT)
        cell = Cell.parse(told["cell"])
        places, options = (Path(told["store"]), Path(told["log"])), RuntimeOptions(**told["means"])
        job = Job(cell, told["name"], *places, told["threads"], options, told["keep"])
        origin = Provenance(**told["origin"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise RecordError(f"{path} is not a frozen job ({str(error).splitlines()[0]}); submit again") from error
    if cell.key != told["key"]:
        raise RecordError(
            f"{path}: its cell has key {cell.key[:12]}…, but {told['key'][:12]}… was frozen; submit again"
        )
    return job, origin


@dataclass(frozen=True)
class TaskList:
    """What the tasks of one array run: for each task the frozen jobs' files, and how far they go."""

    name: str
    stage: JobPart
    tasks: tuple[tuple[str, ...], ...]
    timeout_min: int
    requeues: int
    hold_after: int

    def write(self, path: Path) -> None:
        """Write the file that the workers are given."""
        write_text_atomically(path, json.dumps({"format": TASKS_FORMAT, **asdict(self)}) + "\n")

    @classmethod
    def read(cls, path: Path) -> "TaskList":
        """Raises RecordError when the file is damaged or of another format."""
        try:
            told = _read(path, TASKS_FORMAT)
            del told["format"]
            return cls(**{**told, "tasks": tuple(tuple(task) for task in told["tasks"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{path} is not a list of tasks ({str(error).splitlines()[0]}); submit again") from error


def _read(path: Path, readable: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if told["format"] != readable:
        raise RecordError(f"{path} has format {told['format']}, this version reads format {readable}; submit again")
    return told
