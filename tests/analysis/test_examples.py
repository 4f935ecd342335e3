"""The worked examples in the docstrings of the analysis are what its functions return.

Walks through analysis.
"""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "records.measures",
    "records.metrics",
    "effects.multiplicity",
    "curves.passline",
    "ladder.scalability",
    "texts.prose",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    outcome = doctest.testmod(import_module(f"ablation.analysis.{name}"))
    assert outcome.attempted and not outcome.failed
