"""From a composed Hydra configuration to frozen values: the only place that knows both."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, Field, ValidationError, field_validator

from ablation.cell import Cell
from ablation.cluster import Cluster, Local, Slurm, unfit_for_slurm
from ablation.credentials import refuse_keys
from ablation.errors import ConfigProblems, nearest
from ablation.primary import Primary
from ablation.science import Name
from ablation.spec import Spec


class Tracker(Spec):
    """Weights & Biases: `auto` is online where a key is configured, else offline."""

    mode: Literal["auto", "online", "offline", "disabled"]
    project: Name
    entity: str | None = None
    init_timeout_s: Annotated[int, Field(gt=0)] = 20
    finish_timeout_s: Annotated[int, Field(gt=0)] = 120


# What stays of a cell's weights: all, an adapter that was not merged, nothing.
Keep = Literal["weights", "adapter", "none"]


class Execution(Spec):
    """Everything that cannot change a number: where results go, what runs them, who watches, what stays on disk.

    `keep` none drops the weights of each cell once it is graded and no other cell waits for them; adapter drops whole weights
    and keeps adapters that were not merged.
    """

    study: Name
    outputs: str
    cluster: Cluster
    tracker: Tracker
    keep: Keep = "weights"
    hypothesis: str | None = None
    primary: Primary | None = None
    note: str | None = None
    scale: str

    @field_validator("study")
    @classmethod
    def _not_a_folder_of_ours(cls, study: str) -> str:
        if study in RESERVED:
            raise ValueError(f"{study!r} is a folder of the outputs themselves; choose another study=NAME")
        return study


# What else lies in the outputs folder.
RESERVED = ("store", "wandb")
_SCIENCE = tuple(Cell.model_fields)
_EXECUTION = ("study", "outputs", "cluster", "tracker", "keep")
# Sections that steer composition and the design; they leave no value on a cell.
_STEERING = ("scale", "sweep")


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved content of a composed configuration. Raises ConfigProblems on an interpolation that does not resolve."""
    try:
        content = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        told, key = str(error).splitlines()[0], error.full_key
        raise ConfigProblems([told if not key or key in told else f"{key}: {told}"]) from error
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def read_cell(content: Mapping[str, Any]) -> Cell:
    """The cell that a resolved configuration describes. Raises ConfigProblems with everything that is wrong."""
    refuse_keys([content], os.environ)
    problems = foreign_keys(content)
    science = {name: content[name] for name in _SCIENCE if name in content}
    seed = science.get("seed")
    if isinstance(seed, int) and not isinstance(seed, bool):
        science["seed"] = dict.fromkeys(("data", "train", "sample"), seed)
    try:
        cell = Cell.parse(science)
    except ValidationError as error:
        raise ConfigProblems(problems + sentences(error, Cell)) from None
    if problems:
        raise ConfigProblems(problems)
    return cell


def read_execution(content: Mapping[str, Any]) -> Execution:
    """Where and how the configuration asks to run. Raises ConfigProblems."""
    refuse_keys([content], os.environ)
    scale, sweep = content.get("scale") or {}, content.get("sweep") or {}
    told = {"scale": scale.get("name"), "note": scale.get("note"), "hypothesis": sweep.get("hypothesis")}
    told["primary"] = sweep.get("primary")
    try:
        execution = Execution.model_validate_json(
            json.dumps({**{name: content[name] for name in _EXECUTION if name in content}, **told})
        )
    except ValidationError as error:
        raise ConfigProblems(sentences(error, Execution)) from None
    return execution.model_copy(update={"outputs": _outputs(execution)})


def _outputs(execution: Execution) -> str:
    """The folder of the outputs with ``~`` in its place. Raises ConfigProblems on one that cannot be what was meant."""
    given = execution.outputs
    try:
        folder = Path(given).expanduser()
    except RuntimeError:
        raise ConfigProblems(
            [f"outputs: given {given!r}; there is no such user; give the folder's whole path"]
        ) from None
    unfit = unfit_for_slurm((folder / execution.study).absolute()) if isinstance(execution.cluster, Slurm) else None
    if not given.strip() or "\0" in given or unfit:
        raise ConfigProblems([f"outputs: {unfit or f'given {given!r}; name a folder, such as outputs=outputs'}"])
    return str(folder)


def foreign_keys(content: Mapping[str, Any]) -> list[str]:
    """Sections of a configuration that nobody reads, as sentences."""
    known = (*_SCIENCE, *_EXECUTION, *_STEERING)
    foreign = [key for key in content if key not in known and key != "hydra"]
    return [f"{key}: unknown section; allowed: {', '.join(known)}{nearest(key, known)}" for key in foreign]


def sentences(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Pydantic's findings as sentences: where, what was given, what is allowed, the nearest match."""
    return [_sentence(dict(item), root) for item in error.errors(include_url=False)]


def _sentence(item: dict[str, Any], root: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in item["loc"] if not _is_branch(part)) or "cell"
    if item["type"] == "extra_forbidden":
        allowed = _fields_at(root, item["loc"][:-1])
        return f"{place}: unknown key; allowed: {', '.join(allowed)}{nearest(str(item['loc'][-1]), allowed)}"
    if item["type"] == "missing":
        return f"{place}: missing, and it has no default"
    if item["type"] == "literal_error":
        expected = str(item["ctx"]["expected"])
        names = [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]
        return f"{place}: given {item['input']!r}; allowed: {', '.join(names)}{nearest(str(item['input']), names)}"
    if item["type"] == "union_tag_invalid":
        names = [part.strip(" '") for part in str(item["ctx"]["expected_tags"]).split(",")]
        return f"{place}.kind: given {item['ctx']['tag']!r}; allowed: {', '.join(names)}"
    if item["type"] == "value_error":
        return f"{place}: {item['ctx']['error']}"
    return (
        f"{place}: given {item['input']!r} ({type(item['input']).__name__}); {item['msg'][0].lower()}{item['msg'][1:]}"
    )


def _is_branch(part: object) -> bool:
    """Pydantic names the branch of a union in the location (``constrained-int``); a reader has no use for it."""
    return isinstance(part, str) and (
        "-" in part or "[" in part or part in {"int", "float", "str", "local", "debug", "slurm"}
    )


def _fields_at(root: type[BaseModel], location: Sequence[object]) -> list[str]:
    model: Any = root
    for part in location:
        if isinstance(part, int):  # a place in a list, whose items are of one kind
            continue
        if part not in model.model_fields:  # the tag of a union, already descended into
            model = next(one for one in (Local, Slurm) if part in get_args(one.model_fields["kind"].annotation))
            continue
        annotation = model.model_fields[part].annotation
        choices = getattr(annotation, "__args__", (annotation,))
        model = next(choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel))
    return list(model.model_fields)
