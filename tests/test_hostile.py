"""Code that a configuration or a model's folder brings along is refused, and not run.

Walks through config, data, training, jobs, cli.
"""

import copy
import json
import os
import pickle
import shlex
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ablation.cli.__main__ import main
from ablation.config.cluster import Slurm
from ablation.config.read import read_cell, read_execution
from ablation.config.sweep import cells as sweep_cells
from ablation.config.sweep.cells import compose_sweep
from ablation.data.tokenizer import load_tokenizer
from ablation.errors import ConfigProblems, DataError, RecordError
from ablation.jobs.submit.arrays import Array, ArrayFiles, sbatch_text
from ablation.specs.cell import Cell
from ablation.store.files import check_writable
from ablation.training.checkpoint import newest_checkpoint, seal
from ablation.training.recipe_checks import model_problems
from ablation.training.trl_config import load_model
from tests.config.test_files import FILES
from tests.conftest import ROOT, Composed


@pytest.mark.parametrize("key", ["_target_", "train._target_", "model.source._target_", "cluster._partial_"])
def test_a_config_names_nothing_to_be_called(composed: Composed, tmp_path: Path, key: str) -> None:
    content = composed(f"+{key}=os.mkdir")
    with pytest.raises(ConfigProblems, match=f"{key}: unknown"):
        read_cell(content)
        read_execution(content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "outputs", ["/scratch/a%j", "a\\b", "a\nb", "a\x1bb", "", " ", "~nobody-of-this-name/x", "a\0b"]
)
def test_a_folder_that_cannot_be_meant_is_refused_with_the_plan(
    composed: Composed, outputs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {**composed("cluster=slurm"), "outputs": outputs}
    with pytest.raises(ConfigProblems, match="outputs: "):
        read_execution(content)
    assert not list(tmp_path.iterdir())


def test_planning_refuses_what_submitting_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["plan", "sweep=smoke", "cluster=slurm", f"outputs='{tmp_path}/a%j'"])
    assert refused.value.code == 2
    assert "'%', which Slurm reads as something else" in capsys.readouterr().err


