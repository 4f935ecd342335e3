"""Ends a run whose loss can no longer lead to a trained model, before more of the allocation is spent on it."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback

from ablation.errors import ExplodedLoss, NanLoss, NoGradient, StillWeights
from ablation.specs import Train

# So many updates in a row, since a single one may be an odd batch.
IN_A_ROW = 3
# Elements of each tensor that are looked at: enough to see an update, little beside the weights.
LOOKED_AT = 1024


class TrainingGuard(TrainerCallback):
    """Looks at what the trainer logs of every update.

    A loss above twice that of guessing uniformly, ``ln(vocabulary)``, is one that no healthy model has: an untrained one has half
    of it. Raises NanLoss at once, ExplodedLoss and NoGradient after `IN_A_ROW` updates, and StillWeights when so many with a
    learning rate have changed no float32 weight: a loss whose weights stand still does not move either, while one that merely
    falls slowly is a healthy model's.
    """

    def __init__(self, recipe: Train, vocabulary: int) -> None:
        self.recipe, self.limit = recipe, 2 * math.log(vocabulary)
        self.above = self.without = self.stepped = 0
        self.first: list[torch.Tensor] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Remember the beginning of each tensor that is trained; DeepSpeed's split ones are empty and tell nothing.

        Of a run that goes on nothing is remembered: at the end of a schedule small steps are meant, and where a run was stopped
        must not decide how it ends.
        """
        del args, control
        self.first = [] if state.global_step else [one.clone() for one in _beginnings(model)]

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Look once whether the weights move; the first update of a warm-up has learning rate 0 and is not counted."""
        del args, control
        if not self.first:
            return
        self.stepped += 1
        if self.stepped <= IN_A_ROW:
            return
        still = all(torch.equal(*pair) for pair in zip(self.first, _beginnings(model), strict=True))
        self.first = []
        if still:
            raise StillWeights(
                f"update {state.global_step}: no weight has changed in {self.stepped} updates, so the loss cannot move; "
                f"train.learning_rate (given {self.recipe.learning_rate}) is too small for them: raise it"
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        """Look at one update; what the trainer says at the end of a run has no loss of an update."""
        del args, control
        if not logs or "loss" not in logs:
            return
        loss, gradient = logs["loss"], logs.get("grad_norm", math.nan)
        self._is_number(state.global_step, loss, gradient)
        self.above = self.above + 1 if loss > self.limit else 0
        self.without = self.without + 1 if gradient == 0 else 0
        if self.above == IN_A_ROW:
            raise ExplodedLoss(
                f"update {state.global_step}: the loss is {loss:.3g}, for {IN_A_ROW} updates above twice that of guessing "
                f"({self.limit:.3g}); {self._advice()}"
            )
        if self.without == IN_A_ROW:
            raise NoGradient(
                f"update {state.global_step}: no gradient has reached a weight for {IN_A_ROW} updates; look at "
                "train.lora.targets and at what of the examples carries loss (`ablation audit`)"
            )

    def _is_number(self, update: int, loss: float, gradient: float) -> None:
        values = {"loss": loss, "grad_norm": gradient}
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise NanLoss(
                f"update {update}: the {' and the '.join(wrong)}, and every later one would be; trying again gives the same. "
                + self._advice()
            )

    def _advice(self) -> str:
        told = f"Lower train.learning_rate (given {self.recipe.learning_rate}) or train.max_grad_norm"
        return told + (", or set train.precision=float32" if self.recipe.precision != "float32" else "")


def _beginnings(model: Any) -> list[torch.Tensor]:
    """Views of the first elements of each float32 tensor that is trained."""
    trained = [one.detach().flatten() for one in model.parameters() if one.requires_grad and one.dtype == torch.float32]
    return [one[:LOOKED_AT] for one in trained if one.numel()]
