"""Keys in a configuration are refused before anything starts, and none reaches a file, a job or another process."""

import sys
from typing import Any

import pytest

from ablation.cli import launch as sweep
from ablation.cli.__main__ import main
from ablation.config.credentials import is_key, masked
from ablation.config.read import read_cell, read_cells, read_execution
from ablation.config.sweep.cells import compose_sweep
from ablation.errors import ConfigProblems
from tests.conftest import Composed

CANARY = "c4n4ry0123456789abcdef0123456789abcdef01"
HUB = f"hf_{CANARY}"
ENVIRONMENT = {"WANDB_API_KEY": CANARY, "HF_TOKEN": HUB, "SITE_PASSWORD": f"p'{CANARY}", "my_secret": f"{CANARY} x"}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WANDB_API_KEY", True), ("HF_TOKEN", True), ("AWS_SECRET_ACCESS_KEY", True), ("DB_PASSWORD", True), ("my_token", True),
        ("GITHUB_TOKEN_2", True), ("TOKENIZERS_PARALLELISM", False), ("HF_TOKEN_PATH", False), ("SSH_KEY_FILE", False),
        ("PATH", False), ("KEYBOARD", False),
    ],
)  # fmt: skip
def test_a_key_is_known_by_the_name_of_its_variable(name: str, expected: bool) -> None:
    assert is_key(name) == expected


PLACES: list[tuple[str, Any]] = [
    ("cluster.setup", [f"export WANDB_API_KEY={CANARY}"]),
    ("cluster.prefix", ["apptainer", "exec", "--env", f"K={CANARY}"]),
    ("cluster.python", f"/opt/{CANARY}/python"),
    ("cluster.partition", CANARY),
    ("study", CANARY),
    ("outputs", f"/scratch/{CANARY}"),
    ("tracker.entity", HUB),
    ("sweep.hypothesis", f"with {HUB} it works"),
    ("scale.note", CANARY),
    ("train.nonsense", CANARY),
    ("sample.python", CANARY),
]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("place", "value"), PLACES)
def test_a_key_of_the_environment_is_refused_by_its_place_and_not_told(
    composed: Composed, place: str, value: object
) -> None:
    content = composed("cluster=slurm")
    section, _, name = place.rpartition(".")
    (content[section] if section else content)[name] = value
    for read in (read_execution, read_cell, lambda one: read_cells([one])):
        with pytest.raises(ConfigProblems) as refused:
            read(content)
        assert place in str(refused.value)
        assert "environment variable" in str(refused.value)
        assert "cluster.setup can read a file" in str(refused.value), "what to do"
        assert CANARY not in str(refused.value)


UNSET = [
    "export WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567", "export HF_TOKEN='hf_0123456789'", f"echo {HUB}",
    "wandb login 0123456789abcdef0123456789abcdef01234567", "curl https://me:hunter22@example.org/x", "login --token abcdefghij",
    "export OPENAI=sk-proj-0123456789abcdefghij",
]  # fmt: skip
HARMLESS = [
    "export WANDB_API_KEY=$(cat ~/.wandb)", 'export HF_TOKEN="$TOKEN_OF_MINE"', "export HF_TOKEN_PATH=/home/me/.token",
    "export TOKENIZERS_PARALLELISM=false", "source /etc/profile", "export HF_TOKEN=`cat /run/secrets/hub`",
    "ssh -i ~/.ssh/key host",
    "https://example.org:8080/a@b", "ulimit -n 65536", "export MAX_TOKENS=100000000",
]  # fmt: skip


@pytest.mark.parametrize("line", UNSET)
def test_a_key_that_shows_by_its_form_is_refused(composed: Composed, line: str) -> None:
    content = composed("cluster=slurm")
    content["cluster"]["setup"] = [line]
    with pytest.raises(ConfigProblems, match=r"cluster\.setup\.0: holds ") as refused:
        read_execution(content)
    assert line.split()[-1] not in str(refused.value)
    assert masked(line, {}) != line


@pytest.mark.parametrize("line", HARMLESS)
def test_a_line_that_says_where_a_key_lies_passes(composed: Composed, line: str) -> None:
    content = composed("cluster=slurm")
    content["cluster"]["setup"] = [line]
    assert line in read_execution(content).cluster.model_dump_json().encode().decode("unicode_escape")
    assert masked(line, {}) == line


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    "override",
    [
        f"cluster.setup=['export X={CANARY}']",
        "cluster.setup=['export X=${oc.env:WANDB_API_KEY}']",
        f"+cluster.api_key={CANARY}",
        f"category={CANARY}",
        f"train.epochs={CANARY}",
        f"+{CANARY}=1",
        f"cluster.setup=[unbalanced {CANARY}",
    ],
)
def test_a_key_on_the_command_line_is_refused_before_anything_repeats_it(
    override: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigProblems) as refused:
        compose_sweep(["sweep=smoke", "cluster=slurm", override])
    assert "WANDB_API_KEY" in str(refused.value)
    assert CANARY not in str(refused.value)
    with pytest.raises(SystemExit):
        main(["plan", "sweep=smoke", "cluster=slurm", override])
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err


@pytest.mark.usefixtures("keys")
def test_the_command_that_is_kept_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["/x/app.py", f"a={CANARY}", f"b='p'{CANARY}'", f"login --token={CANARY[::-1]}", "c=1"]
    )
    told = sweep.command_line()
    assert CANARY not in told and CANARY[::-1] not in told
    assert told.startswith("python app.py 'a=***'") and told.endswith(" c=1")
