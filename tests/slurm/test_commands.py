"""The commands of a person show and steer a study on a real Slurm as it is.

Walks through cli, jobs.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm.daemons import LIMIT_S, until
from tests.slurm.launched import ON_SLURM, Launched
from tests.slurm.test_real_slurm import TWO_CELLS

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]


def ablation(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ablation.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_study_is_held_followed_released_cancelled_and_tried_again(tmp_path: Path) -> None:
    """The second cell waits for the first, its canary, and so is in the queue while it is held."""
    study = Launched(tmp_path, "steered", TWO_CELLS, ON_SLURM)
    study.launch()
    held = json.loads(study.ablation("hold", "--json"))["cells"]
    assert held
    last = held[-1]
    [first] = set(study.status()) - {last}
    until(lambda: study.status()[first]["state"] in ("running", "held", "done"))
    if first in held:
        study.ablation("release", f"cell={first}")
    followed = study.ablation("logs", first, "-f")
    assert f"{first}: grade" in followed  # what is said after a cell is published may come after its end was seen
    assert "\x1b" not in followed
    assert study.status()[first]["state"] == "done"
    assert study.status()[last]["state"] in ("held", "queued")

    assert study.ablation("status", "state=done").startswith("steered: 1 cells: 1 done")
    study.ablation("release")
    assert json.loads(study.ablation("cancel", f"cell={last}", "--json"))["cells"] == [last]
    until(lambda: study.status()[last]["state"] in ("failed", "lost"))
    failures = json.loads(study.ablation("failures", "--json", code=1))
    assert failures[0]["cells"] == [last]
    assert "submitted again: 1 cells" in study.ablation("retry")
    assert study.watch()
    assert study.ablation("cancel").startswith("cancelled: 0 cells")


def test_a_plan_knows_what_this_cluster_takes(tmp_path: Path) -> None:
    scripts = ablation(tmp_path, "plan", "sweep=smoke", *ON_SLURM, "--scripts")
    assert scripts.stdout.count("#!/bin/bash") == 2, scripts.stderr
    for text in scripts.stdout.split("# outputs/")[1:]:
        script = tmp_path / "one.sbatch"
        script.write_text(text[text.index("#!") :].replace("--dependency", "--comment"))
        checked = ["sbatch", "--test-only", f"--chdir={tmp_path}", str(script)]
        assert subprocess.run(checked, capture_output=True, check=False).returncode == 0
    assert not (tmp_path / "outputs").exists()
    fit = ablation(tmp_path, "doctor", *ON_SLURM, "--json")
    assert fit.returncode == 0, fit.stdout
    unfit = ablation(tmp_path, "doctor", *ON_SLURM, "cluster.gpus_per_node=64", "cluster.partition=none", "--json")
    assert unfit.returncode == 1
