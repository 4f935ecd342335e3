"""A sweep composes the cells that Hydra itself would compose, at the price of its levels, and lists all problems at once."""

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from ablation.config.read import plain, read_cell
from ablation.config.sweep.cells import Sweep, expand_sweep
from ablation.config.sweep.compose import Compose, compose_points, overrides_of, unresolved_content
from ablation.config.sweep.design import Point
from ablation.errors import ConfigProblems
from ablation.study.cell_facts import released_models
from tests.conftest import ROOT


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()
    GlobalHydra.instance().clear()


def master(loader: ConfigLoader, arguments: Sequence[str]) -> DictConfig:
    return loader.load_configuration("config", list(arguments), run_mode=RunMode.MULTIRUN)


def stock(loader: ConfigLoader, whole: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """What Hydra itself composes for one job."""
    config = loader.load_sweep_config(whole, list(overrides))
    with open_dict(config):
        del config["hydra"]
    return plain(config)


def grid(loader: ConfigLoader, *arguments: str) -> Sweep:
    given = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
    return expand_sweep(master(loader, arguments), given, loader)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sweep=cnls",),
        ("sweep=cnls", "scale=paper"),
        ("sweep=budget", "category=algebra,geometry"),
        (
            "train=mini,mini_lora",
            "train.epochs=1,2",
            "count=n25,n50",
            "length=short,long",
            "corpus=mini,s1k",
            "seed=0,1",
        ),
        (
            "train=mini_lora",
            "train.lora.targets=[q_proj],[q_proj,v_proj]",
            "train.lora.rank=4,8",
            "seed=3",
            "seed.data=1,2",
        ),
        ("length=short,long", "length.band=0.2,0.3", "train.weight_decay=0,1e-3", "count.size=7,8"),
        ("length=matched_styles,normal", "style=r1,mixed"),
        ("style=mixed,r1,gemini", "length=normal,matched_styles"),
    ],
)
def test_merged_cells_equal_hydras_own_composition(loader: ConfigLoader, arguments: tuple[str, ...]) -> None:
    found = grid(loader, *arguments)
    for index in random.Random(0).sample(range(len(found.cells)), 4 if len(found.cells) > 4 else len(found.cells)):
        assert read_cell(stock(loader, master(loader, arguments), found.overrides[index])) == found.cells[index]


def compose_of(loader: ConfigLoader, composed: list[Sequence[str]]) -> Compose:
    whole = master(loader, [])

    def compose(overrides: Sequence[str]) -> dict[str, Any]:
        composed.append(overrides)
        return unresolved_content(loader.load_sweep_config(whole, list(overrides)))

    return compose


@pytest.mark.parametrize(
    "points",
    [
        [{"count": size, "count.size": number} for size in ("n25", "n50") for number in ("7", "8")],
        [{"scale": scale, "train": train} for scale in ("mini", "paper") for train in ("mini", "paper")],
        [{"train": "mini", "train.lora": "null"}, {"train": "mini_lora", "train.lora": "null"}],
        [{"train": "mini"}, {"train": "mini_lora"}, {"+train.extra": "1"}, {"train": "mini_lora", "+train.extra": "1"}],
        [
            {"sweep": "size", "train": "mini"},
            {"sweep": "cnls", "train": "mini", "sweep.name": "own"},
            {"sweep": "cnls", "sweep.name": "${scale.name}", "train.epochs": "2"},
            {"sweep": "cnls", "sweep.name": "${scale.name}", "train.epochs": "3"},
        ],
    ],
)
def test_levels_that_touch_the_same_leaf_are_composed_together(loader: ConfigLoader, points: list[Point]) -> None:
    whole = master(loader, [])
    assert compose_points(points, compose_of(loader, [])) == [
        stock(loader, whole, overrides_of(point)) for point in points
    ]


def test_a_grid_costs_compositions_of_its_levels_alone(loader: ConfigLoader) -> None:
    composed: list[Sequence[str]] = []
    points = [
        {"category": category, "style": style, "train.epochs": str(epochs), "seed": str(seed)}
        for category in ("algebra", "geometry", "calculus") for style in ("r1", "gemini")
        for epochs in range(3) for seed in range(5)
    ]  # fmt: skip
    assert len(compose_points(points, compose_of(loader, composed))) == 3 * 2 * 3 * 5
    assert len(composed) == 1 + 2 + 1


def test_the_grid_of_the_embedded_study(loader: ConfigLoader) -> None:
    found = grid(loader, "sweep=cnls")
    assert len(found.cells) == 49
    assert len({cell.key for cell in found.cells}) == 49
    assert {cell.train for cell in found.cells if not cell.is_base} == {found.cells[1].train}


