"""Every estimate of a study in one value: what the report and the terminal show."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ablation.analysis.curves.growth import growth
from ablation.analysis.curves.passline import pass_bounds
from ablation.analysis.curves.scaling import curves, points_per_doubling
from ablation.analysis.effects.conditions import common_k, conditions
from ablation.analysis.effects.equivalence import equivalence
from ablation.analysis.effects.factor_effects import factor_effects, marginal_means
from ablation.analysis.effects.interactions import interactions
from ablation.analysis.effects.majority import majority
from ablation.analysis.effects.model import model_table
from ablation.analysis.effects.uncertainty import BOOTSTRAP_DRAWS
from ablation.analysis.effects.variance import budget, variance_components
from ablation.analysis.findings.claims import Claim, weigh_claims
from ablation.analysis.findings.published import agreement
from ablation.analysis.findings.sentences import Finding, state_claims, state_findings
from ablation.analysis.ladder.potential import per_step, pooled_coverage
from ablation.analysis.ladder.rasch import rasch
from ablation.analysis.ladder.scalability import Ladder, ladder
from ablation.analysis.records.evaluators import mixed
from ablation.analysis.records.growing_k import growing_k
from ablation.analysis.records.load import Study
from ablation.analysis.records.metrics import cell_table
from ablation.analysis.records.scores import Scores, coverage
from ablation.analysis.texts.trajectories import Trajectories, trajectories
from ablation.specs.vocabulary import FACTORS


@dataclass(frozen=True)
class Analysis:
    """The frames are those of the functions they are named after; `metrics` is `cell_table`'s.

    What the findings rest on is estimated at once, the rest when it is first asked for; `draws` are the bootstrap's.
    """

    study: Study
    scores: Scores
    coverage: pd.DataFrame
    metrics: pd.DataFrame
    effects: pd.DataFrame
    means: pd.DataFrame
    slopes: pd.DataFrame
    curves: pd.DataFrame
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    draws: int = BOOTSTRAP_DRAWS

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """avg@n, cov@k and the gap between them of each setting."""
        return conditions(self.scores, draws=self.draws)

    @cached_property
    def majority(self) -> pd.DataFrame:
        """maj@k of each cell, at the k of `conditions`."""
        results = self.study.results
        single = results[~results["cell"].isin(mixed(results))]
        return majority(single, self.study.tiers, common_k(self.scores))

    @cached_property
    def growing_k(self) -> pd.DataFrame:
        """cov@k of each cell for growing k, unbiased and by prefix."""
        return growing_k(self.study, self.scores)

    @cached_property
    def interactions(self) -> pd.DataFrame:
        """Whether the effect of a factor depends on another."""
        return interactions(self.scores, self.draws)

    @cached_property
    def model(self) -> pd.DataFrame:
        """All factors in one regression."""
        return model_table(self.scores)

    @cached_property
    def components(self) -> pd.DataFrame:
        """Where the variance comes from."""
        return variance_components(self.scores, self.draws)

    @cached_property
    def budget(self) -> pd.DataFrame:
        """What more seeds, attempts or questions would do to the errors."""
        return budget(self.scores)

    @cached_property
    def equivalence(self) -> pd.DataFrame:
        """Every pair of levels of every factor, by column `factor`: equivalent, different or undecided."""
        tables = [equivalence(self.scores, factor).assign(factor=factor) for factor in FACTORS]
        return pd.concat([table for table in tables if len(table)] or [pd.DataFrame()], ignore_index=True)

    @cached_property
    def passing(self) -> pd.DataFrame:
        """`pass_bounds` of every tier, by column `tier`."""
        tables = [pass_bounds(self.scores, tier).assign(tier=tier) for tier in self.scores.tiers]
        return pd.concat(tables or [pd.DataFrame()], ignore_index=True)

    @cached_property
    def growth(self) -> pd.DataFrame:
        """P against N: a straight line and a curve that levels off."""
        return growth(self.scores, draws=self.draws)

    @cached_property
    def ladder(self) -> Ladder:
        """The scalogram's coefficients."""
        return ladder(self.scores)

    @cached_property
    def rasch(self) -> pd.DataFrame:
        """The difficulty of each question."""
        return rasch(self.scores)

    @cached_property
    def pooled_coverage(self) -> pd.DataFrame:
        """cov over all attempts of all runs of a setting."""
        return pooled_coverage(self.scores)

    @cached_property
    def per_step(self) -> pd.DataFrame:
        """The rate of equal steps behind each average."""
        return per_step(self.scores)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """The published numbers beside this study's, where it overlaps them."""
        return agreement(self.study, self.scores)

    @cached_property
    def trajectories(self) -> Trajectories:
        """How the attempts went; reads the texts."""
        return trajectories(self.study, self.scores)


def analyse(study: Study, partial: bool = False, draws: int = BOOTSTRAP_DRAWS) -> Analysis:
    """Estimate everything. The same records give the same numbers.

    Raises RecordError when attempts are missing or of several evaluators, unless `partial` asks for what there is; the
    findings then begin with that.
    """
    scores = Scores.of(study, partial)
    present, effects, slopes = (
        coverage(study, scores),
        factor_effects(scores, draws),
        points_per_doubling(scores, draws),
    )
    planned = dict(zip(scores.cells["cell"], scores.planned_c, strict=True))
    metrics = cell_table(study.results, planned, study.tiers)
    claims = weigh_claims(scores, draws)
    findings = (*state_findings(study, scores, effects, slopes), *state_claims(claims))
    means, points = marginal_means(scores, draws), curves(scores, draws)
    return Analysis(study, scores, present, metrics, effects, means, slopes, points, claims, findings, draws)
