"""What a person types while a study is on a real Slurm."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm.test_real_slurm import ON_SLURM, a_running_slurm, launch, results, status, until

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]
__all__ = ["a_running_slurm"]


def ablation(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ablation.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def test_a_study_is_held_followed_released_cancelled_and_tried_again(tmp_path: Path) -> None:
    """The second cell waits for the first, its canary, and so is in the queue while it is held."""
    begun = launch(tmp_path, *ON_SLURM)
    assert begun.returncode == 0, begun.stderr
    held = json.loads(ablation(tmp_path, "hold", "smoke", "--json").stdout)["cells"]
    assert held
    last = held[-1]
    [first] = set(status(tmp_path)) - {last}
    until(lambda: status(tmp_path)[first]["state"] in ("running", "held", "done"))
    if first in held:
        ablation(tmp_path, "release", "smoke", f"cell={first}")
    followed = ablation(tmp_path, "logs", "smoke", first, "-f")
    assert followed.returncode == 0
    assert f"{first}: complete" in followed.stdout
    assert "\x1b" not in followed.stdout
    assert status(tmp_path)[first]["state"] == "done"
    assert status(tmp_path)[last]["state"] in ("held", "queued")

    only = ablation(tmp_path, "status", "smoke", "state=done")
    assert only.stdout.startswith("smoke: 1 cells: 1 done")
    assert ablation(tmp_path, "release", "smoke").returncode == 0
    cancelled = ablation(tmp_path, "cancel", "smoke", f"cell={last}", "--json")
    assert json.loads(cancelled.stdout)["cells"] == [last]
    until(lambda: status(tmp_path)[last]["state"] in ("failed", "lost"))
    failures = ablation(tmp_path, "failures", "smoke", "--json")
    assert failures.returncode == 1
    assert json.loads(failures.stdout)[0]["cells"] == [last]
    again = ablation(tmp_path, "retry", "smoke")
    assert "submitted again: 1 cells" in again.stdout, again.stdout + again.stderr
    assert results(tmp_path)
    assert ablation(tmp_path, "cancel", "smoke").stdout.startswith("cancelled: 0 cells")


def test_a_plan_knows_what_this_cluster_takes(tmp_path: Path) -> None:
    scripts = ablation(tmp_path, "plan", "sweep=smoke", *ON_SLURM, "--scripts")
    assert scripts.stdout.count("#!/bin/bash") == 2, scripts.stderr
    for text in scripts.stdout.split("# outputs/")[1:]:
        script = tmp_path / "one.sbatch"
        script.write_text(
            text[text.index("#!") :].replace("afterok:<", "afterok:").replace("--dependency", "--comment")
        )
        checked = ["sbatch", "--test-only", f"--chdir={tmp_path}", str(script)]
        assert subprocess.run(checked, capture_output=True, check=False).returncode == 0
    assert not (tmp_path / "outputs").exists()
    fit = ablation(tmp_path, "doctor", *ON_SLURM, "--json")
    assert fit.returncode == 0, fit.stdout
    unfit = ablation(tmp_path, "doctor", *ON_SLURM, "cluster.gpus_per_node=64", "cluster.partition=none", "--json")
    assert unfit.returncode == 1
