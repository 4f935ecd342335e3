"""Commands start at once: no heavy library is imported before there is work for it.

Walks through all rooms, by importing them.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.config.cluster import RuntimeOptions
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import Provenance, write_job
from ablation.specs.cell import Cell
from tests.conftest import ROOT, TINY

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
UNUSED = ("vllm", "deepspeed", "wandb", "sklearn")


@pytest.mark.parametrize(
    "module",
    [
        "ablation.cli.entry",
        "ablation.config.sweep.cells",
        "ablation.config.overrides",
        "ablation.cli",
        "ablation.store.store",
        "ablation.jobs.run.pipeline",
    ],
)
def test_a_light_module_imports_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_no_stage_imports_an_engine_a_tracker_or_deepspeed_that_its_cell_has_no_use_for(
    cell_of: Callable[..., Cell], tiny_benchmark: list[str], tmp_path: Path
) -> None:
    """All stages of a trained cell, as a worker runs them."""
    cell = cell_of(*TINY, "train=mini_lora", *tiny_benchmark)
    frozen = write_job(
        Job(cell, cell.name, tmp_path / "store", tmp_path / "log", 1, RuntimeOptions()), tmp_path, Provenance.here()
    )
    program = f"""
import sys
from pathlib import Path
from ablation.jobs.run.job_file import read_job
from ablation.jobs.run.job import quiet_libraries, run_job
quiet_libraries()
print(run_job(read_job(Path({str(frozen)!r}))[0]).error, [name for name in {UNUSED} if name in sys.modules])
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "None []"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--cfg", "job"], ["sweep=cnls", "--cfg", "job"], ["-sc", "install=bash"]]
)
def test_looking_costs_no_heavy_import(arguments: list[str]) -> None:
    process = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "launch.py"), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in process.stderr.splitlines()}
    assert not imported.intersection(HEAVY)
