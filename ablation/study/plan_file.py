"""Cells as they stand in a plan's file: each distinct part once, and for each cell which parts it has and where its stages lie.

The cells of a study share few parts, so ten thousand of them are read back without validating and hashing ten thousand cells.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from ablation.specs.base import Spec
from ablation.specs.cell import Cell, addresses

_PARTS = tuple(Cell.model_fields)


_PLACES = TypeAdapter(list[list[int | None]])
_FOLDERS = TypeAdapter(list[dict[str, str]])


def pack_cells(cells: Sequence[Cell]) -> dict[str, Any]:
    """The cells as JSON-ready content, which `unpack_cells` reads."""
    places: dict[str, dict[str, int]] = {name: {} for name in _PARTS}
    texts: dict[int, str] = {}  # by identity, for parts that cells share as one object

    def place(name: str, part: Spec | None) -> int | None:
        if part is None:
            return None
        if id(part) not in texts:
            texts[id(part)] = part.model_dump_json()
        return places[name].setdefault(texts[id(part)], len(places[name]))

    rows = [[place(name, getattr(cell, name)) for name in _PARTS] for cell in cells]
    parts = {name: list(map(json.loads, known)) for name, known in places.items()}
    return {"parts": parts, "places": rows, "folders": [cell.folders for cell in cells]}


def unpack_cells(told: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The cells of `pack_cells`, equal and in order. Raises ValueError, KeyError, IndexError or TypeError on anything else.

    Where a stage lies is believed as long as this version would lay the first and the last cell there, too.
    """
    parts = {name: _read(name, told["parts"][name]) for name in _PARTS}
    rows, folders = _PLACES.validate_python(told["places"]), _FOLDERS.validate_python(told["folders"])
    cells = [
        {name: None if at is None else parts[name][at] for name, at in zip(_PARTS, row, strict=True)} for row in rows
    ]
    if all(_lies(Cell.model_validate(cells[at]), folders[at]) for at in (0, -1) if cells):
        return tuple(Cell.recorded(cell, recorded) for cell, recorded in zip(cells, folders, strict=True))
    return tuple(Cell.model_validate(cell) for cell in cells)


def _read(name: str, content: Sequence[Any]) -> list[Any]:
    kind: Any = Cell.model_fields[name].annotation
    found: list[Any] = TypeAdapter(list[kind]).validate_json(json.dumps(content))
    return found


def _lies(cell: Cell, folders: Mapping[str, str]) -> bool:
    return folders == {name: address.folder for name, address in addresses(cell).items()}
