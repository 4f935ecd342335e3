"""The cells in a plan's file. Each distinct part stands there once; a cell is the indices of its parts and its stages' folders.

The cells of a study share few parts. So ten thousand of them are read back without validating and hashing ten thousand cells.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from ablation.specs.base import Spec
from ablation.specs.cell import Cell, addresses

_PARTS = tuple(Cell.model_fields)
_INDICES = TypeAdapter(list[list[int | None]])
_FOLDERS = TypeAdapter(list[dict[str, str]])


def pack_cells(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the cells as JSON-ready content, which `unpack_cells` reads.

    ``parts``: field of a cell → its distinct values. ``places``: for each cell an index of each field, null where the field is.
    ``folders``: for each cell the folders of its stages.
    """
    indices: dict[str, dict[str, int]] = {name: {} for name in _PARTS}
    texts: dict[int, str] = {}  # by identity, for parts that cells share as one object

    def index_of(name: str, part: Spec | None) -> int | None:
        if part is None:
            return None
        if id(part) not in texts:
            texts[id(part)] = part.model_dump_json()
        return indices[name].setdefault(texts[id(part)], len(indices[name]))

    rows = [[index_of(name, getattr(cell, name)) for name in _PARTS] for cell in cells]
    parts = {name: list(map(json.loads, values)) for name, values in indices.items()}
    return {"parts": parts, "places": rows, "folders": [cell.folders for cell in cells]}


def unpack_cells(content: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Return the cells of `pack_cells`, equal and in order. Raises ValueError, KeyError, IndexError or TypeError otherwise.

    The recorded folders are believed as long as this version gives the first and the last cell the same ones.
    """
    parts = {name: _read(name, content["parts"][name]) for name in _PARTS}
    rows, folders = _INDICES.validate_python(content["places"]), _FOLDERS.validate_python(content["folders"])
    cells = [
        {name: None if index is None else parts[name][index] for name, index in zip(_PARTS, row, strict=True)}
        for row in rows
    ]
    # The versions of a stage are in its address: folders that an older version recorded may not be today's.
    if all(_has_folders(Cell.model_validate(cells[index]), folders[index]) for index in (0, -1) if cells):
        return tuple(Cell.recorded(cell, recorded) for cell, recorded in zip(cells, folders, strict=True))
    return tuple(Cell.model_validate(cell) for cell in cells)


def _read(name: str, content: Sequence[Any]) -> list[Any]:
    kind: Any = Cell.model_fields[name].annotation
    parts: list[Any] = TypeAdapter(list[kind]).validate_json(json.dumps(content))
    return parts


def _has_folders(cell: Cell, folders: Mapping[str, str]) -> bool:
    return folders == {name: address.folder for name, address in addresses(cell).items()}
