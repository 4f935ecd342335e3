"""Every example in a docstring of the package gives what stands below it.

Walks through all rooms: a module is tried as soon as it has an example.
"""

import doctest
from importlib import import_module

import pytest

from tests.conftest import ROOT

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "ablation").rglob("*.py"))
    if ">>> " in path.read_text()
]


def test_examples_are_found() -> None:
    assert {"ablation.errors", "ablation.config.sweep.points", "ablation.training.batches"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    results = doctest.testmod(import_module(name))
    assert results.attempted
    assert not results.failed
