"""The examples in the docstrings of evaluation hold.

Walks through evaluation.
"""

import doctest
from types import ModuleType

import pytest

from ablation.evaluation import pass_line
from ablation.evaluation.grading import verdict
from ablation.evaluation.sampling import seeds


@pytest.mark.parametrize("module", [pass_line, seeds, verdict], ids=lambda module: module.__name__)
def test_the_examples_of_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
