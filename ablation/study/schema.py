"""The schema of a study's records: every column of its tables and every key of its manifest.

The tables also hold measures, one column for each tier of the benchmark; `CellRow` names their pattern.
"""

from collections.abc import Mapping
from types import NoneType
from typing import Any, NotRequired, TypedDict, get_args, get_type_hints

from ablation.specs.vocabulary import FACTORS, SEEDS

_DTYPES = {
    (str, False): "string",
    (str, True): "string",
    (int, False): "int64",
    (int, True): "Int64",
    (bool, False): "bool",
}


class ResultRow(TypedDict):
    """``results.parquet``: one row for each attempt of a complete cell. No other cell has rows."""

    cell: str
    """Name of the cell: its factors and the first six digits of its key."""
    category: str | None
    """C, the category of the corpus. Null where nothing was trained, as are N, L and S of models that others trained."""
    count: int
    """N, the number of trajectories; 0 is the base model."""
    length: str | None
    """L, the level of length."""
    style: str | None
    """S, the author of the trajectories."""
    seed: int | None
    """The replicate; of the base model its seed for sampling."""
    seed_data: int | None
    """Seed of the selection; null for a base model."""
    seed_train: int | None
    """Seed of the training; null for a base model."""
    seed_sample: int | None
    """Seed of the sampling."""
    question: str
    """Id of the question in its benchmark."""
    tier: str
    """Tier of the question."""
    attempt: int
    """Number of the attempt at this question, from 0."""
    verdict: str
    """One of ``correct``, ``wrong``, ``no_answer``, ``truncated``, ``ungradable``."""
    finish_reason: str
    """``stop``, ``length`` or ``repetition``."""
    tokens: int
    """Tokens that were generated, the end token included."""
    answer: str
    """The reference answer, as printed in the benchmark."""
    extracted: str | None
    """The answer that the grader read; null where it read none."""
    evaluator: str
    """Name of the evaluator. Attempts of different evaluators do not compare; the manifest says what each name stands for."""
    grader: str
    """Version of the rules by which verdicts are given."""
    stream_seed: str
    """Seed of the attempt's random stream: 128 bits, 32 hexadecimal digits. The same attempt has the same in every cell."""
    curtailed: bool
    """True where sampling ended as soon as a pass line was decided. Such attempts may not be averaged."""


class CellRow(TypedDict):
    """``cells.parquet``: one row for each planned cell, complete or not. A number that is not known is null.

    Behind these columns stand the measures: ``planned`` and ``present`` count attempts; ``avg_TIER`` and ``cov_TIER`` are the
    fractions avg@n and cov@n of a tier, with TIER ``all`` for every question, and NaN where attempts are missing. Then
    ``no_answer_rate``, ``truncated_rate`` and ``ungradable_rate``, and the errors ``avg_TIER_se``, ``avg_TIER_se_questions``,
    ``cov_TIER_se``, ``cov_TIER_se_questions``.
    """

    cell: str
    """Name of the cell."""
    model: str
    """Name of the base model."""
    key: str
    """SHA-256 over everything that can change the cell's numbers."""
    state: str
    """``done``, ``failed`` or ``missing``."""
    category: str | None
    """C, as in the results."""
    count: int
    """N."""
    length: str | None
    """L."""
    style: str | None
    """S."""
    seed: int | None
    """The replicate."""
    seed_data: int | None
    """Seed of the selection."""
    seed_train: int | None
    """Seed of the training."""
    seed_sample: int | None
    """Seed of the sampling."""
    n: int
    """Attempts that are planned at each question."""
    curtailed: bool
    """True where sampling ends as soon as a pass line is decided."""
    line: str | None
    """The pass line; null, as are the next three, where there is none."""
    line_answer: str | None
    """``reached`` or ``missed``."""
    line_correct: int | None
    """Correct attempts that were made."""
    line_attempts: int | None
    """Attempts that were made until the answer was certain."""
    updates: int | None
    """Optimizer updates; this and the columns up to `train_tokens_per_second` are null for a base model."""
    train_examples: int | None
    """Examples seen, one that is seen again in a later epoch counted again."""
    train_tokens: int | None
    """Tokens of the examples seen."""
    target_tokens: int | None
    """Those of them on which there is a loss."""
    truncated_examples: int | None
    """Examples that were cut at the longest length allowed."""
    dropped_examples: int | None
    """Examples that were left out, since nothing of them could be trained on."""
    train_loss: float | None
    """Mean loss of the training, per target token."""
    train_seconds: float | None
    """Seconds of updates and checkpoints."""
    train_tokens_per_second: float | None
    """Useful tokens a second; padding does not count."""
    sample_seconds: float | None
    """Seconds of sampling, all blocks of attempts together."""
    length_p10: float | None
    """Tokens of the selected trajectories: the 10th percentile."""
    length_p50: float | None
    """The median."""
    length_p90: float | None
    """The 90th percentile."""


