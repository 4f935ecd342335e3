"""From records to numbers: pure functions on pandas frames, nothing about looks.

    study = load("outputs/cnls")            # the records, checked
    tally = Tally.of(study)                 # correct attempts, cell by question, and what is missing
    factor_effects(tally)                   # one row a contrast and tier, with its interval
    analyse(study)                          # all of it at once, as the report uses it

Fractions run from 0 to 1; what is missing or cannot be estimated is NaN and has a reason beside it.
"""

from ablation.analysis.analyse import Analysis, analyse
from ablation.analysis.effects import factor_effects, marginal_means
from ablation.analysis.findings import Finding, state_findings
from ablation.analysis.metrics import avg, cell_table, cov, cov_prefix, maj, maj_table
from ablation.analysis.scaling import curves, points_per_doubling
from ablation.analysis.study import Study, load
from ablation.analysis.tally import Tally

__all__ = [
    "Analysis",
    "Finding",
    "Study",
    "Tally",
    "analyse",
    "avg",
    "cell_table",
    "cov",
    "cov_prefix",
    "curves",
    "factor_effects",
    "load",
    "maj",
    "maj_table",
    "marginal_means",
    "points_per_doubling",
    "state_findings",
]
