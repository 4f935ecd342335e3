"""Ends a run whose loss can no longer lead to a trained model, before more of the allocation is spent on it."""

import math
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from ablation.errors import ExplodedLoss, NanLoss, NoGradient
from ablation.science import Train

# So many updates in a row, since a single one may be an odd batch.
IN_A_ROW = 3


class Guard(TrainerCallback):
    """Looks at what the trainer logs of every update.

    A loss above twice that of guessing uniformly, ``ln(vocabulary)``, is one that no healthy model has: an untrained one has half
    of it. Raises NanLoss at once, ExplodedLoss and NoGradient after `IN_A_ROW` updates.
    """

    def __init__(self, recipe: Train, vocabulary: int) -> None:
        self.recipe, self.limit = recipe, 2 * math.log(vocabulary)
        self.above = self.without = 0

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
