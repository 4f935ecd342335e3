"""The tables of the report as plain values, so that the templates only lay them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ablation.analysis.effects.factor_effects import TRAINING
from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.findings.estimate_text import EstimateRow, bounds, judge, points
from ablation.analysis.records.decided import decided
from ablation.analysis.records.load import ALL, SEED_COLUMNS, Study
from ablation.report.display_text import clean, level_text, percent, quantity
from ablation.report.inline_svg import interval_glyph, sparkline
from ablation.specs.vocabulary import FACTORS

WEAK_H = 0.3  # Mokken's bound, below which a question is not taken for a rung


@dataclass(frozen=True)
class Heat:
    """A square of a heat table."""

    text: str
    tint: int | None
    """From 0 to 100; None for no tint at all."""
    title: str = ""
    """The sentence that it shows when it is pointed at."""

    @property
    def depth(self) -> str:
        """The style class by which the sheet chooses a text colour that can be read on the tint."""
        return "deep" if (self.tint or 0) >= 75 else "middling" if (self.tint or 0) >= 58 else ""


@dataclass(frozen=True)
class Estimate:
    """A difference with its interval, as a table shows it."""

    value: str
    """In points with a sign; a dash where it cannot be estimated."""
    bounds: str
    """The 95 % interval; empty where there is none."""
    verdict: str
    """The answer of `judge`: raised, lowered, open or unknown."""
    reason: str
    """The reason why a number is absent; empty where none is."""
    glyph: Markup
    """The interval as a mark the size of a word."""


def estimate_rows(frame: pd.DataFrame, by: Sequence[str], span: float) -> list[dict[Any, Any]]:
    """Return one row for each distinct `by` (None where it does not apply), with its Estimate in each scope as `by_scope`.

    The marks are on an axis from −`span` to +`span`.
    """
    rows: list[dict[Any, Any]] = []
    for _, group in frame.groupby(list(by), sort=False, dropna=False):
        records = group.to_dict("records")
        labels: dict[Any, Any] = {name: None if pd.isna(records[0][name]) else records[0][name] for name in by}
        rows.append({**records[0], **labels, "by_scope": [shown_estimate(record, span) for record in records]})
    return rows


def level_means(analysis: Analysis) -> list[dict[Any, Any]]:
    """Return the marginal means: one row a level with a Heat for each scope as `by_scope`."""
    rows: list[dict[Any, Any]] = []
    for _, group in analysis.means.groupby(["factor", "level"], sort=False, dropna=False):
        records = group.to_dict("records")
        heats = [heat(record["estimate"], title=str(record["reason"])) for record in records]
        is_base = records[0]["factor"] == TRAINING
        labels: dict[Any, Any] = {"factor": "base model", "level": ""} if is_base else {}
        rows.append({**records[0], **labels, "by_scope": heats})
    return rows


def factor_columns(analysis: Analysis) -> list[str]:
    """Return the names of the factors, and `seed` where it varies."""
    return [*FACTORS, "seed"] if analysis.scores.n_seeds > 1 else list(FACTORS)


def cell_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return one row a cell: its levels (as in `factor_columns`), avg@n and cov@n of each scope, shares without an answer."""
    columns = factor_columns(analysis)
    reasons = dict(zip(analysis.coverage["cell"], analysis.coverage["reason"], strict=True))
    metrics = analysis.metrics.to_dict("records")
    return [
        {
            "cell": cell["cell"],
            "levels": [_level(cell, column) for column in columns],
            "avg": [heat(row[f"avg_{scope}"], reasons[cell["cell"]]) for scope in analysis.scores.all_and_tiers],
            "cov": [heat(row[f"cov_{scope}"], reasons[cell["cell"]]) for scope in analysis.scores.all_and_tiers],
            "no_answer": percent(row["no_answer_rate"]),
            "truncated": percent(row["truncated_rate"]),
        }
        for cell, row in zip(analysis.scores.cells.to_dict("records"), metrics, strict=True)
    ]


def decided_rows(analysis: Analysis) -> list[dict[Any, Any]]:
    """Return one row a curtailed cell: its levels, its pass line, the answer, and the attempts that this took."""
    columns = factor_columns(analysis)
    return [
        {**row, "levels": [_level(row, column) for column in columns]}
        for row in decided(analysis.study).to_dict("records")
    ]


