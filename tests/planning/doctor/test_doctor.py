"""The doctor finds each thing that would end a study here, and tells no key.

Walks through planning, cli.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.cli.__main__ import main
from ablation.config.cluster import Resources
from ablation.planning.doctor import disk, software
from ablation.planning.doctor.cluster import Partition, check_partitions, read_partitions
from tests.conftest import ROOT

SECRET = "0123456789abcdef0123456789abcdef01234567"
HUB = ("model.source.path=null", "model.source.hub=org/name", "model.source.revision=main", "model.name=far")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "NO_COLOR": "1", **environment}
    called = [sys.executable, "-m", "ablation.cli", *arguments]
    return subprocess.run(called, cwd=ROOT, env=known, capture_output=True, text=True, check=False)


def test_this_machine_is_fit_and_no_key_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.setenv("HF_TOKEN", f"hf_{SECRET}")
    code = main(["doctor", f"outputs={tmp_path}/outputs", "--json"])
    told = capsys.readouterr()
    found = {one["name"]: one for one in json.loads(told.out)}
    assert code == 0, told.out
    assert found["W&B"]["found"] == "mode auto, key present"
    assert found["hub token"]["found"] == "present"
    assert SECRET not in told.out + told.err
    assert found["rename never replaces"]["found"] == "kept"
    assert list((tmp_path / "outputs").iterdir()) == []


def test_a_cluster_that_does_not_answer_is_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert main(["doctor", "cluster=slurm", f"outputs={tmp_path}"]) == 3
    assert "run this on a login node" in " ".join(capsys.readouterr().out.split())


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    [found] = disk.checks(tmp_path / "file" / "outputs")
    assert found.grade == "fail"
    assert "outputs=DIR" in found.fix


def test_packages_are_held_to_their_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["torch>=2.13", "numpy<1", "no-such-package>=3", 'pytest>=99; extra == "dev"']
    monkeypatch.setattr(software, "requires", lambda _: wanted)
    found = list(software.packages("ablation"))
    assert [one.grade for one in found] == ["fail", "fail"]
    assert found[1].found == "no-such-package is missing (>=3)"


def test_partitions_are_read_as_sinfo_writes_them() -> None:
    lines = ["main*|infinite|8|4|(null)", "gpu|2-12:30:00|64+|2|gpu:h100:8(S:0-1)", "gpu|2-12:30:00|32|6|gpu:4"]
    assert read_partitions("\n".join([*lines, "short|30:00|4|1|(null)", ""])) == [
        Partition("main", True, None, 8, 4, 0),
        Partition("gpu", False, 2 * 1440 + 12 * 60 + 30, 64, 8, 8),
        Partition("short", False, 30, 4, 1, 0),
    ]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (Resources(partition="gpu", timeout_min=61), "timeout_min 61 is above its limit of 60"),
        (Resources(partition="gpu", gpus_per_node=9), "9 GPUs a node are asked for, it has 8"),
        (Resources(partition="gpu", nodes=3), "3 nodes are asked for, it has 2"),
        (Resources(partition="gpu", tasks_per_node=2, cpus_per_task=40), "80 CPUs a node are asked for, it has 64"),
        (Resources(partition="none"), "not here; there are: gpu"),
        (Resources(), "none is given and the cluster has no default"),
    ],
)
def test_what_no_partition_has_is_said(asked: Resources, problem: str) -> None:
    [found] = check_partitions(asked, [Partition("gpu", False, 60, 64, 2, 8)])
    assert found.grade == "fail"
    assert problem in found.found


def test_prefetch_checks_local_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prefetch", "sweep=smoke", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["kind"] for one in told} == {"model", "corpus", "benchmark"}
    assert all(Path(one["path"]).exists() for one in told)


def test_prefetch_finds_what_is_cached_and_teaches_about_what_is_not(tmp_path: Path) -> None:
    """A cache as the hub's library lays it out; there is no hub in this test."""
    repository = tmp_path / "models--org--name"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    offline = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    told = command("prefetch", "sweep=smoke", *HUB, **offline)
    assert f"model org/name at main: {snapshot}" in told.stdout, told.stderr
    assert told.returncode == 0
    absent = command("prefetch", "sweep=smoke", *HUB, "model.source.hub=org/other", **offline)
    assert absent.returncode == 2
    assert "HF_HUB_OFFLINE must not be set" in absent.stderr
    assert "Traceback" not in absent.stderr
