"""TRL's trainer with our updates, and what watches it: when to save and when to stop."""

import time
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader
from transformers import TrainerCallback

from ablation.libraries import keep_batches_whole
from ablation.store.stage_run import StageRun
from ablation.training.batches import MicroBatchPlan, MicroBatchSampler
from ablation.training.checkpoint import CheckpointSource, remove_old_checkpoints, seal
from ablation.training.distributed import ProcessGroup
from ablation.training.sequence_parallel import SlicingCollator
from ablation.training.trl_imports import SFTTrainer
from ablation.training.zero import NO_SHARDING, Sharding


class Trainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer on the given updates: the base class would repeat examples where the processes' shares are uneven.

    Where processes share the tokens of examples, each of their groups is a rank of `steps`.
    """

    def __init__(
        self, steps: MicroBatchPlan, world: ProcessGroup, sharding: Sharding = NO_SHARDING, **options: Any
    ) -> None:
        self.steps, self.world, self.sharding, self.degree = steps, world, sharding, sharding.degree
        super().__init__(**options)
        if self.degree > 1:
            self.model_accepts_loss_kwargs = True  # have the targets of the update counted, over all slices
            keep_batches_whole(self.accelerator)  # `SlicingCollator` gives every process its slice

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This process's share of every update."""
        share = MicroBatchSampler(self.steps, self.world.rank // self.degree, lambda: self.state.global_step)
        collate: Any = self.data_collator
        if self.degree > 1:
            collate = SlicingCollator(collate, self.world.rank % self.degree, self.degree)
        return DataLoader(self.train_dataset, batch_sampler=share, collate_fn=collate)

    def get_sp_size(self) -> int:
        """As the base class counts steps and targets, slices are none of its business."""
        return 1

    def compute_loss(self, model: Any, inputs: Any, *given: Any, num_items_in_batch: Any = None, **options: Any) -> Any:
        """The base class's, normalised by the update's targets; of slices it would take the mean over micro-batches."""
        if self.degree == 1:
            return super().compute_loss(model, inputs, *given, num_items_in_batch=num_items_in_batch, **options)
        share = -model(**inputs, fused_lm_head=True).log_probs.sum() / num_items_in_batch
        # Both undone: DeepSpeed divides the sum of gradients by one number, the base class that of losses by another.
        divisor = self.sharding.gradient_divisor(self.world.size)
        return share * divisor + (share * (self.world.size - divisor)).detach()

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """A checkpoint is not for publication."""


class CheckpointCallback(TrainerCallback):
    """Has the trainer save every `checkpoint_s` seconds, and save and stop when a process of the world was asked to stop.

    `spent_s` counts the seconds of training, those of earlier attempts up to their checkpoint included, `first_s` those from
    `began` to the end of this attempt's first update.
    """

    def __init__(
        self,
        stage_run: StageRun,
        world: ProcessGroup,
        checkpoint_s: float,
        spent_s: float,
        sharding: Sharding = NO_SHARDING,
        origin: CheckpointSource | None = None,
    ) -> None:
        self.stage_run, self.world, self.checkpoint_s, self.before_s = stage_run, world, checkpoint_s, spent_s
        self.sharding, self.origin = sharding, origin
        self.began = self.saved = time.monotonic()
        self.first_s = 0.0

    @property
    def spent_s(self) -> float:
        """Seconds of training up to now."""
        return self.before_s + time.monotonic() - self.began

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Loading is over."""
        del args, state, control
        self.began = self.saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Decide, the same in every process. After the last update there is nothing to save: the weights are published."""
        del args
        self.first_s = self.first_s or time.monotonic() - self.began
        if state.global_step >= state.max_steps:
            return
        due = time.monotonic() - self.saved >= self.checkpoint_s
        stop, due = self.world.any(self.stage_run.halt.reason is not None, due)
        if stop:
            self.stage_run.halt.request("another process of this cell was asked to")
            control.should_training_stop = True
        control.should_save = stop or due

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Seal what all processes have written; from then on it is enough to go on from."""
        del control
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self.world.barrier()
        if self.world.rank == 0:
            seal(folder, state.global_step, self.spent_s, self._of_ranks(state.global_step), self.origin)
            remove_old_checkpoints(self.stage_run.kept)
            self.stage_run.drop_earlier()
        self.saved = time.monotonic()

    def _of_ranks(self, update: int) -> list[str]:
        size = self.world.size
        states = [f"rng_state_{rank}.pth" for rank in range(size)] if size > 1 else []
        return states + self.sharding.files(update, size)
