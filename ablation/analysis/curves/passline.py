"""The least that is enough: conditions under which a tier is passed, by bounds that hold for all cells at once."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit

from ablation.analysis.effects.replicates import replicates
from ablation.analysis.effects.uncertainty import ALPHA
from ablation.analysis.records.matching import levels
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Scores
from ablation.specs.vocabulary import FACTORS

PASS_LINE = 0.9


@dataclass(frozen=True)
class PassRule:
    """Count at least `min_count`, length and style among those named, any category."""

    min_count: int
    lengths: frozenset[str]
    styles: frozenset[str]

    def asks_more_than(self, other: "PassRule") -> bool:
        """True when every condition that this rule admits is admitted by `other`, and the rules differ."""
        inside = self.min_count >= other.min_count and self.lengths <= other.lengths and self.styles <= other.styles
        return inside and self != other


def pass_bounds(scores: Scores, tier: str, line: float = PASS_LINE) -> pd.DataFrame:
    """One row a setting of trained cells: `runs attempts estimate lower upper verdict` (passes, fails or undecided).

    `lower` and `upper` each hold for all M settings at once with 95 %: one-sided at 1 − 0.95^(1/M) each (Šidák 1967, JASA
    62; exact here, as runs are independent given the questions). A bound is the rate p₀ at which the estimate lies just
    t · SE(p₀) away (Wilson 1927, JASA 22), SE² = p₀(1 − p₀) / attempts + seed variance at p₀ / runs: conservative, since
    unequal questions vary less than equal ones. On these questions; without replicates seeds are not included.
    """
    measured = measure(scores, tier)
    seeds = replicates(scores, measured)
    usable_c = np.isfinite(measured.means_c) & ~scores.is_base_c
    settings = [setting for setting in scores.settings if not scores.is_base_c[setting.rows].any()]
    n_tests = max(sum(bool(usable_c[setting.rows].any()) for setting in settings), 1)
    share = (1 - ALPHA) ** (1 / n_tests)
    distance = float(stdtrit(seeds.degrees, share) if seeds.degrees else ndtri(share))
    inside_q = scores.in_tier_q(tier)
    rows = []
    for setting in settings:
        runs = setting.rows[usable_c[setting.rows]]
        attempts = int(scores.attempts_cq[np.ix_(runs, inside_q)].sum())
        found = float(measured.means_c[runs].mean()) if len(runs) else math.nan
        seed_variance = seeds.run.value / max(len(runs), 1)
        low, high = (score_bound(found, attempts, seed_variance, distance, side) for side in (-1, 1))
        verdict = "passes" if low >= line else "fails" if high < line else "undecided"
        row = {"runs": len(runs), "attempts": attempts, "estimate": found, "lower": low, "upper": high}
        rows.append({**setting.levels, **row, "verdict": verdict})
    return pd.DataFrame(rows, columns=[*FACTORS, "runs", "attempts", "estimate", "lower", "upper", "verdict"])


def score_bound(rate: float, attempts: int, seed_variance: float, distance: float, side: int) -> float:
    """The p₀ below (`side` −1) or above (+1) `rate` at which |rate − p₀| = distance · SE(p₀); NaN without attempts."""
    if not attempts or math.isnan(rate):
        return math.nan

    def excess(p: float) -> float:
        spread = p * (1 - p)
        return (rate - p) ** 2 - distance**2 * (spread / attempts + seed_variance * spread**2)

    end = 0.0 if side < 0 else 1.0
    if rate == end:
        return end
    return float(brentq(excess, end, rate)) if excess(rate) < 0 < excess(end) else _beside(excess, rate, end)


def _beside(excess: object, rate: float, end: float) -> float:
    """At 0 or 1 the estimate itself is a root: look between it and the other end."""
    assert callable(excess)
    step = 1e-9 if end > rate else -1e-9
    return float(brentq(excess, rate + step, end))


def pass_rules(bounds: pd.DataFrame) -> pd.DataFrame:
    """Every rule over counts, lengths and styles: `min_count lengths styles cells verdict minimal refuted_by`.

    A rule holds when every setting that it admits passes, is refuted when one fails, and is undecided otherwise.
    `minimal`: it holds and no rule that asks less does. A refuted rule names a setting that fails.
    """
    found = []
    for rule in _rules(bounds):
        inside = bounds[_admitted(bounds, rule)]
        verdicts = set(inside["verdict"])
        verdict = "refuted" if "fails" in verdicts else "holds" if verdicts == {"passes"} else "undecided"
        if len(inside):
            failing = inside[inside["verdict"] == "fails"].nsmallest(1, "upper")
            found.append((rule, len(inside), verdict, _named(failing)))
    holding = [rule for rule, _, verdict, _ in found if verdict == "holds"]
    rows = [
        {
            "min_count": rule.min_count, "lengths": tuple(sorted(rule.lengths)), "styles": tuple(sorted(rule.styles)),
            "cells": size, "verdict": verdict, "refuted_by": culprit,
            "minimal": rule in holding and not any(rule.asks_more_than(other) for other in holding),
        }
        for rule, size, verdict, culprit in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["min_count", "lengths", "styles", "cells", "verdict", "minimal", "refuted_by"])


def neighbours(rules: pd.DataFrame) -> pd.DataFrame:
    """The rules that ask just one step less than a minimal one: the next count down, or one more length or style."""
    counts = sorted(rules["min_count"].unique())
    kept = []
    for line, rule in zip(rules.index, rules.to_dict("records"), strict=True):
        for minimal in rules[rules["minimal"]].to_dict("records"):
            steps = counts.index(minimal["min_count"]) - counts.index(rule["min_count"])
            more = [len(set(rule[name]) - set(minimal[name])) for name in ("lengths", "styles")]
            lost = any(set(minimal[name]) - set(rule[name]) for name in ("lengths", "styles"))
            if not lost and steps >= 0 and steps + sum(more) == 1:
                kept.append(line)
                break
    return rules.loc[kept]


def _rules(bounds: pd.DataFrame) -> Iterable[PassRule]:
    lengths, styles = _subsets(levels(bounds, "length")), _subsets(levels(bounds, "style"))
    for count in levels(bounds, "count"):
        for chosen in lengths:
            for style in styles:
                yield PassRule(int(float(str(count))), chosen, style)


def _subsets(found: list[object]) -> list[frozenset[str]]:
    return [frozenset(map(str, c)) for size in range(1, len(found) + 1) for c in combinations(found, size)]


def _admitted(bounds: pd.DataFrame, rule: PassRule) -> "pd.Series[bool]":
    inside = (bounds["count"] >= rule.min_count) & bounds["length"].isin(rule.lengths)
    return inside & bounds["style"].isin(rule.styles)


def _named(rows: pd.DataFrame) -> str:
    return " · ".join(str(row) for row in rows[list(FACTORS)].iloc[0]) if len(rows) else ""
