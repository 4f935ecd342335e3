"""Potential against stability: a model's cov beside its avg, and the rate of equal steps behind them."""

import numpy as np
import pandas as pd

from ablation.analysis.effects.conditions import conditions
from ablation.analysis.records.metrics import cov
from ablation.analysis.records.scores import Mask, Scores
from ablation.specs.vocabulary import FACTORS

SOLUTION_STEPS = 5  # the study's picture of a Hard question: 0.875 ** 5 is about one half


def pooled_coverage(scores: Scores) -> pd.DataFrame:
    """Compute cov@k over all attempts of all complete runs of a setting, k = n × runs; one row per setting and tier.

    This is the study's figure (8 attempts × 4 seeds). Values at different k are not comparable, so `k` stands beside them.
    Columns: the factors, `tier runs k avg cov gap`. Settings without complete runs have no row.
    """
    rows = []
    for tier in scores.all_and_tiers:
        complete_c: Mask = np.asarray(np.isfinite(scores.rates_cq(tier)).all(axis=1), dtype=bool)
        inside_q = scores.in_tier_q(tier)
        for setting in scores.settings:
            runs = setting.rows[complete_c[setting.rows]]
            if not len(runs) or not inside_q.any():
                continue
            correct_q = scores.correct_cq[np.ix_(runs, inside_q)].sum(axis=0)
            attempts_q = scores.attempts_cq[np.ix_(runs, inside_q)].sum(axis=0)
            k = int(attempts_q.min())
            avg, solved = float((correct_q / attempts_q).mean()), float(cov(correct_q, attempts_q, k).mean())
            rows.append(
                {
                    **setting.levels,
                    "tier": tier,
                    "runs": len(runs),
                    "k": k,
                    "avg": avg,
                    "cov": solved,
                    "gap": solved - avg,
                }
            )
    return pd.DataFrame(rows, columns=[*FACTORS, "tier", "runs", "k", "avg", "cov", "gap"])


def per_step(scores: Scores, steps: int = SOLUTION_STEPS) -> pd.DataFrame:
    """Compute the rate of each of `steps` equally hard, independent steps that would give avg@n: avg ** (1 / steps).

    One row per setting and tier: the factors, `tier avg rate low high cov_if_alike cov k`. The interval is that of avg on
    these questions, transformed. `cov_if_alike` is the cov@k that this model predicts when all questions are alike,
    1 − (1 − avg)^k. A `cov` far below it says that failures belong to questions, not to slips at random steps.
    """
    settings = conditions(scores, draws=0)
    averages = settings[settings["measure"] == "avg"].reset_index(drop=True)
    coverages = settings[settings["measure"] == "cov"].reset_index(drop=True)
    frame = averages[[*FACTORS, "tier", "k"]].assign(avg=averages["estimate"])
    for name, source in (("rate", "estimate"), ("low", "low_these"), ("high", "high_these")):
        frame[name] = averages[source].clip(0, 1) ** (1 / steps)
    return frame.assign(cov_if_alike=1 - (1 - frame["avg"]) ** frame["k"], cov=coverages["estimate"])
