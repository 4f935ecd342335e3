"""TRL's trainer on this package's updates, and the callback that decides when to save and when to stop."""

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
    """SFTTrainer on the updates of `plan`. The base class would repeat examples where the processes' shares are uneven.

    Where processes share the tokens of examples, `sharding.degree` of them together are one process of the plan.
    """

    def __init__(
        self, plan: MicroBatchPlan, group: ProcessGroup, sharding: Sharding = NO_SHARDING, **options: Any
    ) -> None:
        self.plan, self.group, self.sharding, self.degree = plan, group, sharding, sharding.degree
        super().__init__(**options)
        if self.degree > 1:
            self.model_accepts_loss_kwargs = True  # have the targets of the update counted, over all slices
            keep_batches_whole(self.accelerator)  # `SlicingCollator` gives every process its slice

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this process's share of every update."""
        sampler = MicroBatchSampler(self.plan, self.group.rank // self.degree, lambda: self.state.global_step)
        collate: Any = self.data_collator
        if self.degree > 1:
            collate = SlicingCollator(collate, self.group.rank % self.degree, self.degree)
        return DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=collate)

    def get_sp_size(self) -> int:
        """Return 1: the base class counts steps and targets by it, and slices change neither."""
        return 1

    def compute_loss(self, model: Any, inputs: Any, *args: Any, num_items_in_batch: Any = None, **options: Any) -> Any:
        """Return the loss of a micro-batch, normalised by the targets of the whole update.

        Without slices that is the base class's. Of slices it would take the mean over micro-batches instead.
        """
        if self.degree == 1:
            return super().compute_loss(model, inputs, *args, num_items_in_batch=num_items_in_batch, **options)
        share = -model(**inputs, fused_lm_head=True).log_probs.sum() / num_items_in_batch
        # Undo two divisions: DeepSpeed's of the sum of gradients, and the base class's of the sum of losses, by another number.
        divisor = self.sharding.gradient_divisor(self.group.size)
        return share * divisor + (share * (self.group.size - divisor)).detach()

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: a checkpoint is not for publication."""


class CheckpointCallback(TrainerCallback):
    """A callback that has the trainer save every `checkpoint_s` seconds, and save and stop when any process is asked to stop."""

    def __init__(
        self,
        run: StageRun,
        group: ProcessGroup,
        checkpoint_s: float,
        spent_s: float,
        sharding: Sharding = NO_SHARDING,
        origin: CheckpointSource | None = None,
    ) -> None:
        """`spent_s` are the seconds of training up to the checkpoint from which this run goes on, 0 for a new one."""
        self.run, self.group, self.checkpoint_s, self.before_s = run, group, checkpoint_s, spent_s
        self.sharding, self.origin = sharding, origin
        self.began = self.saved = time.monotonic()
        self.first_s = 0.0
        """Seconds from `began` to the end of the first update of this run."""

    @property
    def spent_s(self) -> float:
        """Seconds of training up to now, those of earlier runs up to their checkpoint included."""
        return self.before_s + time.monotonic() - self.began

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock: loading is over."""
        self.began = self.saved = time.monotonic()

    def on_step_end(self, *arguments: Any, **_: Any) -> None:
        """Decide whether to save and to stop, the same in every process."""
        _, state, control = arguments
        self.first_s = self.first_s or time.monotonic() - self.began
        if state.global_step >= state.max_steps:  # nothing to save: the weights are published
            return
        is_due = time.monotonic() - self.saved >= self.checkpoint_s
        is_stopping, is_due = self.group.any(self.run.halt.reason is not None, is_due)
        if is_stopping:
            self.run.halt.request("another process of this cell was asked to")
            control.should_training_stop = True
        control.should_save = is_stopping or is_due

    def on_save(self, *arguments: Any, **_: Any) -> None:
        """Seal what all processes have written. From then on a run can go on from this checkpoint, without earlier ones."""
        args, state, _ = arguments
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self.group.barrier()
        if self.group.rank == 0:
            seal(folder, state.global_step, self.spent_s, self._files_of_ranks(state.global_step), self.origin)
            remove_old_checkpoints(self.run.kept)
            self.run.drop_earlier()
        self.saved = time.monotonic()

    def _files_of_ranks(self, update: int) -> list[str]:
        size = self.group.size
        states = [f"rng_state_{rank}.pth" for rank in range(size)] if size > 1 else []
        return states + self.sharding.files(update, size)
