"""From resolved configurations to cells. Configurations of one grid share their sections, and each is validated once."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ablation.cell import Cell
from ablation.config import foreign_keys, read_cell
from ablation.credentials import refuse_keys
from ablation.errors import ConfigProblems


def read_cells(contents: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Each content as a cell. Raises ConfigProblems with the problems of all of them at once.

    A section that several contents share as one object becomes a part that their cells share as one object.
    """
    refuse_keys(contents, os.environ)
    cells: list[Cell] = []
    problems: list[str] = []
    sections = _Sections()
    for content in contents:
        try:
            cells.append(sections.cell(content) or read_cell(content))
        except ConfigProblems as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigProblems(problems)
    return cells


class _Sections:
    """Remembers the part that each section became, by identity: whoever asks keeps the contents meanwhile."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, int], Any] = {}
        kinds: dict[str, Any] = {name: field.annotation for name, field in Cell.model_fields.items()}
        self._kinds = {name: TypeAdapter[Any](kind) for name, kind in kinds.items()}

    def cell(self, content: Mapping[str, Any]) -> Cell | None:
        """None for a content that is not a cell's as it stands: `read_cell` says what is wrong with the whole of it."""
        if foreign_keys(content) or not self._kinds.keys() <= content.keys():
            return None
        try:
            return Cell.of_parts({name: self._part(name, content[name]) for name in self._kinds})
        except ValidationError:
            return None

    def _part(self, name: str, section: Any) -> Any:
        place = name, id(section)
        if place not in self._parts:
            self._parts[place] = self._kinds[name].validate_json(json.dumps(section))
        return self._parts[place]
