"""Fit the model: from the last checkpoint to the last update, with as many rows at once as the memory holds."""

import gc
import logging
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, PrinterCallback, set_seed

from ablation.config.cluster import RuntimeOptions
from ablation.errors import ConfigProblems, OutOfMemory
from ablation.libraries import count_parameters
from ablation.specs import Train
from ablation.specs.cell import Cell, addresses
from ablation.store.stage_run import StageRun
from ablation.training.base_models import BaseModelCache
from ablation.training.batches import MicroBatching, MicroBatchPlan, PackedBatching, PaddedBatching, Updates
from ablation.training.checkpoint import Checkpoint, CheckpointSource, newest_checkpoint, remove_old_checkpoints
from ablation.training.distributed import ProcessGroup
from ablation.training.encode import IGNORED_LABEL, EncodedExamples
from ablation.training.sequence_parallel import restored_attention
from ablation.training.throughput import Throughput
from ablation.training.trainer import CheckpointCallback, Trainer
from ablation.training.training_guard import TrainingGuard
from ablation.training.trl_config import lora_config, sft_config
from ablation.training.trl_imports import DataCollatorForLanguageModeling
from ablation.training.zero import Sharding, whole_weights

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingRun:
    """What is to be fitted, with what, and among whom. The same in every process of the world but for `world`."""

    cell: Cell
    recipe: Train
    tokenizer: PreTrainedTokenizerBase
    encoded: EncodedExamples
    means: RuntimeOptions
    stage_run: StageRun
    world: ProcessGroup

    @cached_property
    def updates(self) -> Updates:
        """The updates of the run."""
        return Updates.of(self.recipe, self.encoded.lengths, self.cell.seed.train)

    @property
    def groups(self) -> int:
        """Processes that take examples of their own; where tokens are shared, groups of them."""
        return self.means.groups(self.world.size)

    @property
    def origin(self) -> CheckpointSource:
        """What this run's checkpoints are of."""
        zero = self.means.zero if self.world.size > 1 else 0
        return CheckpointSource(addresses(self.cell)["train"].digest, zero, self.world.size)

    def steps(self, rows: int) -> MicroBatchPlan:
        """How the updates go through the model; packed, `rows` longest examples are the room of one row."""
        lengths = self.encoded.lengths
        cut: MicroBatching = (
            PackedBatching(lengths, rows * max(lengths)) if self.recipe.packing else PaddedBatching(rows)
        )
        return MicroBatchPlan(self.updates, cut, self.groups)


@dataclass(frozen=True)
class FitResult:
    """A model after its last update, the trainer's log of every update, and what it took.

    `spent_s` are the seconds of training over all attempts, `here_s` those of this one, `first_s` those of its first update, and
    `load_s` those in which the base model was read. The updates `began` at that time of the monotonic clock, from number
    `went_on_from`, and `halvings` says how often the micro-batch did not fit.
    """

    model: Any
    weights: dict[str, Any] | None
    log: list[dict[str, Any]]
    updates: int
    rows: int
    halvings: int
    went_on_from: int
    began: float
    load_s: float
    first_s: float
    spent_s: float
    here_s: float
    speed: Throughput


def fit(task: TrainingRun, resume: Checkpoint | None) -> FitResult:
    """Train to the last update. Raises Interrupted, BadLoss, OutOfMemory and ConfigProblems.

    Where the rows do not fit in the device's memory, half of them are tried, from the last checkpoint on: the update stays the
    same. Several processes cannot agree on that once one of them has failed; then the error says what to ask for.
    """
    rows, halvings = _first_rows(task), 0
    while (fitted := _try(task, rows, halvings, resume)) is None:
        fewer = task.recipe.fewer_rows(rows, task.groups)
        if fewer is None or task.world.size > 1:
            raise OutOfMemory(_out_of_memory(task, rows, fewer))
        _log.warning("out of memory with %d rows at once; going on with %d, at the same effective batch", rows, fewer)
        rows, halvings = fewer, halvings + 1
        resume = newest_checkpoint(task.stage_run.kept, task.stage_run.earlier, task.origin)
    return fitted


