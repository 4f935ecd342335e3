"""The numbers as sentences, incomplete coverage first. No sentence assumes which way an effect should point."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from ablation.analysis.effects.factor_effects import TRAINING
from ablation.analysis.findings.claims import Claim
from ablation.analysis.findings.estimate_text import EstimateRow, counted, interval, judge, sentence
from ablation.analysis.records.decided import decided
from ablation.analysis.records.load import ALL, Study
from ablation.analysis.records.scores import Scores, shortcomings


@dataclass(frozen=True)
class Finding:
    """A statement about the study."""

    topic: str
    """The factor, or `coverage`, `primary`, `tier`, `verdicts`, `ladder`, `claim` and the like."""
    verdict: str
    """raised, lowered, open (not distinguishable from zero), unknown (no interval), warning or note."""
    text: str
    """The sentence, or a few."""
    detail: str = ""
    """The same estimate tier by tier."""
    headline: bool = True
    """True for a sentence that belongs in the answer of the report."""
    exploratory: bool = False
    """True for a comparison that was not named beforehand."""


def state_findings(study: Study, scores: Scores, effects: pd.DataFrame, slopes: pd.DataFrame) -> tuple[Finding, ...]:
    """State what is missing, the effect of each factor, and remarks on how to read them, in this order."""
    metric = f"avg@{study.n_attempts}"
    compared = [_effect(rows, metric) for rows in _grouped(effects, ["factor", "level", "reference"])]
    compared += [_slope(rows, metric) for rows in _grouped(slopes, ["length", "style"])]
    primary = _primary(study, effects, slopes, metric)
    remarks = [*_uninformative(scores), *_without_answer(study, scores), *_ladder(scores, metric)]
    return (*_missing(study, scores), *_decided(study), *primary, *compared, *remarks, _caution(study, effects, slopes))


def state_claims(claims: Sequence[Claim]) -> tuple[Finding, ...]:
    """State the published findings that this study can test, each with its verdict."""
    return tuple(
        Finding("claim", "note", f"Published: “{claim.claim}.” Here {claim.verdict}: {claim.text}", headline=False)
        for claim in claims
        if claim.verdict != "untestable"
    )


def _missing(study: Study, scores: Scores) -> list[Finding]:
    consequence = {
        "Incomplete": "Comparisons leave the incomplete out, and what they would be matched with.",
        "Curtailed": "They take part in no comparison.",
        "Mixed": "These are compared with none: a difference could be one between evaluators.",
    }
    faults = shortcomings(study, scores)
    return [Finding("coverage", "warning", f"{fault} {consequence[fault.split(':')[0]]}") for fault in faults]


def _decided(study: Study) -> list[Finding]:
    """State how many curtailed cells reached each pass line."""
    rows = decided(study)
    return [
        Finding(
            "pass line",
            "note",
            f"Pass line {line}: reached by {int((cells['answer'] == 'reached').sum())} of {counted(len(cells), 'cell')}, as "
            f"certain as with all attempts; {int(cells['attempts'].sum()):,} of {int(cells['planned'].sum()):,} were needed.",
        )
        for line, cells in rows.groupby("line", sort=False)
    ]


def _grouped(frame: pd.DataFrame, by: list[str]) -> Iterable[Sequence[EstimateRow]]:
    """Return the rows of each estimate, one per tier, `ALL` first."""
    return (group.to_dict("records") for _, group in frame.groupby(by, sort=False, dropna=False))


def _primary(study: Study, effects: pd.DataFrame, slopes: pd.DataFrame, metric: str) -> list[Finding]:
    """State the comparison that was named beforehand: it is a single one, so its interval needs no correction."""
    primary = study.primary
    if primary is None:
        return []
    if primary.is_slope:
        rows = slopes[slopes["length"].isna() & slopes["style"].isna()]
    else:
        same = (effects["level"].astype(str) == str(primary.level)) & (
            effects["reference"].astype(str) == str(primary.reference)
        )
        rows = effects[(effects["factor"] == primary.factor) & same]
    matching = rows[rows["tier"] == primary.tier].to_dict("records")
    named = f"Named beforehand ({primary})"
    if not matching:
        return [Finding("primary", "unknown", f"{named}: not among the comparisons that this study can make.")]
    row = {name: value for name, value in matching[0].items() if name != "p_holm"}
    over = counted(row["sets" if primary.is_slope else "pairs"], "matched set" if primary.is_slope else "matched pair")
    verdict = judge(row)
    subject = f"{named}: this" if verdict in ("raised", "lowered") else named
    return [Finding("primary", verdict, sentence(subject, metric, over, row))]


def _effect(rows: Sequence[EstimateRow], metric: str) -> Finding:
    row, factor = rows[0], str(rows[0]["factor"])
    if pd.isna(row["reference"]):
        return Finding(factor, "unknown", sentence(factor.capitalize(), metric, "", row), headline=False)
    subject = f"{factor.capitalize()} {row['level']} instead of {row['reference']}"
    over = counted(row["pairs"], "matched pair")
    if factor == TRAINING:
        subject, over = "Training", f"mean of {counted(row['pairs'], 'cell')} against the base model"
    return _finding(factor, subject, over, rows, metric, headline=factor != "count")  # the slope speaks for the counts


def _slope(rows: Sequence[EstimateRow], metric: str) -> Finding:
    row = rows[0]
    pooled = row["length"] is None or pd.isna(row["length"])
    subject = "Each doubling of the count"
    if not pooled:
        subject += f" at length {row['length']}, style {row['style']}"
    over = f"{counted(row['sets'], 'matched set')} of cells"
    return _finding("count" if pooled else "scaling", subject, over, rows, metric, headline=pooled)


def _finding(topic: str, subject: str, over: str, rows: Sequence[EstimateRow], metric: str, headline: bool) -> Finding:
    by_tier = " · ".join(f"{row['tier']} {interval(row)}" for row in rows if row["tier"] != ALL)
    text = sentence(subject, metric, over, rows[0])
    return Finding(topic, judge(rows[0]), text, by_tier, headline, exploratory=True)


def _uninformative(scores: Scores) -> list[Finding]:
    """State which tiers are at the floor or the ceiling in every cell: no effect can show there."""
    averages = scores.averages()
    return [
        Finding("tier", "note", f"Tier {tier} is at {value:.0%} in every complete cell, so no effect can show in it.")
        for tier in scores.tiers
        for value in averages[tier].dropna().unique()
        if value in (0.0, 1.0) and averages[tier].nunique() == 1
    ]


def _without_answer(study: Study, scores: Scores) -> list[Finding]:
    verdicts = study.results.loc[~study.results["cell"].isin(scores.apart), "verdict"]
    if verdicts.empty:
        return []
    no_answer, truncated = (float((verdicts == verdict).mean()) for verdict in ("no_answer", "truncated"))
    gave = f"{no_answer:.1%} of the attempts gave no answer and {truncated:.1%} were cut off at the token limit"
    text = f"{gave}; both count as not correct."
    if ungradable := int((verdicts == "ungradable").sum()):
        text += f" {counted(ungradable, 'answer')} could not be graded within the grader's limits, and count as not correct too."
    return [Finding("verdicts", "note", text, headline=False)]


def _ladder(scores: Scores, metric: str) -> list[Finding]:
    """State in how many cells avg@n falls from tier to tier in the order of the manifest."""
    averages = scores.averages()[list(scores.tiers)].dropna()
    if len(scores.tiers) < 2 or averages.empty:
        return []
    falling = int((averages.diff(axis=1).iloc[:, 1:] <= 0).all(axis=1).sum())
    text = (
        f"Ladder: {metric} never rises from one tier to the next ({', '.join(scores.tiers)}) in {falling} of "
        f"{counted(len(averages), 'complete cell')}. A description; no test where pass rates set the tiers."
    )
    return [Finding("ladder", "note", text, headline=False)]


def _caution(study: Study, effects: pd.DataFrame, slopes: pd.DataFrame) -> Finding:
    """State how many intervals are shown, and which comparisons are exploratory."""
    shown = int(effects["low"].notna().sum() + slopes["low"].notna().sum())
    if study.primary:
        stated = f"One comparison was named beforehand ({study.primary}); every other one is exploratory"
    elif study.manifest.get("hypothesis"):
        stated = "The hypothesis does not single out a comparison, so every comparison is exploratory"
    else:
        stated = "No hypothesis was stated beforehand, so every comparison is exploratory"
    text = (
        f"{stated}. {counted(shown, 'interval')} at 95 % are shown, each for itself; "
        "verdicts on contrasts are corrected for the number of them within one factor and tier (Holm), not across."
    )
    return Finding("caution", "note", text, headline=False)
