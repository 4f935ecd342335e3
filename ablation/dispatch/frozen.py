"""A job as a file: what a compute node runs is what was submitted, whatever happens to the configuration meanwhile."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from ablation.attempt import Means
from ablation.cell import Cell
from ablation.dispatch.job import Job, Outcome
from ablation.errors import RecordError
from ablation.store import write_text_atomically

FORMAT = 2


def freeze(job: Job, folder: Path) -> Path:
    """Write ``FOLDER/NAME.json`` and return its path. Holds the whole cell, its key and absolute paths; no secret."""
    path = folder / f"{job.name}.json"
    content = {
        "format": FORMAT,
        "name": job.name,
        "key": job.cell.key,
        "cell": job.cell.model_dump(mode="json"),
        "store": str(job.store_root.resolve()),
        "log": str(job.log.resolve()),
        "threads": job.threads,
        "means": asdict(job.means),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps(content, indent=1) + "\n")
    return path


def thaw(path: Path) -> Job:
    """The job of a file. Raises RecordError when the file is damaged, of another format, or its cell has another key."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise RecordError(f"{path} has format {told['format']}, this version reads format {FORMAT}; submit again")
        cell = Cell.parse(told["cell"])
        job = Job(cell, told["name"], Path(told["store"]), Path(told["log"]), told["threads"], Means(**told["means"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise RecordError(f"{path} is not a frozen job ({str(error).splitlines()[0]}); submit again") from error
    if cell.key != told["key"]:
        raise RecordError(
            f"{path}: its cell has key {cell.key[:12]}…, but {told['key'][:12]}… was frozen; submit again"
        )
    return job


@dataclass(frozen=True)
class Ended:
    """How a job on another machine ended; `job` is Slurm's name for it, such as ``12_3``."""

    job: str
    error: str | None
    seconds: float


def record_end(jobs: Path, outcome: Outcome, job: str) -> None:
    """Write ``NAME.ended.json`` beside the frozen job."""
    told = {"job": job, "error": outcome.error, "seconds": outcome.seconds, "ran": list(outcome.ran)}
    write_text_atomically(jobs / f"{outcome.name}.ended.json", json.dumps(told) + "\n")


def read_end(jobs: Path, name: str) -> Ended | None:
    """How the last job of this cell ended, or None when none has said so."""
    try:
        told = json.loads((jobs / f"{name}.ended.json").read_text(encoding="utf-8"))
        return Ended(told["job"], told["error"], told["seconds"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{jobs / name}.ended.json is damaged ({error}); remove it and submit again") from error
