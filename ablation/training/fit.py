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
    """A model to be fitted: the data, the options and the processes. The same in every process of the group but for `group`."""

    cell: Cell
    recipe: Train
    tokenizer: PreTrainedTokenizerBase
    examples: EncodedExamples
    options: RuntimeOptions
    stage_run: StageRun
    group: ProcessGroup

    @cached_property
    def updates(self) -> Updates:
        """The updates of the run."""
        return Updates.of(self.recipe, self.examples.lengths, self.cell.seed.train)

    @property
    def data_processes(self) -> int:
        """Number of processes that take examples of their own. Those that share the tokens of an example count as one."""
        return self.options.groups(self.group.size)

    @property
    def origin(self) -> CheckpointSource:
        """The source of this run's checkpoints."""
        zero = self.options.zero if self.group.size > 1 else 0
        return CheckpointSource(addresses(self.cell)["train"].digest, zero, self.group.size)

    def plan(self, rows: int) -> MicroBatchPlan:
        """Return the steps of the updates, with `rows` examples at once.

        Packed, a row has room for `rows` examples of the greatest length.
        """
        lengths = self.examples.lengths
        batching: MicroBatching = (
            PackedBatching(lengths, rows * max(lengths)) if self.recipe.packing else PaddedBatching(rows)
        )
        return MicroBatchPlan(self.updates, batching, self.data_processes)


@dataclass(frozen=True)
class FitResult:
    """A model after its last update, with the log and the times of its training."""

    model: Any
    weights: dict[str, Any] | None
    """All weights by name, on process 0, where the model is split among processes; None elsewhere."""
    log: list[dict[str, Any]]
    """The trainer's log: a line for every update, and one at the end."""
    updates: int
    rows: int
    """Rows that went through the model at once."""
    halvings: int
    """Number of times that the rows did not fit in memory."""
    resumed_from: int
    """The update of the checkpoint from which this run went on; 0 for a new one."""
    began: float
    """The time of the monotonic clock when the updates began."""
    load_s: float
    """Seconds in which the base model was read."""
    first_s: float
    """Seconds of this run's first update."""
    spent_s: float
    """Seconds of training over all runs, up to their checkpoints."""
    this_run_s: float
    """Seconds of training of this run."""
    throughput: Throughput


def fit(training: TrainingRun, resume: Checkpoint | None) -> FitResult:
    """Train to the last update, from a checkpoint on where there is one.

    Where the rows do not fit in the device's memory, half of them are tried, from the last checkpoint on: the update stays the
    same. Several processes cannot agree on that once one of them has failed; then the error says what to ask for. Raises
    Interrupted, BadLoss, OutOfMemory and ConfigProblems.
    """
    rows, halvings = _first_rows(training), 0
    while (result := _try(training, rows, halvings, resume)) is None:
        fewer = training.recipe.fewer_rows(rows, training.data_processes)
        if fewer is None or training.group.size > 1:
            raise OutOfMemory(_out_of_memory(training, rows, fewer))
        _log.warning("out of memory with %d rows at once; going on with %d, at the same effective batch", rows, fewer)
        rows, halvings = fewer, halvings + 1
        resume = newest_checkpoint(training.stage_run.kept, training.stage_run.earlier, training.origin)
    return result


def _first_rows(training: TrainingRun) -> int:
    """Return the rows to try first. Raises ConfigProblems where the processes cannot share the batch, or GPUs lie idle."""
    options, processes = training.options, training.group.size
    problem = training.recipe.indivisible(options.micro_batch, processes, options.sequence_parallel)
    if torch.cuda.device_count() > 1 and processes == 1:
        # The trainer would wrap the model in DataParallel and multiply the batch by the devices that it sees.
        seen = torch.cuda.device_count()
        problem = f"{seen} GPUs are visible to one process; give each GPU a process, or set cluster.gpus_per_node=1"
    if problem:
        raise ConfigProblems([problem])
    shares_tokens = training.data_processes < processes
    return 1 if shares_tokens else training.recipe.rows(options.micro_batch, training.data_processes)


