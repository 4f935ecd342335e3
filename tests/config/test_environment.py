"""Processes that we start find their folders in the environment, and no keys."""

import os
from pathlib import Path

import pytest

from ablation.config.environment import JOBS, PYTHON, SLURM, inherited
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.sampling.vllm_process import EngineError, EngineSettings, VllmProcess
from ablation.jobs.run.local import _environment_of_workers
from ablation.store.interrupt import StopRequest

KEYS = (
    "WANDB_API_KEY", "HF_TOKEN", "HF_HUB_TOKEN", "VLLM_API_KEY", "CUDA_SECRET", "SLURM_JWT_TOKEN", "PYTHON_KEYRING_PASSWORD",
    "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY",
)  # fmt: skip
WANTED = (
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NCCL_DEBUG",
    "HF_HOME",
    "OMP_NUM_THREADS",
)


def test_no_key_is_among_what_a_child_sees_whatever_it_is_called() -> None:
    told = inherited({**dict.fromkeys(KEYS, "canary"), **dict.fromkeys(WANTED, "x"), "UNHEARD_OF": "x"}, PYTHON, SLURM)
    assert told == dict.fromkeys(WANTED, "x")
    assert not [name for name in JOBS if name in KEYS]


def test_the_cpus_that_slurm_bound_are_not_told_on() -> None:
    bound = {"SLURM_CPU_BIND": "x", "SLURM_JOB_ID": "7"}
    assert inherited(bound) == inherited(bound, PYTHON) == {}
    assert inherited(bound, SLURM) == bound


def test_workers_have_no_key_and_this_process_has_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "canary")
    before = dict(os.environ)
    with _environment_of_workers(3):
        assert "canary" not in os.environ.values()
        assert (os.environ["OMP_NUM_THREADS"], os.environ["HF_HUB_OFFLINE"]) == ("3", "1")
        assert os.environ["PATH"] == before["PATH"]
    assert dict(os.environ) == before


def test_a_grading_process_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary")
    monkeypatch.setenv("SLURM_CPU_BIND", "x")
    with MathVerify() as verifier:
        verifier.decide([("1", "2")])
        children = [
            child for thread in Path("/proc/self/task").glob("*/children") for child in thread.read_text().split()
        ]
        told = [Path(f"/proc/{child}/environ").read_bytes() for child in children]
    mine = [one for one in told if b"PATH=" in one]
    assert mine and not [one for one in mine if b"canary" in one or b"SLURM_CPU_BIND" in one]


def test_a_vllm_process_has_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program in the place of vLLM's interpreter writes down what it sees."""
    monkeypatch.setenv("HF_TOKEN", "canary")
    monkeypatch.setenv("VLLM_API_KEY", "canary")
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nenv >{tmp_path}/seen\n")
    program.chmod(0o755)
    with pytest.raises(EngineError):
        VllmProcess(str(program), EngineSettings({})).serve("model", StopRequest())
    seen = (tmp_path / "seen").read_text()
    assert "canary" not in seen and "PYTHONPATH" not in seen and "PATH=" in seen
