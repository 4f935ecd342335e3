"""The private parts of other libraries: each is tried, and the version for which it holds stands in the test."""

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from ablation import libraries
from tests.conftest import ROOT

# The newest version for which each private part was tried. After an update: run this file, then write the new version here.
TRIED = {
    "accelerate": "1.15.0",
    "deepspeed": "0.19.8",
    "hydra-core": "1.3.8",
    "omegaconf": "2.3.1",
    "submitit": "1.5.4",
    "transformers": "5.19.0",
    "wandb": "0.31.0",
}


def versions(library: str) -> str:
    """For the message of an assertion: an update of the library is the likely reason."""
    return f"a private part was tried with {library} {TRIED[library]}; installed is {version(library)}"


def run(program: str) -> str:
    """What a program prints in an interpreter of its own, where nothing is imported yet."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


# The standard library has no public name for the type of `add_subparsers()`.
ALLOWED = {"_SubParsersAction"}


def private_names(path: Path) -> Iterator[str]:
    """Yield what a module takes from others by a name with an underscore before it; dunders are public.

    A field that a class of the module declares is its own, also on another object of that class.
    """
    tree = ast.parse(path.read_text())
    declared = {
        field.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            names = [node.attr]
        else:
            continue
        yield from (
            f"{path.relative_to(ROOT)}:{node.lineno} {name}"
            for name in names
            if name.startswith("_") and not name.startswith("__") and name not in ALLOWED | declared
        )


def test_no_other_module_reaches_into_private_parts() -> None:
    modules = {*(ROOT / "ablation").rglob("*.py"), *(ROOT / "hydra_plugins").rglob("*.py"), ROOT / "launch.py"}
    assert not [name for path in modules - {Path(str(libraries.__file__))} for name in private_names(path)]


def test_importing_it_imports_nothing_heavy() -> None:
    libraries_of_ours = "torch transformers trl accelerate wandb hydra omegaconf submitit deepspeed sklearn"
    program = f"import sys, ablation.libraries; print([x for x in {libraries_of_ours.split()} if x in sys.modules])"
    assert run(program) == "[]"


def test_a_module_is_hidden_for_a_while() -> None:
    with libraries.without_module("this"), pytest.raises(ImportError):
        import this  # noqa: F401
    assert "this" not in sys.modules


def test_a_module_that_is_imported_stays() -> None:
    with libraries.without_module("os"):
        import os as again
    assert again is os


def test_transformers_does_without_sklearn_for_good() -> None:
    program = """
