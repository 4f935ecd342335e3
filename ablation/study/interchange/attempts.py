"""What every reader here makes: models with their attempts, whatever they came from."""

from dataclasses import dataclass, field
from typing import Any

from ablation.study.interchange.columns import Factors


@dataclass(frozen=True)
class ImportedAttempt:
    """One attempt at a question. What the source does not say is None."""

    question: str
    attempt: int
    verdict: str
    answer: str | None = None
    extracted: str | None = None
    text: str | None = None
    told: dict[str, Any] = field(default_factory=dict)  # further columns of results.parquet


@dataclass(frozen=True)
class ImportedModel:
    """One model: what becomes a cell. `n` attempts were planned at each question."""

    name: str
    factors: Factors
    n: int
    attempts: list[ImportedAttempt]


@dataclass(frozen=True)
class Imported:
    """The content of a source. `tier_of` is empty where the source names no tiers."""

    models: list[ImportedModel]
    tier_of: dict[str, str]