def _first_rows(task: TrainingRun) -> int:
    problem = task.recipe.indivisible(task.means.micro_batch, task.world.size, task.means.sequence_parallel)
    if torch.cuda.device_count() > 1 and task.world.size == 1:
        # The trainer would wrap the model in DataParallel and multiply the batch by the devices that it sees.
        seen = torch.cuda.device_count()
        problem = f"{seen} GPUs are visible to one process; give each GPU a process, or set cluster.gpus_per_node=1"
    if problem:
        raise ConfigProblems([problem])
    return 1 if task.groups < task.world.size else task.recipe.rows(task.means.micro_batch, task.groups)


def _try(task: TrainingRun, rows: int, halvings: int, resume: Checkpoint | None) -> FitResult | None:
    """One run, None when the rows do not fit; what a failed one held in memory is given back."""
    try:
        return _run(task, rows, halvings, resume)
    except torch.OutOfMemoryError:
        pass
    finally:
        if task.world.rank == 0:
            remove_old_checkpoints(task.stage_run.kept)  # half a checkpoint may be what filled the disk
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _run(task: TrainingRun, rows: int, halvings: int, resume: Checkpoint | None) -> FitResult:
    recipe, seed = task.recipe, task.cell.seed.train
    set_seed(seed)
    steps = task.steps(rows)
    sharding = Sharding.of(task.means, task.world)
    pace = CheckpointCallback(
        task.stage_run, task.world, task.means.checkpoint_s, resume.spent_s if resume else 0.0, sharding, task.origin
    )
    # Before the model: at ZeRO's stage 3 the weights are split as they are loaded.
    arguments = sft_config(recipe, seed, task.stage_run.kept, steps, sharding, task.means.activations)
    load_began = time.monotonic()
    keeps = task.means.keeps_base and task.world.size == 1
    model = BaseModelCache.here().fresh(task.cell.model, keeps, frozen=recipe.lora is not None)
    load_s = time.monotonic() - load_began
    trainer = Trainer(
        steps,
        task.world,
        sharding,
        model=model,
        args=arguments,
        data_collator=DataCollatorForLanguageModeling(
            task.tokenizer.pad_token_id, padding_free=recipe.packing, pad_to_multiple_of=sharding.degree
        ),
        train_dataset=_dataset(task),
        processing_class=task.tokenizer,
        peft_config=recipe.lora and lora_config(recipe.lora),
        callbacks=[TrainingGuard(recipe, len(task.tokenizer)), pace],
    )
    trainer.remove_callback(PrinterCallback)
    if task.world.rank:
        set_seed(seed + task.world.rank)  # each process drops out other units
    with restored_attention(sharding.degree):
        trainer.train(resume_from_checkpoint=str(resume.folder) if resume else None)
    if trainer.state.global_step < trainer.state.max_steps:
        task.stage_run.halt.check()
    spent_s = pace.spent_s
    return FitResult(
        model=trainer.model,
        weights=whole_weights(trainer) if sharding.stage else None,
        log=trainer.state.log_history,
        updates=trainer.state.global_step,
        rows=rows,
        halvings=halvings,
        went_on_from=resume.update if resume else 0,
        began=pace.began,
        load_s=load_s,
        first_s=pace.first_s,
        spent_s=spent_s,
        here_s=spent_s - pace.before_s,
        speed=_speed(task, steps, trainer.model, resume.update if resume else 0, spent_s - pace.before_s),
    )


def _speed(task: TrainingRun, steps: MicroBatchPlan, model: Any, first: int, seconds: float) -> Throughput:
    useful, through = steps.tokens_through(task.encoded.lengths, first)
    return Throughput(useful, through, seconds, count_parameters(model), task.world.size)


def _dataset(task: TrainingRun) -> Dataset:
    ids, labels = task.encoded.input_ids, task.encoded.labels
    if task.world.size > 1 or task.recipe.packing:
        filler = [task.tokenizer.eos_token_id] * 2
        ids, labels = [*ids, filler], [*labels, [IGNORED_LABEL] * 2]
    return Dataset.from_dict({"input_ids": ids, "labels": labels})


def _out_of_memory(task: TrainingRun, rows: int, fewer: int | None) -> str:
    if fewer is not None:
        return f"out of memory with {rows} rows at once; set cluster.micro_batch={fewer}: the update stays the same"
    return (
        "out of memory with a single row of the batch; use a device with more memory, more processes, train.method=lora, "
        f"or a smaller train.block_tokens (given {task.recipe.block_tokens})"
    )
