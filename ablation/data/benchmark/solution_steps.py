"""How many steps a question takes, told by its worked solution, and which questions are asked on that ground."""

from collections.abc import Mapping

from ablation.data.rows import TableRow
from ablation.errors import DataError
from ablation.specs import Steps
from ablation.specs.base import digest


def step_count(row: TableRow, steps: Steps, where: str) -> int:
    """The marks in the row's solution. Raises DataError where there is no such text."""
    solution = row.get(steps.column)
    if not isinstance(solution, str):
        raise DataError(
            f"{where}, column {steps.column}: missing or no text; benchmark.steps counts {steps.mark!r} in it"
        )
    return solution.count(steps.mark)


def tiers_by_count(counts: Mapping[str, int], steps: Steps) -> dict[str, str]:
    """The tier of each question that is asked, in the order given. Raises DataError for a tier without a question."""
    members = {
        tier: [one for one, count in counts.items() if least <= count <= most]
        for tier, (least, most) in steps.tiers.items()
    }
    if empty := [tier for tier, found in members.items() if not found]:
        raise DataError(
            f"benchmark.steps.tiers: no question for {', '.join(empty)}; the solutions have {_told(counts)} steps "
            f"(each {steps.mark!r} in column {steps.column} is one)"
        )
    tiers = {one: tier for tier, found in members.items() for one in _first(found, steps.per_tier)}
    return {one: tiers[one] for one in counts if one in tiers}


def _first(ids: list[str], most: int | None) -> list[str]:
    return sorted(ids, key=digest)[:most]


def _told(counts: Mapping[str, int]) -> str:
    return f"{min(counts.values())} to {max(counts.values())}"
