"""Imported models with their attempts: the result of every reader of this folder."""

from dataclasses import dataclass, field
from typing import Any

from ablation.study.interchange.columns import Factors


@dataclass(frozen=True)
class ImportedAttempt:
    """One attempt at a question, of a record that another program made. None stands for what the source does not say."""

    question: str
    attempt: int
    verdict: str
    answer: str | None = None
    extracted: str | None = None
    text: str | None = None
    further_columns: dict[str, Any] = field(default_factory=dict)
    """More columns of ``results.parquet``, by name."""


@dataclass(frozen=True)
class ImportedModel:
    """One model, which becomes a cell."""

    name: str
    factors: Factors
    n: int
    """Attempts that were planned at each question."""
    attempts: list[ImportedAttempt]


@dataclass(frozen=True)
class Imported:
    """The content of a source."""

    models: list[ImportedModel]
    tier_of: dict[str, str]
    """Question → tier; empty where the source names no tiers."""