def test_a_released_model_joins_a_sweep_as_a_cell_without_training(loader: ConfigLoader, tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "ablation/mini/data/base", tmp_path / "theirs")
    (folder / "notes.json").write_text("{}")  # another model, by its content
    point = f"{{count: n0, style: r1, model.name: s1-32B, model.source.path: {folder}}}"
    found = grid(loader, "sweep=smoke", f"+sweep.design.include=[{{reason: released, point: {point}}}]")
    assert [(cell.model.name, cell.count.size, cell.train is None) for cell in found.cells] == [
        ("mini", 25, False), ("mini", 25, False), ("s1-32B", 0, True),
    ]  # fmt: skip
    assert released_models(found.cells) == {found.cells[2].name}


def test_the_paper_grid_names_what_its_corpora_cannot_fill(loader: ConfigLoader) -> None:
    found = grid(loader, "sweep=cnls", "scale=paper")
    styles = {(cell.corpus.name, cell.style.name) for cell in found.cells if cell.corpus and cell.style}
    assert styles == {("openr1_math", "r1"), ("s1k", "r1"), ("s1k", "gemini")}
    paired = {(cell.corpus.name, cell.style.paired) for cell in found.cells if cell.corpus and cell.style}
    assert paired == {("openr1_math", ()), ("s1k", ("r1", "gemini"))}  # on the same questions where there are both
    assert {
        cell.category.name for cell in found.cells if cell.category and cell.corpus and cell.corpus.name == "s1k"
    } == {"all"}
    assert len(found.cells) + len(found.left_out) == 1 + 2 * 9 * 4 * 3 * 2
    assert all(out.reason for out in found.left_out)


def test_overrides_work_on_top_of_a_sweep(loader: ConfigLoader) -> None:
    found = grid(loader, "sweep=cnls", "count=n50,n100", "style=r1", "train.epochs=1")
    trained = [cell for cell in found.cells if not cell.is_base]
    assert {cell.count.size for cell in trained} == {50, 100}
    assert {(cell.style.name, cell.train.epochs) for cell in trained if cell.style and cell.train} == {("r1", 1)}
    assert len(trained) == 2 * 2 * 3


@pytest.mark.parametrize("argument", ["length.band=0.25", "category.balanced=false"])
def test_a_value_below_a_factor_keeps_all_its_levels(loader: ConfigLoader, argument: str) -> None:
    assert len(grid(loader, "sweep=cnls", argument).cells) == 49


def test_a_size_sweep_at_paper_is_not_bound_by_a_band(loader: ConfigLoader) -> None:
    cells = grid(loader, "sweep=size", "scale=paper").cells
    assert {cell.length.name for cell in cells if cell.length} == {"normal"}
    assert max(cell.count.size for cell in cells) == 20_000


def test_seeds_on_the_command_line(loader: ConfigLoader) -> None:
    found = grid(loader, "sweep=size", "count=n25", "seed=4,5", "seed.data=9")
    assert {(cell.seed.data, cell.seed.train) for cell in found.cells if not cell.is_base} == {(9, 4), (9, 5)}


def test_problems_of_all_levels_are_listed_at_once(loader: ConfigLoader) -> None:
    with pytest.raises(ConfigProblems) as refusal:
        grid(loader, "sweep=cnls", "count.size=-1,-2", "length.name=middle", "train.epochs=0")
    told = str(refusal.value)
    for part in ("given -1", "given -2", "'middle'", "train.epochs: given 0"):
        assert part in told


def test_what_a_design_sets_can_be_set_on_the_command_line(loader: ConfigLoader) -> None:
    cells = grid(loader, "sweep=cnls", "scale=paper", "corpus=s1k", "count=n100").cells
    assert {cell.corpus.name for cell in cells if cell.corpus} == {"s1k"}


def test_an_equal_budget_pairs_counts_with_epochs(loader: ConfigLoader) -> None:
    trained = [cell for cell in grid(loader, "sweep=budget").cells if cell.train]
    seen = [cell.train.examples_seen(cell.count.size) for cell in trained if cell.train]
    assert seen == [1000] * 6
    assert len({(cell.count.size, cell.seed) for cell in trained}) == 6


def test_an_endless_range_is_refused_at_once(loader: ConfigLoader) -> None:
    with pytest.raises(ConfigProblems, match="more than 20,000 levels"):
        grid(loader, "sweep=smoke", "seed=range(0,1000000000)")


@pytest.mark.parametrize("argument", ["outputs=a,b", "cluster.workers=1,2", "scale=mini,paper", "study=a,b"])
def test_what_cannot_change_a_number_cannot_be_swept(loader: ConfigLoader, argument: str) -> None:
    with pytest.raises(ConfigProblems, match="cannot be swept"):
        grid(loader, "sweep=smoke", argument)


def test_one_at_a_time_around_the_studys_baseline(loader: ConfigLoader) -> None:
    found = grid(loader, "sweep=paper", "scale=paper")
    assert found.cells[1].slug == "diverse-n1000-long-r1-s0"
    assert len(found.cells) == 1 + 1 + 7 + 3 + 2
