"""The map that says which columns of somebody's table hold what: the file behind ``--columns MAP.yaml``."""

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
    """One model of a wide table, which has a column of counts for each: `n` is a column or the number of attempts."""

    correct: str | None = None
    n: str | Positive | None = None
    factors: Factors = Factors()


class ColumnMap(Spec):
    """Where things stand. Names with dots go into objects (``doc.id``).

    A long table of counts has the columns `model`, `correct` and `n`; a wide one lists its `models`. Sample logs have `passes`
    (0 and 1, one for each attempt) or `passed` (of the only attempt); where rows were scored by several filters, `filter` names
    one. `tier` is a column, `tiers` a YAML file from tier to ids. `factors` names columns of a long table; factors of a
    model stand under `models`.
    """

    question: str | None = None
    model: str = "model"
    correct: str = "correct"
    n: str | Positive = "n"
    tier: str | None = None
    tiers: str | None = None
    answer: str | None = None
    passes: str = "exact_matches"
    passed: str = "exact_match"
    filter: str | None = None
    factors: dict[Literal["category", "count", "length", "style", "seed"], str] = Field(default_factory=dict)
    models: dict[str, ModelColumns] = Field(default_factory=dict)
    evaluator: str = "imported"
    grader: str = "imported"


def read_columns(path: Path | None) -> ColumnMap:
    """The map in a YAML file; without one, the usual names. Raises ConfigProblems with everything that is wrong."""
    if path is None:
        return ColumnMap()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ColumnMap.model_validate(content or {})
    except ValidationError as error:
        told = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
        allowed = f"; keys are {', '.join(ColumnMap.model_fields)}"
        raise ConfigProblems([f"{path}: {place}: {message}{allowed}" for place, message in told]) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigProblems([f"{path}: not a map of columns in YAML ({str(error).splitlines()[0]})"]) from error
