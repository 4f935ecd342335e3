"""Other libraries where their public interface is not enough: their imports, and the private parts that this package uses.

Each function says why the public way does not do. A private part holds for the version that ``tests/test_libraries.py`` names.
Libraries are imported inside the functions, so importing this module costs nothing. Two programs keep such parts to themselves,
because they run without this package: ``sampling/vllm_server.py`` and ``grading/worker.py``.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wandb
    from accelerate import Accelerator
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.utils import JobReturn
    from hydra.plugins.launcher import Launcher
    from hydra.plugins.sweeper import Sweeper
    from omegaconf import DictConfig, Node
    from torch.nn import Module


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Make a module look as if it were not installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # None is the import system's documented word for "not to be found"
    try:
        yield
    finally:
        del sys.modules[name]


def hide_sklearn_from_transformers() -> None:
    """Have transformers do without scikit-learn, which takes as long to import as torch.

    transformers uses it for one kind of decoding, which no engine asks for. It checks once whether scikit-learn is installed, and
    caches the answer.
    """
    with without_module("sklearn"):
        from transformers.utils.import_utils import is_sklearn_available

        is_sklearn_available()


class _ImportClock:
    """Seconds of imports since they were last taken. `is_running` keeps an import within another from counting twice."""

    seconds = 0.0
    is_running = False


@contextmanager
def timed_imports() -> Iterator[None]:
    """Count the seconds of the imports within, for `take_import_s`."""
    if _ImportClock.is_running:
        yield
        return
    began, _ImportClock.is_running = time.perf_counter(), True
    try:
        yield
    finally:
        _ImportClock.is_running = False
        _ImportClock.seconds += time.perf_counter() - began


def take_import_s() -> float:
    """Return the seconds that `timed_imports` counted since the last call."""
    seconds, _ImportClock.seconds = _ImportClock.seconds, 0.0
    return seconds


def check_config_files(loader: "ConfigLoader", check: Callable[[Path, str], None]) -> None:
    """Have Hydra's loader call ``check(folder, name)`` before it reads a configuration file; an exception ends the loading.

    Hydra offers no hook in front of its parser, so its sources of files are replaced by ones that check.
    """
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra.plugins.config_source import ConfigResult

    class CheckedFiles(FileConfigSource):
        def load_config(self, config_path: str) -> ConfigResult:
            check(Path(self.path), self._normalize_file_name(config_path))
            return super().load_config(config_path)

    sources = loader.get_sources()
    sources[:] = [
        CheckedFiles(source.provider, source.path) if source.scheme() == "file" else source for source in sources
    ]


def hydra_basic_launcher() -> "Launcher":
    """Return a new launcher of the kind that Hydra uses by default. Its public names have the interface alone."""
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    return BasicLauncher()


def hydra_basic_sweeper() -> "Sweeper":
    """Return a new sweeper of the kind that Hydra uses by default. Its public names have the interface alone."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    return BasicSweeper(max_batch_size=None)


def hydra_completed_job(overrides: Sequence[str], config: "DictConfig") -> "JobReturn":
    """Return Hydra's record of a job that has completed and returned None; the value has no public name in its constructor."""
    from hydra.core.utils import JobReturn, JobStatus

    return JobReturn(overrides=list(overrides), cfg=config, status=JobStatus.COMPLETED, _return_value=None)


def unresolved_node(config: "DictConfig", name: Any) -> "Node | None":
    """Return the node of a key as it is written. Public access resolves an interpolation, and raises on ``???``."""
    node = config._get_node(name)
    assert not isinstance(node, list)  # OmegaConf gives a list for a slice of a list alone
    return node


def holds_keys(config: "DictConfig") -> bool:
    """True for a section with keys of its own; False where its whole value is null or ``???``.

    Public tests need the section's parent, and resolve interpolations on the way.
    """
    return not (config._is_none() or config._is_missing())


def make_sbatch_string(**parameters: Any) -> str:
    """Return the text of an sbatch file as submitit renders it. Its public executor would pickle a function and submit it."""
    from submitit.slurm.slurm import _make_sbatch_string

    text: str = _make_sbatch_string(**parameters)
    return text


def log_used_artifact(run: "wandb.Run", artifact: "wandb.Artifact") -> None:
    """Record an artifact as an input of a run, offline too.

    `Run.use_artifact` makes the same record, but refuses to offline, although the run's file can hold it.
    """
    run._log_artifact(artifact, use_after_commit=True)  # type: ignore[no-untyped-call,unused-ignore]


def keep_batches_whole(accelerator: "Accelerator") -> None:
    """Have accelerate leave the trainer's batches as they are, where each process gets its own slice of them already.

    transformers calls this method of accelerate's without condition, and it would slice the batches once more.
    """
    accelerator.deepspeed_ulysses_dl_adapter = lambda loader, _model: loader


def forget_sequence_parallelism() -> None:
    """Undo DeepSpeed-Ulysses' groups of processes, so that the next model of this process starts without them.

    DeepSpeed keeps them in module variables, for the life of a process.
    """
    from deepspeed.runtime.sequence_parallel import parallel_state_sp
    from deepspeed.utils import groups

    parallel_state_sp._release_sequence_parallel_groups()
    groups.mpu = None


def count_parameters(model: "Module") -> int:
    """Return the number of a model's parameters, those included whose values ZeRO 3 keeps in other processes.

    DeepSpeed leaves an empty tensor here, and writes the whole size to the attribute ``ds_numel``.
    """
    return sum(getattr(parameter, "ds_numel", parameter.numel()) for parameter in model.parameters())
