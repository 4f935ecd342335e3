"""Validation errors of pydantic as sentences: where, what was given, what is allowed."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ablation.config.cluster import Local, Slurm
from ablation.errors import did_you_mean


def sentences(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Pydantic's findings as sentences: where, what was given, what is allowed, the nearest match."""
    return [_sentence(dict(item), root) for item in error.errors(include_url=False)]


def _sentence(item: dict[str, Any], root: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in item["loc"] if not _is_branch(part)) or "cell"
    if item["type"] == "extra_forbidden":
        allowed = _fields_at(root, item["loc"][:-1])
        return f"{place}: unknown key; allowed: {', '.join(allowed)}{did_you_mean(str(item['loc'][-1]), allowed)}"
    if item["type"] == "missing":
        return f"{place}: missing, and it has no default"
    if item["type"] == "literal_error":
        expected = str(item["ctx"]["expected"])
        names = [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]
        return f"{place}: given {item['input']!r}; allowed: {', '.join(names)}{did_you_mean(str(item['input']), names)}"
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
