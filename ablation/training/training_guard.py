"""A guard that ends a run whose loss can no longer lead to a trained model, before it costs more of the allocation."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback

from ablation.errors import ExplodedLoss, NanLoss, NoGradient, StillWeights
from ablation.specs import Train

# A single update may be an odd batch; this many in a row are not.
IN_A_ROW = 3
# Elements of each tensor that are compared: enough to see an update, little beside the weights.
COMPARED_ELEMENTS = 1024


class TrainingGuard(TrainerCallback):
    """A callback that checks each update by what the trainer logs, and raises when the training is lost.

    - NanLoss: at once, when the loss or the gradient norm is not a finite number.
    - ExplodedLoss: after `IN_A_ROW` updates with a loss above twice that of guessing uniformly, ``ln(vocabulary)``. No healthy
      model has such a loss: an untrained one has half of it.
    - NoGradient: after `IN_A_ROW` updates with a gradient of 0.
    - StillWeights: when more updates than that, with a learning rate, have changed no float32 weight. Then the loss cannot move
      either. A loss that merely falls slowly is a healthy model's.
    """

    def __init__(self, recipe: Train, vocabulary: int) -> None:
        self.recipe, self.limit = recipe, 2 * math.log(vocabulary)
        self.exploded_updates = self.updates_without_gradient = self.updates_compared = 0
        self.first_weights: list[torch.Tensor] = []

    def on_train_begin(self, *arguments: Any, model: Any = None, **_: Any) -> None:
        """Remember the beginning of each tensor that is trained. DeepSpeed's split tensors are empty, and left out.

        A run that goes on from a checkpoint remembers none: small steps are meant at the end of a schedule, and the place where a
        run was stopped must not decide how it ends.
        """
        _, state, _ = arguments
        self.first_weights = [] if state.global_step else [weights.clone() for weights in _beginnings(model)]

    def on_step_end(self, *arguments: Any, model: Any = None, **_: Any) -> None:
        """Check once whether the weights move. The first update of a warm-up has learning rate 0, so one more is waited for."""
        _, state, _ = arguments
        if not self.first_weights:
            return
        self.updates_compared += 1
        if self.updates_compared <= IN_A_ROW:
            return
        is_still = all(torch.equal(*pair) for pair in zip(self.first_weights, _beginnings(model), strict=True))
        self.first_weights = []
        if is_still:
            raise StillWeights(
                f"update {state.global_step}: no weight has changed in {self.updates_compared} updates, so the loss cannot move; "
                f"train.learning_rate (given {self.recipe.learning_rate}) is too small for them: raise it"
            )

    def on_log(self, *arguments: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        """Check the loss and the gradient of one update. The line at the end of a run has no loss of an update."""
        _, state, _ = arguments
        if not logs or "loss" not in logs:
            return
        loss, gradient = logs["loss"], logs.get("grad_norm", math.nan)
        self._refuse_nan(state.global_step, loss, gradient)
        self.exploded_updates = self.exploded_updates + 1 if loss > self.limit else 0
        self.updates_without_gradient = self.updates_without_gradient + 1 if gradient == 0 else 0
        if self.exploded_updates == IN_A_ROW:
            raise ExplodedLoss(
                f"update {state.global_step}: the loss is {loss:.3g}, for {IN_A_ROW} updates above twice that of guessing "
                f"({self.limit:.3g}); {self._advice()}"
            )
        if self.updates_without_gradient == IN_A_ROW:
            raise NoGradient(
                f"update {state.global_step}: no gradient has reached a weight for {IN_A_ROW} updates; look at "
                "train.lora.targets and at what of the examples carries loss (`ablation audit`)"
            )

    def _refuse_nan(self, update: int, loss: float, gradient: float) -> None:
        values = {"loss": loss, "grad_norm": gradient}
        faults = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if faults:
            raise NanLoss(
                f"update {update}: the {' and the '.join(faults)}, and every later one would be; trying again gives the same. "
                + self._advice()
            )

    def _advice(self) -> str:
        advice = f"Lower train.learning_rate (given {self.recipe.learning_rate}) or train.max_grad_norm"
        return advice + (", or set train.precision=float32" if self.recipe.precision != "float32" else "")


def _beginnings(model: Any) -> list[torch.Tensor]:
    """Return views of the first elements of each float32 tensor that is trained.

    A narrower tensor is left out: an update may round away in it.
    """
    trained = [
        parameter.detach().flatten()
        for parameter in model.parameters()
        if parameter.requires_grad and parameter.dtype == torch.float32
    ]
    return [weights[:COMPARED_ELEMENTS] for weights in trained if weights.numel()]
