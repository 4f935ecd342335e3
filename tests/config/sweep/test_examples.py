"""The examples in the docstrings of the sweep hold.

Walks through config.
"""

import doctest
from types import ModuleType

import pytest

from ablation.config.sweep import compose, narrow, points, resolve


@pytest.mark.parametrize("module", [narrow, points, compose, resolve], ids=lambda module: module.__name__)
def test_the_examples_of_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
