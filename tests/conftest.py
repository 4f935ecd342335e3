"""Small real things that many tests share: composed configurations, a corpus of a few rows, a store in a fresh folder.

Walks through specs, config, data, store, jobs.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hypothesis import settings

from ablation.config.read import plain, read_cell
from ablation.data.source import pinned_cell
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.store import Store

if TYPE_CHECKING:
    from tests.processes import Processes

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", WANDB_MODE="offline", HF_HUB_OFFLINE="1")

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("ablation", deadline=None)
settings.load_profile("ablation")

ROOT = Path(__file__).resolve().parent.parent
# Two questions that two attempts of a model in training can answer in a moment.
TINY = ("count.size=8", "train.epochs=1", "sample.n=2", "sample.max_tokens=24")

# Before a command that is to hear signals: a test run in the background may have them ignored, and children inherit that.
LISTENING = (shutil.which("env") or "env", "--default-signal=INT,HUP")

Composed = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _hydra_before_the_module() -> Iterator[None]:
    """Restore what a module's own fixtures leave in Hydra's singletons: they outlive the fixture of each test below."""
    state = copy.deepcopy(Singleton.get_state())
    yield
    Singleton.set_state(state)


@pytest.fixture(autouse=True)
def _hydra_as_it_was(hydra_restore_singletons: object) -> None:
    """Hydra keeps its state in singletons; no test may see another's."""
    del hydra_restore_singletons


@pytest.fixture
def composed() -> Iterator[Composed]:
    """Compose the project's configuration with overrides, as plain resolved values."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *overrides: plain(compose("config", overrides=list(overrides)))
    GlobalHydra.instance().clear()


@pytest.fixture
def cell_of(composed: Composed) -> Callable[..., Cell]:
    """A cell from overrides, its sources pinned."""
    return lambda *overrides: pinned_cell(read_cell(composed(*overrides)))


@pytest.fixture(scope="session")
def somebody_else() -> list[str]:
    """What to put before a command that is not to run as root, whom no permission stops; nothing where nobody is root."""
    if os.geteuid() != 0:
        return []
    become = ["setpriv", "--reuid=65534", "--clear-groups"]
    reads = [*become, sys.executable, "-c", "import ablation.store.store"]
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv, to become somebody else")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if subprocess.run(reads, cwd="/", env=env, capture_output=True, check=False).returncode:
        pytest.skip(f"somebody else may not read {ROOT} or {sys.prefix}")
    return become


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


def openr1_row(number: int, **columns: Any) -> dict[str, Any]:
    """A row in the schema of OpenR1-Math-220k with two right generations."""
    row = {
        "problem": f"problem {number}", "solution": "…", "answer": "7", "problem_type": "Algebra",
        "question_type": "math-word-problem",
        "source": "test", "uuid": f"row-{number}", "is_reasoning_complete": [True, True],
        "generations": [f"first {number} \\boxed{{ 7 }}", f"second {number} \\boxed{{ 7 }}"],
        "correctness_math_verify": [True, True], "correctness_llama": None, "finish_reasons": ["stop", "stop"],
        "correctness_count": 2, "messages": [],
    }  # fmt: skip
    return {**row, **columns}


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def tiny_benchmark(tmp_path: Path) -> list[str]:
    """Overrides for a benchmark of two questions of the embedded one."""
    shipped = (ROOT / "ablation/mini/data/benchmark.jsonl").read_text().splitlines()[:2]
    (tmp_path / "two.jsonl").write_text("\n".join(shipped) + "\n")
    ids = [json.loads(line)["id"] for line in shipped]
    (tmp_path / "tiers.yaml").write_text(json.dumps({"easy": ids[:1], "hard": ids[1:]}))
    return [f"benchmark.source.path={tmp_path}/two.jsonl", f"benchmark.tiers.path={tmp_path}/tiers.yaml"]


@pytest.fixture(scope="session")
def selections(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Pools and selections, made once for all tests that train."""
    return Store(tmp_path_factory.mktemp("selections"))


@pytest.fixture
def processes(cell_of: Callable[..., Cell], selections: Store, tmp_path: Path) -> "Callable[..., Processes]":
    """Worlds that train a cell, by name and overrides."""
    from tests.processes import Processes

    def make(name: str, *overrides: str) -> Processes:
        cell = cell_of(*overrides)
        paths = run_cell(cell, selections, last="select")
        return Processes(cell, (paths["select"], paths["pool"]), tmp_path / name)

    return make
