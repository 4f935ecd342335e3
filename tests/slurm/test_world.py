"""Two nodes with two processes each train one cell together, on a real Slurm, preempted or not.

Walks through jobs, training.
"""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from ablation.store.records import LOSS_FILE, SUMMARY_FILE, VERDICTS_FILE, WEIGHTS_FOLDER
from tests.conftest import TINY
from tests.slurm.caught import caught, has_checkpoints, has_heard
from tests.slurm.daemons import LIMIT_S, are_here, until
from tests.slurm.launched import Launched, signalled

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]
ONE_CELL = ("sweep=smoke", *TINY, "style=r1", "tracker=none")
LONGER = (*ONE_CELL, "train.epochs=6")
WORLD = ("cluster=slurm", "cluster.nodes=2", "cluster.tasks_per_node=2", "cluster.cpus_per_task=4")


def test_a_world_of_two_nodes_makes_the_updates_of_one_process(
    tmp_path: Path, undisturbed: Callable[..., Launched]
) -> None:
    study = Launched(tmp_path, "world", ONE_CELL, WORLD)
    study.launch()
    study.watch()
    assert_as_alone(study, undisturbed(*ONE_CELL))


@pytest.mark.slow
def test_a_world_that_is_preempted_in_training_goes_on_to_the_same_result(
    tmp_path: Path, undisturbed: Callable[..., Launched]
) -> None:
    if not are_here():
        pytest.skip("no sandbox runs here, and its partition `high` is needed; start one with tools/slurm-sandbox up")
    study = Launched(tmp_path, "preempted", LONGER, (*WORLD, "cluster.checkpoint_s=0"))
    study.launch()
    [chief] = caught(study, ("train", has_checkpoints(1)))
    [nodes] = [task.node for task in study.queue()]
    urgent = ["--partition=high", f"--nodelist={nodes}", "--nodes=2", "--ntasks=2", "--cpus-per-task=8"]
    subprocess.run(["sbatch", *urgent, "--output=/dev/null", "--wrap=true"], check=True, capture_output=True)
    until(lambda: has_heard(chief.worker, signal.SIGUSR2))
    signalled(chief.worker, signal.SIGCONT)
    study.wait_until({"done": 1})
    study.watch()
    assert [event["error"] for event in study.events() if event["kind"] == "interrupted"] == ["stopped by SIGUSR2"]
    [timing] = study.timings("train")
    assert 0 < timing["went_on_from_update"] < 6
    assert_as_alone(study, undisturbed(*LONGER))


def assert_as_alone(study: Launched, other: Launched) -> None:
    """The study's one cell, trained by four processes, is the other's, trained by one, but for rounding."""
    assert [timing["processes"] for timing in study.timings("train")] == [4]
    ours, alone = (published(launched, "train") for launched in (study, other))
    assert ours.name == alone.name
    for key in ("updates", "target_tokens"):
        assert json.loads((ours / SUMMARY_FILE).read_text())[key] == json.loads((alone / SUMMARY_FILE).read_text())[key]
    np.testing.assert_allclose(column(ours / LOSS_FILE, "loss"), column(alone / LOSS_FILE, "loss"), rtol=1e-3)
    weights, expected = (load_file(path / WEIGHTS_FOLDER / "model.safetensors") for path in (ours, alone))
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(weights[name], values, atol=2e-3, err_msg=name)
    verdicts = [
        np.array(column(published(launched, "grade") / VERDICTS_FILE, "verdict")) for launched in (study, other)
    ]
    assert (verdicts[0] == verdicts[1]).mean() > 0.9


def published(study: Launched, stage: str) -> Path:
    """The folder of a stage of a study that has one cell."""
    [folder] = [path for path in (study.outputs / "store" / stage).glob("*") if not path.name.startswith(".")]
    return folder


def column(path: Path, name: str) -> list[Any]:
    """One value of each line."""
    return [json.loads(line)[name] for line in path.read_text().splitlines()]
