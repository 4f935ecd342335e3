"""From records to numbers: pure functions on pandas frames, without figures or layout.

    study = load("outputs/cnls")            # the records, checked
    scores = Scores.of(study)               # correct attempts, cell by question, and what is missing
    weigh_claims(scores)                    # the published findings as tests, each with a verdict
    factor_effects(scores)                  # one row per contrast and tier, with its interval
    trajectories(study, scores)             # lengths, endings, self-checks, repetition, likeness of solutions
    analyse(study)                          # all of it at once, as the report uses it

Fractions run from 0 to 1. What is missing or cannot be estimated is NaN and has a reason beside it. A `tier` may be `all`,
which stands for every question.

An array's name ends in its axes, one letter each (`rates_cq`: cells × questions):

    a attempt                              n training count N
    c cell                                 p cell at a question, flattened
    d bootstrap draw                       q question
    e estimate (a weighted sum of cells)   r run: a trained cell, among the runs of a setting or the complete ones
    f feature of a sketch                  s span of words
    g group of cells (mostly a setting)    t text
    i point of a numerical grid            v answer that is voted for
    j term of a regression                 w word
    k number of correct attempts           1 an axis of length one
"""

from ablation.analysis.curves.growth import growth
from ablation.analysis.curves.passline import pass_bounds, pass_rules
from ablation.analysis.curves.scaling import curves, points_per_doubling
from ablation.analysis.effects.bayesian import bayesian_model
from ablation.analysis.effects.conditions import cell_errors, conditions
from ablation.analysis.effects.equivalence import equivalence
from ablation.analysis.effects.factor_effects import factor_effects, marginal_means
from ablation.analysis.effects.interactions import interactions
from ablation.analysis.effects.majority import majority
from ablation.analysis.effects.model import model_table
from ablation.analysis.effects.variance import budget, variance_components
from ablation.analysis.findings.analyse import Analysis, analyse
from ablation.analysis.findings.claims import Claim, weigh_claims
from ablation.analysis.findings.published import agreement, published
from ablation.analysis.findings.sentences import Finding, state_findings
from ablation.analysis.ladder.potential import per_step, pooled_coverage
from ablation.analysis.ladder.rasch import rasch
from ablation.analysis.ladder.scalability import ladder
from ablation.analysis.records.load import Study, load
from ablation.analysis.records.metrics import avg, cell_table, cov, cov_prefix, maj, maj_table
from ablation.analysis.records.scores import Scores
from ablation.analysis.texts.trajectories import Trajectories, trajectories

__all__ = [
    "Analysis",
    "Claim",
    "Finding",
    "Scores",
    "Study",
    "Trajectories",
    "agreement",
    "analyse",
    "avg",
    "bayesian_model",
    "budget",
    "cell_errors",
    "cell_table",
    "conditions",
    "cov",
    "cov_prefix",
    "curves",
    "equivalence",
    "factor_effects",
    "growth",
    "interactions",
    "ladder",
    "load",
    "maj",
    "maj_table",
    "majority",
    "marginal_means",
    "model_table",
    "pass_bounds",
    "pass_rules",
    "per_step",
    "points_per_doubling",
    "pooled_coverage",
    "published",
    "rasch",
    "state_findings",
    "trajectories",
    "variance_components",
    "weigh_claims",
]
