"""Every key of the configuration says what it means: refusals and ``python launch.py --help`` show it.

Walks through specs, config.
"""

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from ablation.config.execution import Execution
from ablation.config.messages import models_within
from ablation.config.sweep.design import Design
from ablation.specs.cell import Cell


def _specs(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a spec and those in its fields, however deep."""
    yield root
    for field in root.model_fields.values():
        for spec in models_within(field.annotation):
            yield from _specs(spec)


SPECS = {spec.__name__: spec for root in (Cell, Execution, Design) for spec in _specs(root)}
FIELDS = [
    pytest.param(field.description, id=f"{spec}.{name}")
    for spec, kind in SPECS.items()
    for name, field in kind.model_fields.items()
]


def test_specs_of_both_kinds_are_looked_at() -> None:
    assert {Cell, Execution} <= set(SPECS.values())
    assert {"Train", "Sample", "Filters", "Slurm", "Local", "Tracker", "Primary"} <= SPECS.keys()


@pytest.mark.parametrize("description", FIELDS)
def test_a_field_says_what_it_means(description: str | None) -> None:
    assert description, "write a docstring under the field"
    assert description.endswith(".")
    assert not re.match(r"(What|Where|Which|Whether|Who|How)\b", description)
    assert len(description) <= 300, "one or two short sentences"
    assert len(re.split(r"\.\s", description)[0]) <= 80, "the first sentence alone stands in a refusal"
