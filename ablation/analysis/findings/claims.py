"""The findings of the study that this tool repeats (arXiv 2504.11741), each as a test with a verdict.

A claim is supported or refuted only by an interval or a test. Otherwise it is undecided. A claim for which a study has no
data is untestable, with the reason.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from ablation.analysis.curves.growth import growth
from ablation.analysis.curves.passline import PASS_LINE, neighbours, pass_bounds, pass_rules
from ablation.analysis.effects.conditions import conditions
from ablation.analysis.effects.equivalence import MARGIN, equivalence, overall
from ablation.analysis.effects.replicates import replicates
from ablation.analysis.effects.uncertainty import ALPHA, ANALYSIS_SEED, BOOTSTRAP_DRAWS
from ablation.analysis.findings.estimate_text import bounds as interval_of
from ablation.analysis.findings.estimate_text import counted, points
from ablation.analysis.ladder.scalability import held_out_h, ladder
from ablation.analysis.records.matching import levels
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Scores

ClaimVerdict = Literal["supported", "refuted", "undecided", "untestable"]
# Rule and numbers of the study's findings, as read from its paper.
PUBLISHED_RULE = {"min_count": 500, "lengths": ("long", "normal"), "styles": ("r1",)}
PUBLISHED_GAP = 0.20
SEED_VARIANCE_NOT_INCLUDED = " No setting has two complete seeds: training-seed variance is not included."
PUBLISHED_EXH = 0.10  # "every model < 10 %"
WEAK_SCALE = 0.3  # from here on Mokken's H counts as a scale, a weak one


@dataclass(frozen=True)
class Claim:
    """A published finding, put to the test."""

    name: str
    """A short name: `pass line`, `category`, `curation`, `growth`, `potential`, `ladder`, `exh`."""
    claim: str
    """The finding in a sentence."""
    verdict: ClaimVerdict
    """The result of the test in this study."""
    text: str
    """The numbers behind the verdict in a sentence or two."""


def weigh_claims(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> tuple[Claim, ...]:
    """Test every claim, in the study's order. The tests are on these questions unless the text says otherwise."""
    claims = (
        _pass_line(scores),
        _same(scores, "category", "Category hardly matters: within ± 4 points of one another"),
        _curation(scores),
        _growth(scores, draws, seed),
        _potential(scores),
        _ladder(scores, seed),
        _exhausted(scores),
    )
    if replicates(scores, measure(scores, scores.all_and_tiers[0])).degrees:
        return claims
    return tuple(
        claim if claim.verdict == "untestable" else replace(claim, text=claim.text + SEED_VARIANCE_NOT_INCLUDED)
        for claim in claims
    )


def _pass_line(scores: Scores) -> Claim:
    """Test the published rule, and name the least rules that hold here."""
    claim = "Medium opens (90 % or more) with N ≥ 500, length normal or long, style r1, any category"
    if "medium" not in scores.tiers or len(levels(scores.cells, "count")) == 0:
        return Claim("pass line", claim, "untestable", "No tier medium, or no trained cell.")
    bounds = pass_bounds(scores, "medium")
    rules = pass_rules(bounds)
    minimal, beside = rules[rules["minimal"]], neighbours(rules)
    passing = {verdict: int((bounds["verdict"] == verdict).sum()) for verdict in ("passes", "fails", "undecided")}
    counts = (
        f"{passing['passes']} of {counted(len(bounds), 'setting')} pass {PASS_LINE:.0%}, {passing['fails']} fail, "
        f"{passing['undecided']} undecided"
    )
    least = "; ".join(_rule(row) for row in minimal.to_dict("records")) or "no rule holds"
    refuted = int((beside["verdict"] == "refuted").sum())
    text = (
        f"{counts}, by bounds that hold for all at once. Least that is enough: {least}. {refuted} of {len(beside)} "
        "neighbours that ask one step less are refuted."
    )
    stated = rules[
        (rules["min_count"] == PUBLISHED_RULE["min_count"])
        & (rules["lengths"] == PUBLISHED_RULE["lengths"])
        & (rules["styles"] == PUBLISHED_RULE["styles"])
    ]
    if stated.empty:
        return Claim("pass line", claim, "untestable", f"{text} No cells with N = 500, both lengths and style r1.")
    verdicts: dict[str, ClaimVerdict] = {"holds": "supported", "refuted": "refuted", "undecided": "undecided"}
    return Claim("pass line", claim, verdicts[str(stated["verdict"].iloc[0])], text)


