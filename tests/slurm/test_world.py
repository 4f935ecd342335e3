"""Two nodes with two processes each train one cell together, on a real Slurm."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from ablation.records import LOSS_FILE, SUMMARY_FILE, VERDICTS_FILE, WEIGHTS_FOLDER
from tests.conftest import TINY
from tests.slurm.daemons import LIMIT_S
from tests.slurm.launched import Launched

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]
ONE_CELL = ("sweep=smoke", *TINY, "style=r1", "tracker=none")
WORLD = ("cluster=slurm", "cluster.nodes=2", "cluster.tasks_per_node=2", "cluster.cpus_per_task=4")


def test_a_world_of_two_nodes_makes_the_updates_of_one_process(
    tmp_path: Path, undisturbed: Callable[..., Launched]
) -> None:
    study = Launched(tmp_path, "world", ONE_CELL, WORLD)
    study.launch()
    study.watch()
    assert [one["processes"] for one in study.timings("train")] == [4]
    ours, alone = (published(one, "train") for one in (study, undisturbed(*ONE_CELL)))
    assert ours.name == alone.name
    for key in ("updates", "target_tokens"):
        assert json.loads((ours / SUMMARY_FILE).read_text())[key] == json.loads((alone / SUMMARY_FILE).read_text())[key]
    np.testing.assert_allclose(column(ours / LOSS_FILE, "loss"), column(alone / LOSS_FILE, "loss"), rtol=1e-3)
    weights, expected = (load_file(path / WEIGHTS_FOLDER / "model.safetensors") for path in (ours, alone))
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(weights[name], values, atol=2e-3, err_msg=name)
    verdicts = [
        np.array(column(published(one, "grade") / VERDICTS_FILE, "verdict")) for one in (study, undisturbed(*ONE_CELL))
    ]
    assert (verdicts[0] == verdicts[1]).mean() > 0.9


def published(study: Launched, stage: str) -> Path:
    """The folder of a stage of a study that has one cell."""
    [found] = [path for path in (study.outputs / "store" / stage).glob("*") if not path.name.startswith(".")]
    return found


def column(path: Path, name: str) -> list[Any]:
    """One value of each line."""
    return [json.loads(line)[name] for line in path.read_text().splitlines()]