import importlib.util
from ablation.libraries import hide_sklearn_from_transformers
hide_sklearn_from_transformers()
from transformers.utils.import_utils import is_sklearn_available
print(is_sklearn_available(), importlib.util.find_spec("sklearn") is not None)
"""
    assert run(program) == "False True", versions("transformers")


def test_imports_within_imports_count_once() -> None:
    libraries.take_import_s()
    with libraries.timed_imports(), libraries.timed_imports():
        pass
    assert 0 < libraries.take_import_s() < 1
    assert libraries.take_import_s() == 0


def test_hydra_has_files_checked_before_it_reads_them(tmp_path: Path) -> None:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.utils import create_config_search_path
    from hydra.types import RunMode

    (tmp_path / "config.yaml").write_text("x: 1\n")
    loader, checked = ConfigLoaderImpl(create_config_search_path(str(tmp_path))), []
    libraries.check_config_files(loader, lambda folder, name: checked.append((folder, name)))
    loader.load_configuration("config", overrides=[], run_mode=RunMode.RUN)
    assert (tmp_path, "config.yaml") in checked, versions("hydra-core")


def test_an_exception_of_the_check_ends_the_loading(tmp_path: Path) -> None:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.utils import create_config_search_path
    from hydra.types import RunMode

    def refuse(folder: Path, name: str) -> None:
        raise ZeroDivisionError(folder / name)

    (tmp_path / "config.yaml").write_text("x: [\n")
    loader = ConfigLoaderImpl(create_config_search_path(str(tmp_path)))
    libraries.check_config_files(loader, refuse)
    with pytest.raises(ZeroDivisionError):
        loader.load_configuration("config", overrides=[], run_mode=RunMode.RUN)


def test_hydras_basic_plugins_are_made() -> None:
    from hydra.plugins.launcher import Launcher
    from hydra.plugins.sweeper import Sweeper

    assert isinstance(libraries.hydra_basic_launcher(), Launcher), versions("hydra-core")
    assert isinstance(libraries.hydra_basic_sweeper(), Sweeper), versions("hydra-core")


def test_a_completed_job_returns_none() -> None:
    job = libraries.hydra_completed_job(("x=1",), OmegaConf.create({"x": 1}))
    assert (job.overrides, job.return_value) == (["x=1"], None), versions("hydra-core")


def test_nodes_are_read_as_they_are_written() -> None:
    config = OmegaConf.create({"link": "${nowhere}", "missing": "???", "section": {"x": 1}})
    nodes = {name: libraries.unresolved_node(config, name) for name in ("link", "missing", "section", "other")}
    assert str(nodes["link"]) == "${nowhere}", versions("omegaconf")
    assert str(nodes["missing"]) == "???", versions("omegaconf")
    assert isinstance(nodes["section"], DictConfig), versions("omegaconf")
    assert nodes["other"] is None, versions("omegaconf")


@pytest.mark.parametrize(("content", "holds"), [({"x": 1}, True), ({}, True), (None, False), ("???", False)])
def test_a_section_that_is_null_or_missing_holds_no_keys(content: object, holds: bool) -> None:
    assert libraries.holds_keys(DictConfig(content)) is holds, versions("omegaconf")


def test_submitit_renders_a_script() -> None:
    text = libraries.make_sbatch_string(
        command="true", folder="/logs", map_count=3, additional_parameters={"requeue": True}, stderr_to_stdout=True
    )
    assert {"#SBATCH --array=0-2", "#SBATCH --requeue"} <= {line.partition("%")[0] for line in text.splitlines()}, (
        versions("submitit")
    )


def test_a_used_artifact_is_recorded_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    run = wandb.init(dir=tmp_path, project="tried", settings=wandb.Settings(silent=True))
    libraries.log_used_artifact(run, wandb.Artifact("selection-1", type="selection"))
    run.finish()
    (record,) = tmp_path.rglob("*.wandb")
    assert b"selection-1" in record.read_bytes(), versions("wandb")


def test_accelerate_has_the_method_that_is_replaced() -> None:
    from accelerate import Accelerator
    from transformers import Trainer

    assert list(inspect.signature(Accelerator.deepspeed_ulysses_dl_adapter).parameters) == ["self", "dl", "model"], (
        versions("accelerate")
    )
    assert "accelerator.deepspeed_ulysses_dl_adapter(" in inspect.getsource(Trainer), versions("transformers")
    accelerator, batches = Accelerator(cpu=True), [1, 2]
    libraries.keep_batches_whole(accelerator)
    assert accelerator.deepspeed_ulysses_dl_adapter(batches, None) is batches, versions("accelerate")


def test_parameters_are_counted_with_those_that_zero_keeps_elsewhere() -> None:
    import torch

    layer = torch.nn.Linear(3, 2)
    assert libraries.count_parameters(layer) == 8
    layer.weight = torch.nn.Parameter(torch.empty(0))
    layer.weight.ds_numel = 6  # type: ignore[attr-defined]
    assert libraries.count_parameters(layer) == 8


@pytest.mark.deepspeed
def test_deepspeeds_groups_are_released() -> None:
    pytest.importorskip("deepspeed")
    from deepspeed.utils import groups

    groups.mpu = object()
    libraries.forget_sequence_parallelism()
    assert groups.mpu is None, versions("deepspeed")
