"""From cells to job arrays and sbatch files: pure functions, compared with golden files in tests/golden."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ablation.config.cluster import Slurm
from ablation.config.read import read_execution
from ablation.errors import ConfigProblems
from ablation.jobs.submit.arrays import Array, ArrayFiles, array_files, pieces, sbatch_text
from ablation.jobs.submit.resource_groups import CellGroup, PartResources, group_by_resources
from ablation.specs.cell import Cell
from tests.conftest import ROOT

CellOf = Callable[..., Cell]
Composed = Callable[..., dict[str, Any]]
GOLDEN = ROOT / "tests/golden"
SITE: dict[str, Any] = {
    "kind": "slurm", "partition": "gpu", "account": "lab", "constraint": "h100&nvlink", "gpus_per_node": 4,
    "cpus_per_task": 8, "mem_gb": 64, "timeout_min": 30, "array_parallelism": 2, "setup": ["module load cuda"],
    "python": "/bin/python",
}  # fmt: skip


def slurm_of(**values: Any) -> Slurm:
    return Slurm.model_validate_json(json.dumps({**SITE, **values}))


@pytest.fixture
def cells(cell_of: CellOf) -> list[Cell]:
    return [cell_of(f"count={count}") for count in ("n0", "n25", "n100", "n50")]


def untrained(cell: Cell) -> bool:
    del cell
    return False


def names(group: CellGroup) -> list[list[int]]:
    return [[cell.count.size for cell in task] for task in group.tasks]


def test_cells_with_equal_resources_share_an_array_the_cheapest_first(cells: list[Cell]) -> None:
    [one] = group_by_resources(cells, slurm_of(), untrained)
    assert names(one) == [[0], [100], [50], [25]]
    assert one.parts == (PartResources("cell", slurm_of().resources_for("cell", "any")),)


def test_split_parts_follow_each_other_and_what_is_trained_has_no_training(cells: list[Cell]) -> None:
    cluster = slurm_of(split=True, resources=[{"stage": "evaluate", "gpus_per_node": 1}])
    found = group_by_resources(cells, cluster, lambda cell: cell.count.size == 25)
    assert [[part.stage for part in group.parts] for group in found] == [["evaluate"], ["train", "evaluate"]]
    assert [names(group) for group in found] == [[[0], [25]], [[50], [100]]]
    assert [part.resources.gpus_per_node for part in found[1].parts] == [4, 1]


def test_packed_cells_share_tasks(cells: list[Cell]) -> None:
    [one] = group_by_resources(cells, slurm_of(cells_per_job=3), untrained)
    assert names(one) == [[0], [100, 50, 25]]


def test_later_rules_win_and_fit_by_stage_and_model() -> None:
    rules = [
        {"mem_gb": 1, "timeout_min": 5},
        {"model": "*32b*", "mem_gb": 2},
        {"stage": "train", "mem_gb": 3},
        {"stage": "train", "mem_gb": None},
    ]
    cluster = slurm_of(resources=rules)
    assert cluster.resources_for("evaluate", "qwen-32b-it").mem_gb == 2
    assert cluster.resources_for("evaluate", "qwen-7b").mem_gb == 1
    assert cluster.resources_for("train", "qwen-7b").mem_gb is None
    assert cluster.resources_for("train", "qwen-7b").timeout_min == 5
    assert Slurm.model_validate_json(cluster.model_dump_json()) == cluster, "a record brings back the same rules"


def test_an_unknown_key_of_a_rule_is_told_with_what_is_allowed(composed: Composed) -> None:
    content = composed("cluster=slurm", "cluster.resources=[{stage: train, gpu_per_node: 8}]")
    with pytest.raises(ConfigProblems, match=r"resources.0.gpu_per_node: unknown key; .*did you mean 'gpus_per_node'"):
        read_execution(content)
    content = composed("cluster=slurm", "cluster.resources=[{stage: sample}]")
    with pytest.raises(ConfigProblems, match=r"resources.0.stage: given 'sample'; allowed: cell, train, evaluate"):
        read_execution(content)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 60), st.booleans(), st.booleans())
def test_pieces_hold_each_task_once_and_never_more_than_fit(
    count: int, largest: int, room: int, canary: bool, split: bool
) -> None:
    resources = slurm_of().resources_for("cell", "any")
    stages = ("train", "evaluate") if split else ("cell",)
    tasks = tuple((_Named(f"cell{index}"),) for index in range(count))
    group = CellGroup(tuple(PartResources(stage, resources) for stage in stages), tasks)  # type: ignore[arg-type]
    found = list(pieces(group, Path("study"), 0, canary, largest, room))
    arrays = [array for piece in found for array in piece.arrays]
    told = [cells for piece in found for cells in piece.arrays[0].cells]
    assert told == [(cell.name,) for (cell,) in tasks[: len(told)]]
    assert sum(len(array.tasks) for array in arrays) <= room
    assert len(told) == count or room - sum(piece.tasks for piece in found) < len(stages)
    assert all(len(array.tasks) <= largest for array in arrays)
    assert len({array.name for array in arrays}) == len(arrays)
    if canary and count > 1 and found:
        assert found[0].tasks == len(stages)
        assert {array.gate for piece in found[1:] for array in piece.arrays[:1]} <= {found[0].arrays[-1].name}
    else:
        assert not any(array.gate for array in arrays)


class _Named:
    """As much of a cell as cutting looks at."""

    def __init__(self, name: str) -> None:
        self.name = name


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}, {}),
    "gated": ({}, {}, {"gate": "canary"}),
    "evaluate": ({"split": True}, {}, {"stage": "evaluate", "after": "train"}),
    "multi-node": ({}, {"nodes": 2, "tasks_per_node": 4, "exclude": "bad[1-2]"}, {"stage": "train"}),
    "prefix": ({"prefix": ["apptainer", "exec", "--bind", "/a b", "it's $HOME.sif"], "hub_offline": False}, {}, {}),
    "short": ({"timeout_min": 1, "cells_per_job": 2, "setup": []}, {}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sbatch_file_is_a_function_of_its_values(case: str) -> None:
    site, asked, waits = CASES[case]
    cluster = slurm_of(**site)
    resources = cluster.resources_for("cell", "any").model_copy(update=asked)
    told: dict[str, Any] = {"stage": "cell", **waits}
    array = Array("ablation-cnls-1", resources=resources, tasks=((), (), ()), **told)
    here = Path("/a b")
    files = ArrayFiles(here / "jobs" / "n.tasks.json", here / "logs", here / "code")
    text = sbatch_text(array, cluster, files, {"canary": "17", "train": "12"})
    assert text == (GOLDEN / f"{case}.sbatch").read_text()


@pytest.mark.parametrize("folder", ["100%j", "a\\b", "a\nb", "a\x1bb"])
def test_a_path_that_slurm_would_read_otherwise_is_refused(folder: str) -> None:
    with pytest.raises(ConfigProblems, match="outputs: "):
        array_files(Path("/outputs") / folder / "cnls", "name", Path("/code"))


HOSTILE = (
    "a\nb", "a;b", "$(touch x)", "`x`", "'", '"', "a#b", "#SBATCH --uid=0", "a\0b", "x" * 10_240, "%j", "${HOME}", "a b", "",
    "-x", "\ta",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["partition", "account", "qos", "constraint", "exclude"])
def test_what_a_shell_could_read_is_refused_by_the_name_of_its_field(composed: Composed, field: str, text: str) -> None:
    content = composed("cluster=slurm")
    content["cluster"][field] = text
    with pytest.raises(ConfigProblems, match=f"cluster.{field}: "):
        read_execution(content)
    content["cluster"] |= {field: None, "resources": [{"stage": "train", field: text}]}
    with pytest.raises(ConfigProblems, match=f"cluster.resources.0.{field}: "):
        read_execution(content)


@given(st.text(max_size=40))
def test_a_word_before_python_arrives_as_it_was_given_or_is_refused(word: str) -> None:
    try:
        cluster = slurm_of(prefix=["run", word], setup=[])
    except ValidationError:
        assert not word or not word.isprintable() or any(ord(sign) < 32 or ord(sign) == 127 for sign in word)
        return
    lines = _plain_text(cluster).rstrip("\n").split("\n")
    assert shlex.split(lines[-1])[-7:-4] == ["run", word, "/bin/python"]
    assert lines[:-1] == _plain_text(slurm_of(prefix=[], setup=[])).rstrip("\n").split("\n")[:-1]


@given(st.text(max_size=40))
def test_a_line_of_the_site_stays_one_line_and_no_directive(line: str) -> None:
    try:
        cluster = slurm_of(setup=[line])
    except ValidationError:
        return
    lines = _plain_text(cluster).split("\n")
    assert lines.count(line) == 1 and not line.startswith("#")
    assert len(lines) == len(_plain_text(slurm_of(setup=["true"])).split("\n"))


def _plain_text(cluster: Slurm) -> str:
    array = Array("ablation-cnls-1", "cell", cluster.resources_for("cell", "any"), ((),))
    return sbatch_text(array, cluster, ArrayFiles(Path("/tasks.json"), Path("/logs"), Path("/code")), {})