def test_home_is_where_it_is_everywhere_else(
    composed: Composed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_execution({**composed(), "outputs": "~/x"}).outputs == str(tmp_path / "x")
    assert read_execution({**composed(), "outputs": "../x~"}).outputs == "../x~"


@pytest.mark.parametrize("inner", ["", "deeper"])
def test_a_folder_behind_a_link_to_itself_is_refused(tmp_path: Path, inner: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(RecordError, match=r"loop.*; set outputs=DIR"):
        check_writable(tmp_path / "loop" / inner)


class Trap:
    """A pickle that makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_pickled_weights_are_refused_and_not_read(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(ROOT / "ablation/mini/data/base", base, ignore=shutil.ignore_patterns("*.safetensors*"))
    sprung = tmp_path / "sprung"
    (base / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(OSError, match="safetensors"):
        load_model(cell_of(f"model.source.path={base}").model)
    assert not sprung.exists()


def base_with(folder: Path, name: str, **changes: object) -> Path:
    """The embedded base model with other values in one of its JSON files."""
    shutil.copytree(ROOT / "ablation/mini/data/base", folder)
    path = folder / name
    values = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**values, **changes}))
    return folder


def test_code_in_a_models_folder_is_not_run(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    """`auto_map` names classes in files beside the weights: nothing reads them, whichever part of the model asks."""
    sprung = tmp_path / "sprung"
    base = base_with(
        tmp_path / "base",
        "config.json",
        auto_map={"AutoConfig": "trap.Config", "AutoModelForCausalLM": "trap.Model"},
        architectures=["Model"],
    )
    tokenizer = json.loads((base / "tokenizer_config.json").read_text())
    tokenizer["auto_map"] = {"AutoTokenizer": ["trap.Tokenizer", "trap.Tokenizer"]}
    (base / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (base / "trap.py").write_text(f"import os\nos.mkdir({str(sprung)!r})\nConfig = Model = Tokenizer = object\n")
    cell = cell_of(f"model.source.path={base}")
    assert cell.train
    for read in (load_tokenizer, load_model, lambda model: list(model_problems(model, cell.train))):
        with suppress(DataError, OSError, ValueError):
            read(cell.model)
        assert not sprung.exists()


def test_an_adapter_that_is_a_pickle_is_not_read(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    """Beside whole weights, where a library would lay it over them, and alone."""
    sprung = tmp_path / "sprung"
    base = base_with(
        tmp_path / "base",
        "adapter_config.json",
        peft_type="LORA",
        r=4,
        target_modules=["q_proj"],
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(ROOT / "ablation/mini/data/base"),
    )
    (base / "adapter_model.bin").write_bytes(pickle.dumps(Trap(sprung)))
    for _ in range(2):
        with suppress(OSError, ValueError, RuntimeError, pickle.UnpicklingError):
            load_model(cell_of(f"model.source.path={base}").model)
        assert not sprung.exists()
        (base / "model.safetensors").unlink(missing_ok=True)


def test_a_pickle_among_a_checkpoints_files_is_not_trusted(tmp_path: Path) -> None:
    """What stands in a checkpoint is what its seal names; one that was added or exchanged later is passed over or ignored."""
    folder = tmp_path / "checkpoint-3"
    folder.mkdir()
    (folder / "optimizer.pt").write_bytes(b"what the trainer wrote")
    (folder / "training_args.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    seal(folder, 3, 1.0)
    assert not (folder / "training_args.bin").exists()
    (folder / "optimizer.pt").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert newest_checkpoint(tmp_path) is None
    assert not (tmp_path / "sprung").exists()


SIGNS = st.sampled_from("ab09_. \n\r\t;$(){}`'\"#%\\\0\x85\u2028=,:&|<>[]*-~!é")
TEXTS = st.one_of(st.text(max_size=30), st.text(SIGNS, max_size=30))
WORDS = ("partition", "account", "qos", "constraint", "exclude")


def sbatch(**values: object) -> list[str]:
    cluster = Slurm.model_validate_json(json.dumps({"kind": "slurm", "python": "/bin/python", **values}))
    array = Array("ablation-cnls-1", "cell", cluster.resources_for("cell", "any"), ((),))
    return sbatch_text(array, cluster, ArrayFiles(Path("/tasks.json"), Path("/logs"), Path("/code")), {}).split("\n")


@given(st.sampled_from(WORDS), TEXTS, st.booleans())
def test_any_text_of_a_resource_is_one_word_of_one_directive_or_refused(field: str, text: str, in_a_rule: bool) -> None:
    try:
        lines = sbatch(**({"resources": [{field: text}]} if in_a_rule else {field: text}))
    except ValidationError:
        return
    directive = f"#SBATCH --{field}="
    [changed] = [line for line in lines if line.startswith(directive)]
    assert shlex.split(changed) == ["#SBATCH", f"--{field}={text}"]
    assert [line for line in lines if line != changed] == sbatch()


@given(st.sampled_from(["prefix", "python"]), TEXTS)
def test_any_text_of_the_command_is_one_word_of_it_or_refused(field: str, text: str) -> None:
    try:
        lines = sbatch(**{field: [text] if field == "prefix" else text})
    except ValidationError:
        return
    plain = sbatch(**{field: ["word"] if field == "prefix" else "word"})
    assert lines[:-2] == plain[:-2]
    assert shlex.split(lines[-2]) == [text if word == "word" else word for word in shlex.split(plain[-2])]


@given(TEXTS)
def test_any_line_of_the_site_is_one_line_and_no_directive_or_refused(text: str) -> None:
    try:
        lines = sbatch(setup=[text])
    except ValidationError:
        return
    plain = sbatch(setup=["word"])
    assert lines == [text if line == "word" else line for line in plain]
    assert not text.lstrip().startswith("#")


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("study=${outputs}", None), ("study='${no.such.key}'", "no.such.key"), ("study='${nope:1}'", "nope"),
        ("study='${oc.env:NO_SUCH_VARIABLE}'", "NO_SUCH_VARIABLE"), ("cluster.python='${cluster}'", "cluster.python"),
    ],
)  # fmt: skip
def test_an_interpolation_that_leads_nowhere_is_refused_by_name(override: str, named: str | None) -> None:
    loop = ["outputs=${study}"] if named is None else []
    with pytest.raises(ConfigProblems) as refused:
        compose_sweep(["sweep=smoke", "cluster=slurm", override, *loop])
    assert (named or "nterpolation") in str(refused.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_configuration_that_is_none_is_refused_by_name(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, named = FILES[file]
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf/cluster/site.yaml").write_text(text)
    monkeypatch.setattr(sweep_cells, "CONFIG_DIR", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigProblems) as refused:
        compose_sweep(["sweep=smoke", "cluster=site"])
    assert named in str(refused.value) and "site.yaml" in str(refused.value)
    assert not (tmp_path / "sprung").exists()


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(["1e3", "500", "Normal", "nan", "true", 1e3]),
)  # fmt: skip


def leaves(content: object, keys: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(content, dict) or not content:
        return [keys]
    return [keys, *(leaf for name, inner in content.items() for leaf in leaves(inner, (*keys, name)))]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_a_value_of_a_cell_is_taken_as_it_is_or_refused_by_its_place(
    whole: dict[str, Any], data: st.DataObject
) -> None:
    content = copy.deepcopy(whole)
    keys = data.draw(
        st.sampled_from([leaf for leaf in leaves({name: whole[name] for name in Cell.model_fields}) if leaf])
    )
    value = data.draw(VALUES)
    inner = content
    for name in keys[:-1]:
        inner = inner[name]
    inner[keys[-1]] = value
    try:
        cell = read_cell(content)
    except ConfigProblems as refused:
        assert any(problem.startswith((keys[0], "cell: ")) for problem in refused.problems), refused.problems
        return
    if cell.is_base or keys == ("seed",):
        return
    dumped: Any = cell.model_dump(mode="json")
    for name in keys:
        dumped = dumped[name]
    if not isinstance(value, (dict, list)):
        assert dumped == value and (type(dumped) is type(value) or (isinstance(dumped, float) and type(value) is int))


@pytest.fixture
def whole(composed: Composed) -> dict[str, Any]:
    return composed()
