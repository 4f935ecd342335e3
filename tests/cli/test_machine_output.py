"""The output of `--json` is what docs/commands.md says, and standard output holds nothing else.

Walks through cli, jobs, study.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ablation.cli.__main__ import main
from ablation.store.store import verify
from ablation.study.plan import Plan
from tests.conftest import ROOT
from tests.studies import fail, finish, planned

ROWS = re.findall(
    r"^\| (`.+?) \| (object|list|lines) \| (.+) \|$", (ROOT / "docs/commands.md").read_text(), re.MULTILINE
)
FIELDS = {
    name: set(re.findall(r"`(\w+)`", fields)) for names, _, fields in ROWS for name in re.findall(r"`(.+?)`", names)
}


@pytest.fixture
def study(tmp_path: Path) -> Plan:
    """One cell done, one failed."""
    plan = planned(tmp_path / "outputs", "sweep=smoke")
    finish(plan, plan.cells[:1])
    fail(plan, {plan.cells[1].name: "ValueError: it broke"})
    (plan.folder / "logs" / f"{plan.cells[1].name}.log").write_text("Traceback\n")
    return plan


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("status", 1),
        ("failures", 1),
        ("watch", 1),
        ("verify", 0),
        ("logs", 0),
        ("clean", 0),
        ("plan", 0),
        ("doctor", None),
    ],
)
def test_fields_are_those_that_the_documentation_names(
    study: Plan, command: str, code: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ["--outputs", str(study.folder.parent)]
    words = {
        "logs": ["smoke", study.cells[1].name, *outputs],
        "clean": ["smoke", "--weights", "--dry-run", *outputs],
    }
    overrides = {
        "plan": ["sweep=smoke", f"outputs='{study.folder.parent}-new'"],
        "doctor": [f"outputs='{study.folder.parent}'"],
    }
    found = main([command, *{**words, **overrides}.get(command, ["smoke", *outputs]), "--json"])
    assert code is None or found == code
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told
    for one in (one for value in told for one in (value if isinstance(value, list) else [value])):
        assert set(one) == FIELDS[command]


def test_a_fault_is_told_as_data(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    stage = study.store.root / study.cells[0].folders["train"]
    (stage / "timing.json").write_text("{}")
    assert main(["verify", "smoke", "--outputs", str(study.folder.parent), "--json"]) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["faults"] == verify(stage)
