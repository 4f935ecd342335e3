"""The examples in the docstrings of training hold.

Walks through training.
"""

import doctest
from types import ModuleType

import pytest

from ablation.training import batches, distributed, encode, loss_curve, zero


@pytest.mark.parametrize("module", [batches, distributed, encode, loss_curve, zero], ids=lambda module: module.__name__)
def test_the_examples_of_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
