"""A training run that leads nowhere is ended, and a recipe that cannot be carried out is refused before it begins."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablation.config.cluster import RuntimeOptions
from ablation.errors import ExplodedLoss, NanLoss, NoGradient, StillWeights
from ablation.specs import Train
from ablation.specs.cell import Cell
from ablation.training.recipe_checks import model_problems, process_problems
from ablation.training.training_guard import TrainingGuard

CellOf = Callable[..., Cell]


@pytest.fixture
def recipe(cell_of: CellOf) -> Train:
    found = cell_of("count.size=8").train
    assert found
    return found


def shown(guard: TrainingGuard, *updates: tuple[float, float]) -> None:
    for number, (loss, gradient) in enumerate(updates, start=1):
        guard.on_log(None, SimpleNamespace(global_step=number), None, logs={"loss": loss, "grad_norm": gradient})


def test_a_loss_or_gradient_that_is_no_number_ends_the_run_at_once(recipe: Train) -> None:
    for wrong in ((float("nan"), 1.0), (2.0, float("inf"))):
        with pytest.raises(NanLoss, match=r"update 2: .* Lower train.learning_rate \(given 0.002\)"):
            shown(TrainingGuard(recipe, 100), (2.0, 1.0), wrong)


def test_a_loss_that_no_model_can_have_ends_the_run_when_it_stays(recipe: Train) -> None:
    high = (9.3, 1.0)  # 2 ln 100 is 9.21
    shown(TrainingGuard(recipe, 100), high, high, (9.2, 1.0), high, high)
    with pytest.raises(ExplodedLoss, match=r"update 4: the loss is 9.3, .* \(9.21\)"):
        shown(TrainingGuard(recipe, 100), (4.0, 1.0), high, high, high)


def test_weights_that_nothing_reaches_end_the_run(recipe: Train) -> None:
    shown(TrainingGuard(recipe, 100), (4.0, 0.0), (4.0, 0.0), (4.0, 0.1), (4.0, 0.0))
    with pytest.raises(NoGradient, match="update 3: no gradient"):
        shown(TrainingGuard(recipe, 100), *[(4.0, 0.0)] * 3)


def test_a_run_that_goes_on_is_not_asked_whether_its_weights_move(recipe: Train) -> None:
    """The last steps of a schedule are meant to be small; weights that stand still from the first update on are not."""
    model = torch.nn.Linear(2, 2)
    for before, ends in ((7, False), (0, True)):
        guard = TrainingGuard(recipe, 100)
        guard.on_train_begin(None, SimpleNamespace(global_step=before), None, model=model)
        with pytest.raises(StillWeights) if ends else nullcontext():
            for update in range(1, 6):
                guard.on_step_end(None, SimpleNamespace(global_step=before + update), None, model=model)


def test_what_the_trainer_says_at_the_end_is_no_update(recipe: Train) -> None:
    TrainingGuard(recipe, 100).on_log(None, SimpleNamespace(global_step=9), None, logs={"train_loss": float("nan")})


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.block_tokens=4096", r"train.block_tokens: given 4096; allowed: up to the \d+ positions of model mini"),
        ("train.lora.targets=[q_proj,qq_proj]", r"given \['qq_proj'\], which match nothing .* it has .*down_proj"),
        ("train.lora.targets='.*nothing.*'", "which match nothing"),
    ],
)
def test_a_recipe_that_its_model_cannot_follow_is_refused(cell_of: CellOf, override: str, said: str) -> None:
    cell = cell_of("count.size=8", "train=mini_lora", override)
    assert cell.train
    [problem] = model_problems(cell.model, cell.train)
    assert re.search(said, problem)


@pytest.mark.parametrize(
    ("options", "processes", "override", "said"),
    [
        (
            {"sequence_parallel": 4, "zero": 3},
            6,
            "",
            r"given 6 processes .* allowed: 4 \(.*\) times .*: \[4, 8, 16, 32\]",
        ),
        ({"sequence_parallel": 2}, 4, "", "cluster.sequence_parallel: given 2 with cluster.zero=0"),
        ({"sequence_parallel": 2, "zero": 2}, 4, "train.packing=true", "given 2 with train.packing=true: .*apart"),
        ({"sequence_parallel": 2, "zero": 2, "micro_batch": 2}, 4, "", "given 2; allowed with .*: 1 or null"),
        ({"offload": True}, 4, "", "cluster.offload: given true with cluster.zero=0"),
    ],
)
def test_means_that_cannot_carry_out_a_recipe_are_refused(
    cell_of: CellOf, options: dict[str, Any], processes: int, override: str, said: str
) -> None:
    cell = cell_of("count.size=8", *filter(None, [override]))
    assert cell.train
    [problem] = process_problems(cell.train, RuntimeOptions(**options), processes)
    assert re.search(said, problem)
    assert not list(process_problems(cell.train, RuntimeOptions(zero=3, offload=True), processes=4))


def test_heads_that_cannot_be_dealt_out_are_refused_with_the_numbers_that_can(cell_of: CellOf) -> None:
    cell = cell_of("count.size=8")
    assert cell.train
    [problem] = model_problems(cell.model, cell.train, degree=2)
    assert problem == "cluster.sequence_parallel: given 2; allowed: what divides the heads of model mini: [1, 3]"
    assert not list(model_problems(cell.model, cell.train, degree=3))


@pytest.mark.parametrize("targets", ["all-linear", "[q_proj,v_proj]", "'.*(gate|up)_proj'"])
def test_a_recipe_that_fits_is_not(cell_of: CellOf, targets: str) -> None:
    cell = cell_of("count.size=8", "train=mini_lora", f"train.lora.targets={targets}")
    assert cell.train
    assert not list(model_problems(cell.model, cell.train))
