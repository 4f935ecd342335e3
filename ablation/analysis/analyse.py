"""Every estimate of a study in one value: what the report and the terminal show."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ablation.analysis.claims import Claim, weigh_claims
from ablation.analysis.effects import factor_effects, marginal_means
from ablation.analysis.findings import Finding, state_claims, state_findings
from ablation.analysis.metrics import cell_table
from ablation.analysis.scaling import curves, points_per_doubling
from ablation.analysis.study import Study
from ablation.analysis.tally import Tally, coverage
from ablation.analysis.trajectories import Trajectories, trajectories


@dataclass(frozen=True)
class Analysis:
    """The frames are those of the functions they are named after; `metrics` is `cell_table`'s."""

    study: Study
    tally: Tally
    coverage: pd.DataFrame
    metrics: pd.DataFrame
    effects: pd.DataFrame
    means: pd.DataFrame
    slopes: pd.DataFrame
    curves: pd.DataFrame
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]

    @cached_property
    def trajectories(self) -> Trajectories:
        """How the attempts went; reads the texts when it is first asked for."""
        return trajectories(self.study, self.tally)


def analyse(study: Study, partial: bool = False) -> Analysis:
    """Estimate everything. The same records give the same numbers.

    Raises RecordError when attempts are missing or of several evaluators, unless `partial` asks for what there is; the
    findings then begin with that.
    """
    tally = Tally.of(study, partial)
    present, effects, slopes = coverage(study, tally), factor_effects(tally), points_per_doubling(tally)
    planned = dict(zip(tally.cells["cell"], tally.planned_c, strict=True))
    metrics = cell_table(study.results, planned, study.tiers)
    claims = weigh_claims(tally)
    findings = (*state_findings(study, tally, effects, slopes), *state_claims(claims))
    means, points = marginal_means(tally), curves(tally)
    return Analysis(study, tally, present, metrics, effects, means, slopes, points, claims, findings)
