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
    """The counts of a training run as it was made, not as it was planned. Losses are per target token."""

    updates: int
    train_examples: int
    train_tokens: int
    target_tokens: int
    truncated_examples: int
    dropped_examples: int
    """Trajectories of the cell's N with nothing to train; no update has seen them."""
    train_loss: float


def train(cell: Cell, selection: Path, pool: Path, run: StageRun, options: RuntimeOptions) -> None:
    """Train a cell's model on its selection, and write ``weights/`` (or an adapter there) and the records of the run.

    The records are ``loss.jsonl``, ``summary.json`` and ``timing.json``. Training is deterministic on one CPU thread. It goes on
    from the newest checkpoint that is whole. All but ``timing.json`` is the same however often that happened, byte for byte in
    one process. Raises Interrupted, BadLoss, OutOfMemory, ConfigProblems and DataError.
    """
    started, group = time.monotonic(), ProcessGroup.here()
    training = _training_run(cell, selection, pool, run, options, group)
    encoded = time.monotonic()
    run.halt.check()
    resume = newest_checkpoint(run.kept, run.earlier, training.origin)
    group.start_work(_message(training, selection, pool, resume))
    with deepspeed_only_for(options.zero):
        result = _fit_as_first(training, resume)
        _write(training, result, run.out)
    # Not in the summary: a cell is the same science in whatever pieces its updates went through the memory.
    circumstances = {
        "rows_at_once": result.rows,
        "processes": group.size,
        "out_of_memory": result.halvings,
        "went_on_from_update": result.resumed_from,
    }
    phases = _phases(result, started, encoded - started)
    write_json(run.out / TIMING_FILE, {**phases, **circumstances, **result.throughput.as_json()})


def _fit_as_first(training: TrainingRun, resume: Checkpoint | None) -> FitResult:
    """Fit as process 0. Where another process has failed, raise its error, with ours as the cause: ours only follows from it.

    No exception is held back: whatever ends the training here leaves the others in the midst of an exchange. So the group is
    broken then, and trains no more.
    """
    try:
        return fit(training, resume)
    except (Interrupted, BadLoss):
        raise  # in every process at the same update: the group is as it was
    except AblationError:
        training.group.is_broken = True
        raise
    except Exception as error:
        if failure := training.group.failure():
            raise failure from error
        raise


def follow(halt: StopRequest) -> None:
    """Take part in the training of process 0 until there is no more. For every other process of the group.

    A request to stop in any process ends the training of all at the same update. Raises AblationError when process 0 is gone.
    """
    group = ProcessGroup.here()
    while (message := group.next_work()) is not None:
        try:
            group.join()
            _take_part(message, group, halt)
        except (Interrupted, BadLoss):
            continue  # process 0 decides what comes next
        except Exception as error:
            group.report_failure(error)
            raise


def _training_run(
    cell: Cell, selection: Path, pool: Path, run: StageRun, options: RuntimeOptions, group: ProcessGroup
) -> TrainingRun:
    if cell.train is None:
        raise ConfigProblems(["count.size: 0 is the base model; there is nothing to train"])
    tokenizer = load_tokenizer(cell.model)
    examples = encode(read_conversations(selection, pool), cell.train.block_tokens, cell.train.drop_untrainable)
    return TrainingRun(cell, cell.train, tokenizer, examples, options, run, group)


def _message(training: TrainingRun, selection: Path, pool: Path, resume: Checkpoint | None) -> dict[str, Any]:
    """Return the work as JSON, for `_take_part` in the other processes."""
    return {
        "cell": training.cell.model_dump(mode="json"),
        "selection": str(selection),
        "pool": str(pool),
        "kept": str(training.stage_run.kept),
        "options": asdict(training.options),
        "threads": torch.get_num_threads(),
        "resume": [str(resume.folder), resume.update, resume.spent_s] if resume else None,
    }


def _take_part(message: dict[str, Any], group: ProcessGroup, halt: StopRequest) -> None:
    """Fit as process 0 does, and leave the result to it. This process's part of a checkpoint goes to the same folder as its."""
    torch.set_num_threads(message["threads"])
    run = StageRun(out=Path(message["kept"]), kept=Path(message["kept"]), halt=halt)
    cell, options = Cell.parse(message["cell"]), RuntimeOptions(**message["options"])
    resume = message["resume"] and Checkpoint(Path(message["resume"][0]), *message["resume"][1:])
    with deepspeed_only_for(options.zero):
        fit(_training_run(cell, Path(message["selection"]), Path(message["pool"]), run, options, group), resume)


def _phases(result: FitResult, started: float, data_s: float) -> dict[str, float]:
    """Return the seconds of each phase, now that all is written.

    Those whose names end in ``_s`` add up to all of them, earlier runs of this training included:

    - ``import_s``: libraries; none in a process that has trained before
    - ``load_s``: data and base model
    - ``setup_s``: all else before the updates: the trainer, the optimizer, what DeepSpeed compiles, rows that did not fit
    - ``train_s``: updates and checkpoints
    - ``save_s``: merging and writing the weights
    """
    import_s, load_s, start_s = take_import_s(), data_s + result.load_s, result.began - started
    return {
        "import_s": import_s,
        "load_s": load_s,
        "setup_s": start_s - load_s,
        "train_s": result.spent_s,
        "save_s": time.monotonic() - result.began - result.this_run_s,
        "seconds_to_first_update": import_s + start_s + result.first_s,
    }


def _write(training: TrainingRun, result: FitResult, folder: Path) -> None:
    model, weights = result.model, result.weights
    if training.recipe.leaves_adapter:
        save_adapter(model, weights, training.cell.model, folder / WEIGHTS_FOLDER)
    else:
        if training.recipe.lora:
            trained = model if weights is None else with_adapter(training.cell.model, training.recipe.lora, weights)
            # Safe: in new tensors, since those of the base model may be kept for the next cell.
            model, weights = trained.merge_and_unload(safe_merge=True), None
        model.save_pretrained(folder / WEIGHTS_FOLDER, state_dict=weights)
    training.tokenizer.save_pretrained(folder / WEIGHTS_FOLDER)
    lines = curve_lines(result.log, training.updates.sizes(training.examples.lengths))
    (folder / LOSS_FILE).write_text("".join(f"{line}\n" for line in lines))
    write_json(folder / SUMMARY_FILE, asdict(_summary(training, result)))


def _summary(training: TrainingRun, result: FitResult) -> TrainSummary:
    lengths, targets = training.examples.lengths, training.examples.target_lengths
    seen = [index for update in training.updates for index in update]
    return TrainSummary(
        updates=result.updates,
        train_examples=len(seen),
        train_tokens=sum(lengths[index] for index in seen),
        target_tokens=sum(targets[index] for index in seen),
        truncated_examples=training.examples.truncated,
        dropped_examples=training.examples.dropped,
        train_loss=mean_loss(result.log),
    )
