"""Mistakes in the configuration as sentences: where, what was given, what is allowed, and what the key means."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ablation.config.cluster import Local, Slurm
from ablation.errors import did_you_mean


def sentences(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Return pydantic's findings as sentences: where, what was given, what is allowed, and what the key means.

    ``Cell`` with ``train.batch="x"`` gives ``train.batch: given 'x' (str); input should be a valid integer (batch: examples per
    optimizer update, whatever the number of processes)``.
    """
    return [_sentence(dict(item), root) for item in error.errors(include_url=False)]


def meaning(root: type[BaseModel], path: Sequence[object]) -> str | None:
    """Return the first sentence of a key's description, as it stands within a sentence; None for a key that is not there.

    ``meaning(Cell, ("train", "epochs"))`` is ``passes over the selection``.
    """
    models, text = [root], None
    for part in path:
        if isinstance(part, int):  # a place in a list, whose items are of one kind
            continue
        fields = [model.model_fields[str(part)] for model in models if str(part) in model.model_fields]
        if not fields:
            continue  # the tag of a union, which is no key
        text = fields[0].description
        models = [model for field in fields for model in models_within(field.annotation)]
    if not text:
        return None
    first = text.split(". ")[0].split(".\n")[0].removesuffix(".")
    # A word such as GPU or LoRA keeps its capitals.
    return first[0].lower() + first[1:] if first[1:2].islower() or first[1:2] == " " else first


def models_within(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield every model in an annotation, ``tuple[Benchmark, ...] | None`` for instance."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_within(part)


def _sentence(item: dict[str, Any], root: type[BaseModel]) -> str:
    location = item["loc"]
    key = ".".join(str(part) for part in location if not _is_branch(part)) or "cell"
    if item["type"] == "extra_forbidden":
        return _unknown_key(key, root, location)
    if item["type"] == "union_tag_invalid":
        key, location = f"{key}.kind", (*location, "kind")
    text = f"{key}: {_finding(item)}"
    explained = meaning(root, location)
    # A validator of a whole section says what is wrong with it; the section's own meaning would add nothing.
    if not explained or item["type"] == "value_error":
        return text
    return f"{text} ({key.rpartition('.')[2]}: {explained})"


def _finding(item: dict[str, Any]) -> str:
    """Return what was given and what is allowed."""
    if item["type"] == "missing":
        return "missing, and it has no default"
    if item["type"] == "literal_error":
        names = _words(str(item["ctx"]["expected"]).replace(" or ", ","))
        return f"given {item['input']!r}; allowed: {', '.join(names)}{did_you_mean(str(item['input']), names)}"
    if item["type"] == "union_tag_invalid":
        return f"given {item['ctx']['tag']!r}; allowed: {', '.join(_words(str(item['ctx']['expected_tags'])))}"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return f"given {item['input']!r} ({type(item['input']).__name__}); {item['msg'][0].lower()}{item['msg'][1:]}"


def _unknown_key(key: str, root: type[BaseModel], location: Sequence[object]) -> str:
    allowed = _fields_at(root, location[:-1])
    hint = did_you_mean(str(location[-1]), allowed, lambda name: meaning(root, (*location[:-1], name)))
    return f"{key}: unknown key; allowed: {', '.join(allowed)}{hint}"


def _words(listed: str) -> list[str]:
    """Return the words of a list such as ``'local', 'debug', 'slurm'``."""
    return [word.strip(" '") for word in listed.split(",")]


def _is_branch(part: object) -> bool:
    """Return True for the branch of a union, which pydantic names in the location (``constrained-int``)."""
    return isinstance(part, str) and (
        "-" in part or "[" in part or part in {"int", "float", "str", "local", "debug", "slurm"}
    )


def _fields_at(root: type[BaseModel], location: Sequence[object]) -> list[str]:
    """Return the keys that are allowed at a location."""
    model: Any = root
    for part in location:
        if isinstance(part, int):  # a place in a list, whose items are of one kind
            continue
        if part not in model.model_fields:  # the tag of a union, already descended into
            model = next(spec for spec in (Local, Slurm) if part in get_args(spec.model_fields["kind"].annotation))
            continue
        model = next(models_within(model.model_fields[part].annotation))
    return list(model.model_fields)
