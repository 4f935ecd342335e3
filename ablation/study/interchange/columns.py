"""The map from our names to the columns of a foreign table: the file behind ``--columns MAP.yaml``."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from ablation.errors import ConfigProblems
from ablation.specs import Positive
from ablation.specs.base import Spec


class Factors(Spec):
    """The factors of a model, null where it has none. `count` 0 is the base model."""

    category: str | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    length: str | None = None
    style: str | None = None
    seed: int | None = None


class ModelColumns(Spec):
    """One model of a wide table, which has a column of counts for each model."""

    correct: str | None = None
    """Column of the correct attempts."""
    n: str | Positive | None = None
    """Column of the attempts, or their number."""
    factors: Factors = Factors()


class ColumnMap(Spec):
    """The columns of a table of counts or of sample logs. Names with dots go into objects (``doc.id``)."""

    question: str | None = None
    """Column of the question's id. None: ``question`` in tables, ``doc.id`` or else ``doc_id`` in logs."""
    model: str = "model"
    """Column of the model, in a long table. A wide table lists its `models` instead."""
    correct: str = "correct"
    """Column of the number of correct attempts."""
    n: str | Positive = "n"
    """Column of the number of attempts, or that number."""
    tier: str | None = None
    """Column of the tier."""
    tiers: str | None = None
    """YAML file from tier to ids, which counts before `tier`."""
    answer: str | None = None
    """Column of the reference answer."""
    passes: str = "exact_matches"
    """Column of sample logs: a list of 0 and 1, one for each attempt."""
    passed: str = "exact_match"
    """Column of sample logs without `passes`: 0 or 1, of the only attempt."""
    filter: str | None = None
    """The filter whose rows are read, where rows of a log were scored by several filters."""
    factors: dict[Literal["category", "count", "length", "style", "seed"], str] = Field(default_factory=dict)
    """Factor → column of a long table. Factors of a wide table stand under `models`."""
    models: dict[str, ModelColumns] = Field(default_factory=dict)
    """Model → its columns in a wide table, or its factors in logs."""
    evaluator: str = "imported"
    """Name of the evaluator, of all attempts whose log does not name theirs."""
    grader: str = "imported"
    """Name of the grader, of all attempts whose log does not name theirs."""


def read_columns(path: Path | None) -> ColumnMap:
    """Return the map in a YAML file; without a file, the usual names. Raises ConfigProblems with everything that is wrong."""
    if path is None:
        return ColumnMap()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ColumnMap.model_validate(content or {})
    except ValidationError as error:
        findings = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
        allowed = f"; keys are {', '.join(ColumnMap.model_fields)}"
        raise ConfigProblems([f"{path}: {key}: {message}{allowed}" for key, message in findings]) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigProblems([f"{path}: not a map of columns in YAML ({str(error).splitlines()[0]})"]) from error