def _same(scores: Scores, factor: str, claim: str) -> Claim:
    """Test that all levels of a factor are equivalent."""
    if len(levels(scores.cells, factor)) < 2:
        return Claim(factor, claim, "untestable", f"{factor.capitalize()} has one level in this study.")
    pairs = equivalence(scores, factor)
    verdict = overall(pairs)
    number = {name: int((pairs["verdict"] == name).sum()) for name in ("equivalent", "different", "undecided")}
    text = (
        f"{number['equivalent']} of {counted(len(pairs), 'pair')} are equivalent within ± {100 * MARGIN:.0f} points, "
        f"{number['different']} different, {number['undecided']} undecided."
    )
    estimated = [row for row in pairs.to_dict("records") if np.isfinite(row["estimate"])]
    if estimated:
        widest = max(estimated, key=lambda row: abs(row["estimate"]))
        text += f" The widest: {widest['level']} against {widest['reference']}, {points(widest['estimate'])} points."
    # More seeds can decide a pair whose estimate lies within the margin; where none does, the column is NaN and the pairs'
    # own reason, if they have one, says what is missing.
    more = pairs["more_seeds"].max()
    if number["undecided"] and np.isfinite(more):
        text += f" About {int(more)} more seeds would decide those that can be, if the estimates stayed."
    elif number["undecided"] and pairs["reason"].any():
        text += f" Reason: {next(reason for reason in pairs['reason'] if reason)}."
    verdicts: dict[str, ClaimVerdict] = {"equivalent": "supported", "different": "refuted", "undecided": "undecided"}
    return Claim(factor, claim, verdicts[verdict], text)


def _curation(scores: Scores) -> Claim:
    """Test that similar and dissimilar questions are equivalent."""
    claim = "Curation hardly matters: similar questions are no better than dissimilar ones"
    if not {"similar", "dissimilar"} <= set(levels(scores.cells, "category")):
        return Claim("curation", claim, "untestable", "No cells with categories similar and dissimilar.")
    chosen = scores.cells["category"].isin(["similar", "dissimilar"]).to_numpy() | scores.is_base_c
    similarity = _same(scores.only(chosen), "category", claim)
    return Claim("curation", claim, similarity.verdict, similarity.text)


def _growth(scores: Scores, draws: int, seed: int) -> Claim:
    """Test that Hard grows with log N and levels off."""
    claim = "Hard grows with log N and levels off near 65 %"
    if "hard" not in scores.tiers:
        return Claim("growth", claim, "untestable", "No tier hard.")
    table = growth(scores, draws=draws, seed=seed, tiers=["hard"])
    rows = {(row["model"], row["parameter"]): row for row in table.to_dict("records")}
    if ("log", "b") not in rows:
        return Claim("growth", claim, "untestable", f"{next(iter(rows.values()))['reason'].capitalize()}.")
    slope, top = rows["log", "b"], rows["saturating", "p_max"]
    text = (
        f"{points(slope['estimate'])} {interval_of(slope)} points per doubling over {slope['counts']} counts; a saturating "
        f"curve would level off at {top['estimate']:.0%} [{top['low']:.0%}, {top['high']:.0%}]."
    )
    if slope["reason"]:
        text += f" {slope['reason'].capitalize()}."
    # Falling with N refutes the claim. Rising supports it only together with levelling off near 65 %, and that needs six
    # counts: with fewer, a curve of three parameters has no AICc (see `growth`).
    verdict: ClaimVerdict = "refuted" if slope["high"] < 0 else "undecided"
    if slope["low"] > 0 and slope["counts"] >= 6:
        better = top["leave_one_out"] < slope["leave_one_out"]
        verdict = "supported" if better and top["low"] <= 0.65 <= top["high"] else "undecided"
    return Claim("growth", claim, verdict, text)


