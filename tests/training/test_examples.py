"""The examples in the docstrings of training and evaluation hold.

Walks through training, evaluation.
"""

import doctest
from types import ModuleType

import pytest

from ablation.training import batches, distributed, zero


@pytest.mark.parametrize("module", [batches, distributed, zero], ids=lambda module: module.__name__)
def test_the_examples_of_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
