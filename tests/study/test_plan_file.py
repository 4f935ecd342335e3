"""Commands stay quick on ten thousand cells: nothing heavy is imported, and files do not cost by the cell."""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from ablation.cli.__main__ import main
from ablation.specs.cell import Cell, addresses
from ablation.study.plan import Plan
from ablation.study.plan_file import pack_cells, unpack_cells
from tests.studies import finish, planned
from tests.test_imports import HEAVY

_OPENED: list[str] = []


def _hear(event: str, arguments: Sequence[object]) -> None:
    if event in ("open", "os.scandir", "os.listdir"):
        _OPENED.append(str(arguments[0]))


sys.addaudithook(_hear)


def opened(outputs: Path, *command: str) -> int:
    """How many files and folders below `outputs` a command opened."""
    del _OPENED[:]
    with redirect_stdout(io.StringIO()):
        main([*command, "--outputs", str(outputs)])
    return sum(path.startswith(str(outputs)) for path in _OPENED)


@pytest.fixture(scope="module", params=["all done", "none done"])
def studies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Plan]:
    """Studies of 25 and of 49 cells."""
    found = []
    for seeds in ("0", "0,1"):
        plan = planned(tmp_path_factory.mktemp("outputs"), "sweep=cnls", "count.size=8,16", f"seed={seeds}")
        finish(plan, plan.cells if request.param == "all done" else (), ("grade",))
        found.append(plan)
    return found


@pytest.mark.parametrize("command", ["status", "failures"])
def test_twice_the_cells_open_no_more_files(studies: list[Plan], command: str) -> None:
    one, two = (opened(plan.folder.parent, command, "cnls", "--json") for plan in studies)
    assert len(studies[1].cells) > 1.9 * len(studies[0].cells)
    assert one == two


@pytest.mark.parametrize("command", ["status", "failures"])
def test_looking_at_a_study_imports_neither_hydra_nor_tables(studies: list[Plan], command: str) -> None:
    heavy = (*HEAVY, "hydra", "pyarrow", "numpy")
    program = (
        "import sys; from ablation.cli.__main__ import main; "
        f"main(['{command}', 'cnls', '--outputs', {str(studies[0].folder.parent)!r}])"
        f"; print([name for name in {heavy} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_a_plan_gives_back_its_cells(studies: list[Plan]) -> None:
    cells = studies[1].cells
    found = unpack_cells(json.loads(json.dumps(pack_cells(cells))))
    assert found == cells
    assert [one.model_dump_json() for one in found] == [one.model_dump_json() for one in cells]
    assert [one.folders for one in found] == [places(one) for one in cells]


def test_a_plan_of_a_version_that_lays_stages_elsewhere_is_addressed_anew(studies: list[Plan]) -> None:
    told = pack_cells(studies[0].cells)
    told["folders"] = [{**folders, "grade": f"{folders['grade'][:-1]}x"} for folders in told["folders"]]
    found = unpack_cells(told)
    assert [one.folders for one in found] == [places(one) for one in studies[0].cells]


def places(cell: Cell) -> dict[str, str]:
    return {name: address.folder for name, address in addresses(cell).items()}
