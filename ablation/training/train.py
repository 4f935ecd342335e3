"""The train stage: supervised fine-tuning with TRL on the selected trajectories."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ablation.config.cluster import RuntimeOptions
from ablation.data.corpus.select import read_conversations
from ablation.data.tokenizer import load_tokenizer
from ablation.errors import AblationError, BadLoss, ConfigProblems
from ablation.libraries import take_import_s
from ablation.specs.cell import Cell
from ablation.store.interrupt import Interrupted, StopRequest
from ablation.store.records import LOSS_FILE, SUMMARY_FILE, TIMING_FILE, WEIGHTS_FOLDER, write_json
from ablation.store.stage_run import StageRun
from ablation.training.checkpoint import Checkpoint, newest_checkpoint
from ablation.training.distributed import ProcessGroup
from ablation.training.encode import encode
from ablation.training.fit import FitResult, TrainingRun, fit
from ablation.training.loss_curve import curve_lines, mean_loss
from ablation.training.trl_config import save_adapter, with_adapter
from ablation.training.zero import deepspeed_only_for


@dataclass(frozen=True)
class TrainSummary:
    """What was realised: counts of the run, not of the plan. Losses are per target token.

    `dropped_examples` are trajectories of the cell's N with nothing to train; no update has seen them.
    """

    updates: int
    train_examples: int
    train_tokens: int
    target_tokens: int
    truncated_examples: int
    dropped_examples: int
    train_loss: float


def train(cell: Cell, selection: Path, pool: Path, run: StageRun, means: RuntimeOptions) -> None:
    """Write ``weights/`` (or an adapter there), ``loss.jsonl``, ``summary.json`` and ``timing.json``.

    Deterministic on one CPU thread.

    Goes on from the newest checkpoint that is whole. All but ``timing.json`` is the same however often that happened, byte for
    byte in one process. Raises Interrupted, BadLoss, OutOfMemory, ConfigProblems and DataError.
    """
    started, world = time.monotonic(), ProcessGroup.here()
    task = _task(cell, selection, pool, run, means, world)
    encoded = time.monotonic()
    run.halt.check()
    resume = newest_checkpoint(run.kept, run.earlier, task.origin)
    world.call(_message(task, selection, pool, resume))
    with deepspeed_only_for(means.zero):
        fitted = _fit_in(world, task, resume)
        _write(task, fitted, run.out)
    # Not in the summary: a cell is the same science in whatever pieces its updates went through the memory.
    means_told = {
        "rows_at_once": fitted.rows,
        "processes": world.size,
        "out_of_memory": fitted.halvings,
        "went_on_from_update": fitted.went_on_from,
    }
    phases = _phases(fitted, started, encoded - started)
    write_json(run.out / TIMING_FILE, {**phases, **means_told, **fitted.speed.as_json()})


def _fit_in(world: ProcessGroup, task: TrainingRun, resume: Checkpoint | None) -> FitResult:
    """Process 0's part. Where another process has failed, its error is raised, with ours as its cause: ours only follows from it.

    Nothing is kept back: whatever ends the training here leaves the others in the midst of an exchange, and breaks the world.
    """
    try:
        return fit(task, resume)
    except (Interrupted, BadLoss):
        raise  # in every process at the same update: the world is as it was
    except AblationError:
        world.is_broken = True
        raise
    except Exception as error:
        if told := world.failure():
            raise told from error
        raise


def follow(halt: StopRequest) -> None:
    """Take part in the training of the world's process 0 until there is no more. For every other process of the world.

    A request to stop in any process ends the training of all at the same update. Raises AblationError when process 0 is gone.
    """
    world = ProcessGroup.here()
    while (message := world.hear()) is not None:
        try:
            world.join()
            _take_part(message, world, halt)
        except (Interrupted, BadLoss):
            continue  # process 0 says what comes next
        except Exception as error:
            world.tell_failure(error)
            raise


def _task(
    cell: Cell, selection: Path, pool: Path, run: StageRun, means: RuntimeOptions, world: ProcessGroup
) -> TrainingRun:
    if cell.train is None:
        raise ConfigProblems(["count.size: 0 is the base model; there is nothing to train"])
    tokenizer = load_tokenizer(cell.model)
    encoded = encode(read_conversations(selection, pool), cell.train.block_tokens, cell.train.drop_untrainable)
    return TrainingRun(cell, cell.train, tokenizer, encoded, means, run, world)


def _message(task: TrainingRun, selection: Path, pool: Path, resume: Checkpoint | None) -> dict[str, Any]:
    return {
        "cell": task.cell.model_dump(mode="json"),
        "selection": str(selection),
        "pool": str(pool),
        "kept": str(task.stage_run.kept),
        "means": asdict(task.means),
        "threads": torch.get_num_threads(),
        "resume": [str(resume.folder), resume.update, resume.spent_s] if resume else None,
    }


def _take_part(message: dict[str, Any], world: ProcessGroup, halt: StopRequest) -> None:
    """Fit as process 0 does, and leave the result to it. What has to be kept of this process goes where its own goes."""
    torch.set_num_threads(message["threads"])
    run = StageRun(out=Path(message["kept"]), kept=Path(message["kept"]), halt=halt)
    cell, means = Cell.parse(message["cell"]), RuntimeOptions(**message["means"])
    resume = message["resume"] and Checkpoint(Path(message["resume"][0]), *message["resume"][1:])
    with deepspeed_only_for(means.zero):
        fit(_task(cell, Path(message["selection"]), Path(message["pool"]), run, means, world), resume)


def _phases(fitted: FitResult, started: float, data_s: float) -> dict[str, float]:
    """Where the seconds went, now that all is written: what ends in ``_s`` adds up to all of them, those of earlier attempts at
    training included.

    Libraries (none in a process that has trained before); data and base model; all else before the updates (the trainer, the
    optimizer, what DeepSpeed compiles, rows that did not fit); the updates and checkpoints; what becomes of the weights.
    """
    import_s, load_s, start_s = take_import_s(), data_s + fitted.load_s, fitted.began - started
    return {
        "import_s": import_s,
        "load_s": load_s,
        "setup_s": start_s - load_s,
        "train_s": fitted.spent_s,
        "save_s": time.monotonic() - fitted.began - fitted.here_s,
        "seconds_to_first_update": import_s + start_s + fitted.first_s,
    }


def _write(task: TrainingRun, fitted: FitResult, folder: Path) -> None:
    model, weights = fitted.model, fitted.weights
    if task.recipe.leaves_adapter:
        save_adapter(model, weights, task.cell.model, folder / WEIGHTS_FOLDER)
    else:
        if task.recipe.lora:
            trained = model if weights is None else with_adapter(task.cell.model, task.recipe.lora, weights)
            # Safe: in new tensors, since those of the base model may be kept for the next cell.
            model, weights = trained.merge_and_unload(safe_merge=True), None
        model.save_pretrained(folder / WEIGHTS_FOLDER, state_dict=weights)
    task.tokenizer.save_pretrained(folder / WEIGHTS_FOLDER)
    lines = curve_lines(fitted.log, task.updates.sizes(task.encoded.lengths))
    (folder / LOSS_FILE).write_text("".join(f"{line}\n" for line in lines))
    write_json(folder / SUMMARY_FILE, asdict(_summary(task, fitted)))


def _summary(task: TrainingRun, fitted: FitResult) -> TrainSummary:
    lengths, targets = task.encoded.lengths, task.encoded.target_lengths
    seen = [index for chosen in task.updates for index in chosen]
    return TrainSummary(
        updates=fitted.updates,
        train_examples=len(seen),
        train_tokens=sum(lengths[index] for index in seen),
        target_tokens=sum(targets[index] for index in seen),
        truncated_examples=task.encoded.truncated,
        dropped_examples=task.encoded.dropped,
        train_loss=mean_loss(fitted.log),
    )