def _potential(scores: Scores) -> Claim:
    """Test that cov exceeds avg by more than the published gap in every setting."""
    claim = "Potential exceeds stability: cov is more than 20 points above avg"
    settings = conditions(scores, draws=0)
    gaps = settings[
        (settings["measure"] == "gap") & (settings["tier"] == scores.all_and_tiers[0]) & (settings["count"] > 0)
    ]
    gaps = gaps[gaps["low_these"].notna()]
    if gaps.empty:
        return Claim("potential", claim, "untestable", "No trained setting whose gap has an interval.")
    over, under = int((gaps["low_these"] > PUBLISHED_GAP).sum()), int((gaps["high_these"] < PUBLISHED_GAP).sum())
    least, most = 100 * gaps["estimate"].min(), 100 * gaps["estimate"].max()
    text = (
        f"cov@{int(gaps['k'].iloc[0])} − avg is {least:.1f} to {most:.1f} points; the interval "
        f"lies above 20 points for {over} and below for {under} of {counted(len(gaps), 'setting')}."
    )
    verdict: ClaimVerdict = "supported" if over == len(gaps) else "refuted" if under == len(gaps) else "undecided"
    return Claim("potential", claim, verdict, text)


def _ladder(scores: Scores, seed: int) -> Claim:
    """Test that the questions form a Mokken scale."""
    claim = "The tiers are a ladder: who solves a harder question solves the easier ones"
    scale = ladder(scores, seed=seed)
    if scale.reason:
        return Claim("ladder", claim, "untestable", f"{scale.reason.capitalize()}.")
    text = (
        f"Mokken's H {scale.h:.2f} [{scale.low:.2f}, {scale.high:.2f}] over {counted(scale.runs, 'run')}, p = {scale.p:.3f} "
        f"against questions that are independent; reproducibility {scale.reproducibility:.2f}, of which "
        f"{scale.marginal:.2f} by the margins alone"
    )
    held_out = held_out_h(scores, seed)
    text += f"; H {held_out:.2f} with the order from other attempts." if np.isfinite(held_out) else "."
    is_scale = scale.low > WEAK_SCALE and scale.p <= ALPHA
    verdict: ClaimVerdict = "supported" if is_scale else "refuted" if scale.high < WEAK_SCALE else "undecided"
    return Claim("ladder", claim, verdict, text)


def _exhausted(scores: Scores) -> Claim:
    """Test that no setting rises above the published bound on Exh."""
    claim = "Exh stays at zero (under 10 %) at any N"
    if "exh" not in scores.tiers:
        return Claim("exh", claim, "untestable", "No tier exh.")
    bounds = pass_bounds(scores, "exh", PUBLISHED_EXH)
    if bounds["estimate"].isna().all():
        return Claim("exh", claim, "untestable", "No complete trained cell.")
    above, below = int((bounds["lower"] > PUBLISHED_EXH).sum()), int((bounds["upper"] < PUBLISHED_EXH).sum())
    text = (
        f"At most {bounds['estimate'].max():.1%} in a setting; {below} of {counted(len(bounds), 'setting')} lie below 10 % "
        f"and {above} above, by bounds that hold for all at once."
    )
    verdict: ClaimVerdict = "refuted" if above else "supported" if below == len(bounds) else "undecided"
    return Claim("exh", claim, verdict, text)


def _rule(row: dict[object, object]) -> str:
    lengths, styles = (" or ".join(map(str, tuple(row[name]))) for name in ("lengths", "styles"))  # type: ignore[arg-type]
    return f"N ≥ {row['min_count']}, length {lengths}, style {styles}"


def claims_frame(claims: tuple[Claim, ...]) -> pd.DataFrame:
    """Return the claims as a table: `name claim verdict text`."""
    return pd.DataFrame([vars(claim) for claim in claims], columns=["name", "claim", "verdict", "text"])
