"""What a user waits for at every start: nothing heavy may be imported before there is work for it."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "wandb",
    "vllm",
    "deepspeed",
    "matplotlib",
    "pandas",
    "scipy",
    "statsmodels",
)


@pytest.mark.parametrize(
    "module",
    [
        "ablation.entry",
        "ablation.expansion",
        "ablation.preflight",
        "ablation.cli",
        "ablation.store",
        "ablation.pipeline",
    ],
)
def test_a_light_module_imports_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--cfg", "job"], ["sweep=cnls", "--cfg", "job"], ["-sc", "install=bash"]]
)
def test_looking_costs_no_heavy_import(arguments: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "launch.py"), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in told.stderr.splitlines()}
    assert not imported.intersection(HEAVY)