class LossRow(TypedDict):
    """``loss.parquet``: one row for each optimizer update of a complete trained cell."""

    cell: str
    """Name of the cell."""
    update: int
    """Number of the update, from 1."""
    loss: float
    """Mean loss per target token."""
    learning_rate: float
    """The rate of this update."""
    tokens: int
    """Tokens seen since the first update."""


class QuestionRow(TypedDict):
    """``questions.parquet``: one row for each question of any benchmark of the study."""

    question: str
    """Its id."""
    tier: str
    """Its tier."""
    problem: str
    """Its text."""
    answer: str
    """The reference answer, as printed."""


class ManifestCell(TypedDict):
    """A cell in ``manifest.json``."""

    cell: str
    """Name of the cell."""
    key: NotRequired[str]
    """SHA-256 over everything that can change its numbers; absent where the records were imported."""
    state: str
    """``done``, ``failed`` or ``missing``."""
    error: str | None
    """The message of a failed cell."""
    planned_attempts: int
    """Questions × attempts; of a curtailed cell the most there can be."""
    curtailed: NotRequired[dict[str, Any] | None]
    """The pass line that ends its sampling."""
    factors: dict[str, Any]
    """C, N, L, S and the replicate; all null for a model that others trained."""
    stages: NotRequired[dict[str, str]]
    """The complete stages: name → folder below the store."""


class Manifest(TypedDict):
    """``manifest.json``: what was planned, and what became of it."""

    format: int
    """Number of this schema. Readers refuse any other."""
    study: str
    """Name of the study."""
    command: str
    """The command that planned it."""
    created: str
    """When that was, ISO 8601 in UTC."""
    hypothesis: str | None
    """The hypothesis, in the words of the sweep file."""
    primary: dict[str, Any] | None
    """The comparison that was named before the study was run."""
    note: str | None
    """A remark for the readers of its report."""
    scale: str
    """Name of the scale; ``imported`` where the records come from elsewhere."""
    n: int
    """The most attempts that any cell plans at each question."""
    tiers: list[str]
    """The tiers, in the order of their files."""
    fixed: NotRequired[list[dict[str, Any]]]
    """The distinct choices of all that is held equal among trained cells. More than one entry is a confound to look at."""
    evaluators: NotRequired[dict[str, dict[str, Any]]]
    """Name → what it stands for: ``sample``, ``engine``, ``parallel``."""
    cells: list[ManifestCell]
    """Every planned cell."""
    left_out: list[dict[str, Any]]
    """The points of the design that are no cells: ``factors`` and ``reason``."""
    provenance: NotRequired[dict[str, Any]]
    """``git``, ``versions`` and ``hostname`` of the command that wrote this file."""
    imported: NotRequired[list[dict[str, str]]]
    """The files that imported records come from: ``file`` and ``sha256``."""


def _dtypes(row: type, names: tuple[str, ...] | None = None) -> dict[str, str]:
    """Return the pandas type of each column of a row. Whole numbers that may be null are `Int64`; fractions have no entry."""
    hints: Mapping[str, Any] = get_type_hints(row)
    dtypes = {}
    for name in names or tuple(hints):
        kinds = get_args(hints[name]) or (hints[name],)
        dtypes[name] = _DTYPES[kinds[0], NoneType in kinds]
    return dtypes


FACTOR_TYPES = _dtypes(CellRow, (*FACTORS, "seed"))
SEED_TYPES = _dtypes(CellRow, tuple(f"seed_{seed}" for seed in SEEDS))
LINE_TYPES = _dtypes(CellRow, ("line", "line_answer", "line_correct", "line_attempts"))
RESULT_TYPES = _dtypes(ResultRow)
CELL_COLUMNS = tuple(CellRow.__annotations__)
LOSS_COLUMNS = tuple(LossRow.__annotations__)
QUESTION_COLUMNS = tuple(QuestionRow.__annotations__)
TRAINING_COLUMNS = CELL_COLUMNS[CELL_COLUMNS.index("updates") : CELL_COLUMNS.index("train_seconds")]