def _try(training: TrainingRun, rows: int, halvings: int, resume: Checkpoint | None) -> FitResult | None:
    """Train once. Return None when the rows do not fit; the memory that the failed training held is given back then."""
    try:
        return _train_once(training, rows, halvings, resume)
    except torch.OutOfMemoryError:
        pass
    finally:
        if training.group.rank == 0:
            remove_old_checkpoints(training.stage_run.kept)  # half a checkpoint may be what filled the disk
    # Not in the handler: there, the error's frames would still hold the model.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _train_once(training: TrainingRun, rows: int, halvings: int, resume: Checkpoint | None) -> FitResult:
    recipe, seed, run, group = training.recipe, training.cell.seed.train, training.stage_run, training.group
    set_seed(seed)
    plan = training.plan(rows)
    sharding = Sharding.of(training.options, group)
    checkpoints = CheckpointCallback(
        run, group, training.options.checkpoint_s, resume.spent_s if resume else 0.0, sharding, training.origin
    )
    # Before the model: at ZeRO's stage 3 the weights are split as they are loaded.
    arguments = sft_config(recipe, seed, run.kept, plan, sharding, training.options.activations)
    load_began = time.monotonic()
    keeps_base = training.options.keeps_base and group.size == 1
    model = BaseModelCache.here().fresh(training.cell.model, keeps_base, frozen=recipe.lora is not None)
    load_s = time.monotonic() - load_began
    trainer = Trainer(
        plan,
        group,
        sharding,
        model=model,
        args=arguments,
        data_collator=DataCollatorForLanguageModeling(
            training.tokenizer.pad_token_id, padding_free=recipe.packing, pad_to_multiple_of=sharding.degree
        ),
        train_dataset=_dataset(training),
        processing_class=training.tokenizer,
        peft_config=recipe.lora and lora_config(recipe.lora),
        callbacks=[TrainingGuard(recipe, len(training.tokenizer)), checkpoints],
    )
    trainer.remove_callback(PrinterCallback)
    if group.rank:
        set_seed(seed + group.rank)  # each process drops out other units
    with restored_attention(sharding.degree):
        trainer.train(resume_from_checkpoint=str(resume.folder) if resume else None)
    if trainer.state.global_step < trainer.state.max_steps:  # the callback stopped it, at a request that ends this run
        run.halt.check()
    spent_s, resumed_from = checkpoints.spent_s, resume.update if resume else 0
    this_run_s = spent_s - checkpoints.before_s
    return FitResult(
        model=trainer.model,
        weights=whole_weights(trainer) if sharding.stage else None,
        log=trainer.state.log_history,
        updates=trainer.state.global_step,
        rows=rows,
        halvings=halvings,
        resumed_from=resumed_from,
        began=checkpoints.began,
        load_s=load_s,
        first_s=checkpoints.first_s,
        spent_s=spent_s,
        this_run_s=this_run_s,
        throughput=_throughput(training, plan, trainer.model, resumed_from, this_run_s),
    )


def _throughput(
    training: TrainingRun, plan: MicroBatchPlan, model: Any, first_update: int, seconds: float
) -> Throughput:
    useful_tokens, tokens = plan.count_tokens(training.examples.lengths, first_update)
    return Throughput(useful_tokens, tokens, seconds, count_parameters(model), training.group.size)


def _dataset(training: TrainingRun) -> Dataset:
    """Return the examples, and behind them the filler for a micro-batch that has none."""
    ids, labels = training.examples.input_ids, training.examples.labels
    if training.group.size > 1 or training.recipe.packing:
        filler = [training.tokenizer.eos_token_id] * 2
        ids, labels = [*ids, filler], [*labels, [IGNORED_LABEL] * 2]
    return Dataset.from_dict({"input_ids": ids, "labels": labels})


def _out_of_memory(training: TrainingRun, rows: int, fewer: int | None) -> str:
    if fewer is not None:
        return f"out of memory with {rows} rows at once; set cluster.micro_batch={fewer}: the update stays the same"
    return (
        "out of memory with a single row of the batch; use a device with more memory, more processes, train.method=lora, "
        f"or a smaller train.block_tokens (given {training.recipe.block_tokens})"
    )
