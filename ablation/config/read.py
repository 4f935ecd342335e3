"""From a composed Hydra configuration to frozen values: the only place that knows both."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from ablation.config.cluster import Slurm, unfit_for_slurm
from ablation.config.credentials import refuse_keys
from ablation.config.execution import Execution
from ablation.config.messages import sentences
from ablation.errors import ConfigProblems, did_you_mean
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import SEEDS

_SCIENCE = tuple(Cell.model_fields)
_EXECUTION = ("study", "outputs", "cluster", "tracker", "keep")
# Sections that steer composition and the design; they leave no value on a cell.
_STEERING = ("scale", "sweep")


def plain(config: DictConfig) -> dict[str, Any]:
    """Return the resolved content of a composed configuration.

    Raises ConfigProblems on an interpolation that does not resolve, and on a value that is missing.
    """
    try:
        content = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        message, key = str(error).splitlines()[0], error.full_key
        raise ConfigProblems([message if not key or key in message else f"{key}: {message}"]) from error
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def read_cell(content: Mapping[str, Any]) -> Cell:
    """Return the cell that a resolved configuration describes. Raises ConfigProblems with everything that is wrong."""
    refuse_keys([content], os.environ)
    problems = foreign_keys(content)
    science = {name: content[name] for name in _SCIENCE if name in content}
    seed = science.get("seed")
    if isinstance(seed, int) and not isinstance(seed, bool):
        science["seed"] = dict.fromkeys(SEEDS, seed)
    try:
        cell = Cell.parse(science)
    except ValidationError as error:
        raise ConfigProblems(problems + sentences(error, Cell)) from None
    if problems:
        raise ConfigProblems(problems)
    return cell


def read_execution(content: Mapping[str, Any]) -> Execution:
    """Return where and how the configuration asks to run. Raises ConfigProblems."""
    refuse_keys([content], os.environ)
    scale, sweep = content.get("scale") or {}, content.get("sweep") or {}
    named = {"scale": scale.get("name"), "note": scale.get("note")}
    expected = {"hypothesis": sweep.get("hypothesis"), "primary": sweep.get("primary")}
    try:
        execution = Execution.model_validate_json(
            json.dumps({**{name: content[name] for name in _EXECUTION if name in content}, **named, **expected})
        )
    except ValidationError as error:
        raise ConfigProblems(sentences(error, Execution)) from None
    return execution.model_copy(update={"outputs": _outputs(execution)})


def _outputs(execution: Execution) -> str:
    """Return the folder of the outputs, ``~`` expanded. Raises ConfigProblems on a folder that cannot have been meant."""
    outputs = execution.outputs
    try:
        folder = Path(outputs).expanduser()
    except RuntimeError:
        raise ConfigProblems(
            [f"outputs: given {outputs!r}; there is no such user; give the folder's whole path"]
        ) from None
    unfit = unfit_for_slurm((folder / execution.study).absolute()) if isinstance(execution.cluster, Slurm) else None
    if not outputs.strip() or "\0" in outputs or unfit:
        raise ConfigProblems([f"outputs: {unfit or f'given {outputs!r}; name a folder, such as outputs=outputs'}"])
    return str(folder)


def foreign_keys(content: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each section of a configuration that is not read."""
    known = (*_SCIENCE, *_EXECUTION, *_STEERING)
    foreign = [key for key in content if key not in known and key != "hydra"]
    return [f"{key}: unknown section; allowed: {', '.join(known)}{did_you_mean(key, known)}" for key in foreign]


def read_cells(contents: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Return the cell of each content. Raises ConfigProblems with the problems of all of them at once.

    Where contents share a section as one object, their cells share the part that is made of it.
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
    """The part that each section became, by the identity of the section. The contents must live as long as this."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, int], Any] = {}
        kinds: dict[str, Any] = {name: field.annotation for name, field in Cell.model_fields.items()}
        self._kinds = {name: TypeAdapter[Any](kind) for name, kind in kinds.items()}

    def cell(self, content: Mapping[str, Any]) -> Cell | None:
        """Return the cell of a content, or None where it has none: `read_cell` says what is wrong with the whole of it."""
        if foreign_keys(content) or not self._kinds.keys() <= content.keys():
            return None
        try:
            return Cell.of_parts({name: self._part(name, content[name]) for name in self._kinds})
        except ValidationError:
            return None

    def _part(self, name: str, section: Any) -> Any:
        identity = name, id(section)
        if identity not in self._parts:
            self._parts[identity] = self._kinds[name].validate_json(json.dumps(section))
        return self._parts[identity]