def question_map(analysis: Analysis) -> dict[str, Any]:
    """Return cells (best first) × questions (most solved first in each tier): correct attempts out of those present.

    `tiers`: (tier, its questions); `questions`: (name, whether a tier starts there, index); `rows`: (cell, index, squares).
    """
    scores = analysis.scores
    present_c = np.flatnonzero(scores.attempts_cq.sum(axis=1) > 0)
    share_cq = scores.correct_cq / np.maximum(scores.attempts_cq, 1)
    by_rate_c = sorted(present_c, key=lambda c: (-share_cq[c].mean(), c))
    tier_q = [scores.tiers.index(tier) for tier in scores.questions["tier"]]
    # Cells of another evaluator are shown, and do not decide the order.
    compared_c = [c for c in present_c if not scores.is_apart_c[c]]
    order_q = sorted(range(len(tier_q)), key=lambda q: (tier_q[q], -share_cq[compared_c, q].sum(), q))
    names, cells = scores.questions["question"].tolist(), scores.cells["cell"].tolist()
    starts = {q for q, before in zip(order_q[1:], order_q, strict=False) if tier_q[q] != tier_q[before]}
    return {
        "tiers": [(tier, int((scores.questions["tier"] == tier).sum())) for tier in scores.tiers],
        "questions": [(names[q], q in starts, q) for q in order_q],
        "rows": [
            (
                cells[c],
                c,
                [(_solved(scores.correct_cq[c, q], scores.attempts_cq[c, q], names[q]), q in starts) for q in order_q],
            )
            for c in by_rate_c
        ],
    }


def weakest_questions(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Return (question, tier, H) of the questions that break the ladder most: H below .3, lowest first, eight at most."""
    questions = analysis.ladder.questions.dropna(subset="h_question").sort_values("h_question", kind="stable")
    weak = questions[questions["h_question"] < WEAK_H].head(8)
    return [(row["question"], row["tier"], f"{row['h_question']:.2f}") for row in weak.to_dict("records")]


def training_rows(study: Study) -> list[dict[str, Any]]:
    """Return one row a trained cell: its costs and its loss curve. Columns that were not recorded stay dashes."""
    losses = _losses(study)
    trained = study.cells[study.cells["count"] > 0].to_dict("records")
    return [_training(row, losses.get(row["cell"], [])) for row in trained]


def left_out_rows(study: Study) -> list[tuple[str, list[str]]]:
    """Return (reason, the combinations that it kept out of the design), in the manifest's order."""
    groups: dict[str, list[str]] = {}
    for entry in study.manifest.get("left_out", []):
        levels = ", ".join(f"{name} {level}" for name, level in entry["factors"].items() if level is not None)
        groups.setdefault(str(entry["reason"]), []).append(levels)
    return list(groups.items())


def heat(fraction: float, title: str = "") -> Heat:
    """Return a fraction in percent, tinted by its size; NaN becomes a dash without a tint."""
    return Heat(percent(fraction), None if np.isnan(fraction) else round(100 * fraction), title)


def shown_estimate(record: EstimateRow, span: float) -> Estimate:
    """Return a row of estimates as a table shows it, its mark on an axis from −`span` to +`span`."""
    has_bounds = not np.isnan(record["low"])
    verdict = judge(record)
    is_clear = verdict in ("raised", "lowered")
    glyph = interval_glyph(record["estimate"], record["low"], record["high"], span, is_clear)
    return Estimate(points(record["estimate"]), bounds(record) if has_bounds else "", verdict, record["reason"], glyph)


def _level(cell: Mapping[Any, Any], column: str) -> tuple[str, str]:
    """Return (text to show, text to sort by) of a cell's level. A cell whose three seeds differ shows them all."""
    count: float = float("nan") if pd.isna(cell["count"]) else cell["count"]  # an imported model may have no factors
    if column == "category" and count == 0:
        return "base model", ""
    if column == "category" and np.isnan(count) and pd.isna(cell["category"]):  # then its name must stand for it
        name = cell["cell"] if pd.isna(cell.get("model")) else cell["model"]
        return clean(name), str(name)
    text = level_text(cell.get(column))
    if column == "seed" and text == "–" and count > 0:
        text = "/".join(level_text(cell[name]) for name in SEED_COLUMNS)
    return text, text


def _solved(correct: int, attempts: int, question: str) -> Heat:
    """Return a square of the question map; it is untinted where nothing was attempted, and empty where nothing was solved."""
    if attempts == 0:
        return Heat("", None, f"{question}: no attempts")
    return Heat(
        str(correct) if correct else "", round(100 * correct / attempts), f"{question}: {correct} of {attempts}"
    )


def _losses(study: Study) -> dict[str, list[float]]:
    """Return cell → its losses by update; empty where no loss was recorded."""
    if study.loss is None:
        return {}
    ordered = study.loss.sort_values(["cell", "update"])
    return {str(cell): group["loss"].tolist() for cell, group in ordered.groupby("cell")}


def _training(row: Mapping[Any, Any], losses: list[float]) -> dict[str, Any]:
    """Return the row of one trained cell."""

    def number(name: str, digits: int = 0) -> str:
        value = row.get(name)
        return quantity(None if value is None or pd.isna(value) else float(value), digits)

    spark: Markup = sparkline(losses)
    lengths = " / ".join(number(f"length_p{share}") for share in (10, 50, 90))
    return {
        "cell": row["cell"],
        "numbers": [number("train_examples"), lengths, number("updates"), number("train_tokens")],
        "loss": number("train_loss", 3),
        "curve": spark,
        "seconds": [number("train_seconds", 1), number("sample_seconds", 1)],
    }


def scope_label(scope: str) -> str:
    """Return the heading of a column: the tier's name, or `all` for every question."""
    return "all" if scope == ALL else scope
