"""How long what is left will take, from the seconds that finished stages have recorded."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.specs.cell import Cell
from ablation.specs.vocabulary import StageName
from ablation.store.records import TIMING_FILE
from ablation.store.store import Store

# So many finished stages tell the pace of their kind; reading ten thousand would tell no more.
_ENOUGH = 64

Kind = tuple[str, ...]


@dataclass(frozen=True)
class TimeLeft:
    """`seconds` of work on one cell's resources, by the pace of `measured` finished stages.

    `unmeasured` cells are not in it: nothing like them has finished yet.
    """

    seconds: float
    measured: int
    unmeasured: int


def estimate_time_left(cells: Sequence[Cell], finished: Sequence[Cell], store: Store) -> TimeLeft | None:
    """For the training and sampling that `cells` lack, by the recorded pace of those that `finished`; None where none has.

    A stage that cells share counts once. Training is measured by examples seen, sampling by attempts.
    """
    pace = _pace(finished, store)
    if not pace:
        return None
    complete = store.complete_folders(StageName.TRAIN, StageName.SAMPLE)
    missing = [[one for one in _works(cell) if one.folder not in complete] for cell in cells]
    measured = [works for works in missing if all(one.kind in pace for one in works)]
    unique = {one.folder: one for works in measured for one in works}
    seconds = sum(pace[one.kind].rate * one.size for one in unique.values())
    return TimeLeft(seconds, sum(one.stages for one in pace.values()), len(missing) - len(measured))


@dataclass(frozen=True)
class _Work:
    """A timed stage: its folder, its kind, and its size in that kind's unit."""

    folder: str
    kind: Kind
    size: float


@dataclass
class _Rate:
    seconds: float = 0.0
    size: float = 0.0
    stages: int = 0

    @property
    def rate(self) -> float:
        return self.seconds / self.size if self.size else 0.0


def _pace(cells: Sequence[Cell], store: Store) -> dict[Kind, _Rate]:
    found: dict[Kind, _Rate] = defaultdict(_Rate)
    for cell in _spread(cells):
        for work in _works(cell):
            seconds = recorded_s(store.root / work.folder / TIMING_FILE)
            if seconds is not None:
                one = found[work.kind]
                one.seconds, one.size, one.stages = one.seconds + seconds, one.size + work.size, one.stages + 1
    return dict(found)


def _spread(cells: Sequence[Cell]) -> Iterable[Cell]:
    """Up to `_ENOUGH` cells of each kind, from all over the study."""
    kinds: dict[Kind, list[Cell]] = {}
    for cell in cells:
        kinds.setdefault(_kind("train", cell) if cell.train else _kind("sample", cell), []).append(cell)
    return [one for members in kinds.values() for one in members[:: max(1, len(members) // _ENOUGH)]]


def _works(cell: Cell) -> list[_Work]:
    """The timed stages of a cell."""
    sizes = {name: float(len(attempts)) for name, attempts in cell.blocks.items()}
    if cell.train:
        sizes["train"] = float(cell.train.examples_seen(cell.count.size))
    return [_Work(cell.folders[name], _kind(name, cell), size) for name, size in sizes.items()]


def _kind(stage: str, cell: Cell) -> Kind:
    if stage == "train" and cell.train:
        return stage, cell.model.name, cell.train.method
    return "sample", cell.model.name, cell.benchmark.name, cell.sample.engine, cell.sample.stop


def recorded_s(path: Path) -> float | None:
    """The sum of what a stage says in its timing file that it took; None where it says nothing that can be read."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return sum(float(seconds) for name, seconds in told.items() if name.endswith("_s"))
    except (OSError, ValueError, TypeError, AttributeError):
        return None
