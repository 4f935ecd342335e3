"""Every estimate of a study in one value, for the report and the terminal."""

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
    """All estimates of one study.

    The fields are estimated at once, because the findings need them. The properties are estimated when they are first asked
    for.
    """

    study: Study
    """The records."""
    scores: Scores
    """The records, counted."""
    coverage: pd.DataFrame
    """Planned against present attempts, the table of `coverage`."""
    metrics: pd.DataFrame
    """avg@n and cov@n of each cell, the table of `cell_table`."""
    effects: pd.DataFrame
    """The contrasts of `factor_effects`."""
    means: pd.DataFrame
    """The levels' means, the table of `marginal_means`."""
    slopes: pd.DataFrame
    """The table of `points_per_doubling`."""
    curves: pd.DataFrame
    """avg@n by count, the table of `curves`."""
    claims: tuple[Claim, ...]
    """The published findings, each with its verdict."""
    findings: tuple[Finding, ...]
    """The sentences of `state_findings` and `state_claims`."""
    draws: int = BOOTSTRAP_DRAWS
    """The number of bootstrap draws."""

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
        """The interactions of every two factors."""
        return interactions(self.scores, self.draws)

    @cached_property
    def model(self) -> pd.DataFrame:
        """All factors in one regression."""
        return model_table(self.scores)

    @cached_property
    def components(self) -> pd.DataFrame:
        """The components of variance."""
        return variance_components(self.scores, self.draws)

    @cached_property
    def budget(self) -> pd.DataFrame:
        """The errors that twice the seeds, attempts or questions would leave."""
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
        """Lengths, endings, phrases and likeness of the attempts; reads the texts."""
        return trajectories(self.study, self.scores)


def analyse(study: Study, partial: bool = False, draws: int = BOOTSTRAP_DRAWS) -> Analysis:
    """Estimate everything. The same records give the same numbers.

    Raises RecordError when attempts are missing or of several evaluators, unless `partial` is true. Then the findings begin
    with what is missing.
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
