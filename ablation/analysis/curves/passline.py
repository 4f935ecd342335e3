"""The least conditions under which a tier is passed, by bounds that hold for all settings at once."""

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

PASS_LINE = 0.9  # the least share of correct attempts that counts as passed


@dataclass(frozen=True)
class PassRule:
    """A condition on settings: a count of at least `min_count`, and a length and a style among those named; any category."""

    min_count: int
    """The smallest count N that is admitted."""
    lengths: frozenset[str]
    """The lengths that are admitted."""
    styles: frozenset[str]
    """The styles that are admitted."""

    def asks_more_than(self, other: "PassRule") -> bool:
        """Return True when `other` admits every setting that this rule admits, and the rules differ."""
        inside = self.min_count >= other.min_count and self.lengths <= other.lengths and self.styles <= other.styles
        return inside and self != other


def pass_bounds(scores: Scores, tier: str, line: float = PASS_LINE) -> pd.DataFrame:
    """Bound each setting of trained cells and judge it against a line: passes, fails or undecided.

    One row per setting: the factors, `runs attempts estimate lower upper verdict`. `lower` and `upper` each hold for all M
    settings at once with 95 %: one-sided at 1 − 0.95^(1/M) each (Šidák 1967, JASA 62; exact here, because runs are
    independent given the questions). A bound is the rate p₀ at which the estimate lies just t · SE(p₀) away (Wilson 1927,
    JASA 22), with SE² = p₀(1 − p₀) / attempts + seed variance at p₀ / runs. This is conservative, since unequal questions
    vary less than equal ones. On these questions; without replicates the seeds' variance is not included.

    A line of 0.9, one setting (t = 1.645), and no seed variance:

        estimate 0.95 of 320 attempts: bounds 0.926 and 0.967, so it passes
        estimate 0.92 of 320 attempts: lower bound 0.891, so it is undecided
    """
    measured = measure(scores, tier)
    seeds = replicates(scores, measured)
    usable_c = np.isfinite(measured.means_c) & ~scores.is_base_c
    settings = [setting for setting in scores.settings if not scores.is_base_c[setting.rows].any()]
    # Only settings with a usable run are tested: the others neither pass nor fail, so they need no share of the 5 %.
    n_tests = max(sum(bool(usable_c[setting.rows].any()) for setting in settings), 1)
    share = (1 - ALPHA) ** (1 / n_tests)
    distance = float(stdtrit(seeds.degrees, share) if seeds.degrees else ndtri(share))
    inside_q = scores.in_tier_q(tier)
    rows = []
    for setting in settings:
        runs = setting.rows[usable_c[setting.rows]]
        attempts = int(scores.attempts_cq[np.ix_(runs, inside_q)].sum())
        rate = float(measured.means_c[runs].mean()) if len(runs) else math.nan
        seed_variance = seeds.run.value / max(len(runs), 1)
        low, high = (score_bound(rate, attempts, seed_variance, distance, side) for side in (-1, 1))
        # Bounds of NaN compare false on both sides, so a setting without runs is undecided.
        verdict = "passes" if low >= line else "fails" if high < line else "undecided"
        row = {"runs": len(runs), "attempts": attempts, "estimate": rate, "lower": low, "upper": high}
        rows.append({**setting.levels, **row, "verdict": verdict})
    return pd.DataFrame(rows, columns=[*FACTORS, "runs", "attempts", "estimate", "lower", "upper", "verdict"])


def score_bound(rate: float, attempts: int, seed_variance: float, distance: float, side: int) -> float:
    """Return the p₀ below (`side` −1) or above (+1) `rate` at which |rate − p₀| = distance · SE(p₀); NaN without attempts.

    >>> round(score_bound(0.95, 320, seed_variance=0.0, distance=1.645, side=-1), 3)
    0.926
    """
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
    """Return the root between the rate and the end when the rate, 0 or 1, is a root itself."""
    assert callable(excess)
    step = 1e-9 if end > rate else -1e-9
    return float(brentq(excess, rate + step, end))


def pass_rules(bounds: pd.DataFrame) -> pd.DataFrame:
    """Judge every rule over counts, lengths and styles: `min_count lengths styles cells verdict minimal refuted_by`.

    A rule holds when every setting that it admits passes. It is refuted when a setting fails, and undecided otherwise. A
    rule is `minimal` when it holds and no rule that asks less does. `refuted_by` names a setting that fails, the one with
    the lowest upper bound. Rules that admit no setting are left out; `cells` is the number of settings admitted.
    """
    judged = []
    for rule in _rules(bounds):
        inside = bounds[_admitted(bounds, rule)]
        verdicts = set(inside["verdict"])
        verdict = "refuted" if "fails" in verdicts else "holds" if verdicts == {"passes"} else "undecided"
        if len(inside):
            failing = inside[inside["verdict"] == "fails"].nsmallest(1, "upper")
            judged.append((rule, len(inside), verdict, _setting_name(failing)))
    holding = [rule for rule, _, verdict, _ in judged if verdict == "holds"]
    rows = [
        {
            "min_count": rule.min_count, "lengths": tuple(sorted(rule.lengths)), "styles": tuple(sorted(rule.styles)),
            "cells": size, "verdict": verdict, "refuted_by": culprit,
            "minimal": rule in holding and not any(rule.asks_more_than(other) for other in holding),
        }
        for rule, size, verdict, culprit in judged
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["min_count", "lengths", "styles", "cells", "verdict", "minimal", "refuted_by"])


def neighbours(rules: pd.DataFrame) -> pd.DataFrame:
    """Return the rules that ask just one step less than a minimal rule: the next count down, or one more length or style."""
    counts = sorted(rules["min_count"].unique())
    kept = []
    for index, rule in zip(rules.index, rules.to_dict("records"), strict=True):
        for minimal in rules[rules["minimal"]].to_dict("records"):
            steps = counts.index(minimal["min_count"]) - counts.index(rule["min_count"])
            added = [len(set(rule[name]) - set(minimal[name])) for name in ("lengths", "styles")]
            # A rule that admits less in one respect does not ask less, whatever it admits more in another.
            drops = any(set(minimal[name]) - set(rule[name]) for name in ("lengths", "styles"))
            if not drops and steps >= 0 and steps + sum(added) == 1:
                kept.append(index)
                break
    return rules.loc[kept]


def _rules(bounds: pd.DataFrame) -> Iterable[PassRule]:
    lengths, styles = _subsets(levels(bounds, "length")), _subsets(levels(bounds, "style"))
    for count in levels(bounds, "count"):
        for chosen_lengths in lengths:
            for chosen_styles in styles:
                yield PassRule(int(float(str(count))), chosen_lengths, chosen_styles)


def _subsets(levels_: list[object]) -> list[frozenset[str]]:
    sizes = range(1, len(levels_) + 1)
    return [frozenset(map(str, chosen)) for size in sizes for chosen in combinations(levels_, size)]


def _admitted(bounds: pd.DataFrame, rule: PassRule) -> "pd.Series[bool]":
    inside = (bounds["count"] >= rule.min_count) & bounds["length"].isin(rule.lengths)
    return inside & bounds["style"].isin(rule.styles)


def _setting_name(rows: pd.DataFrame) -> str:
    return " · ".join(str(row) for row in rows[list(FACTORS)].iloc[0]) if len(rows) else ""
