"""A study that faults hit at random moments ends complete and equal to an undisturbed one: a short run of the chaos.

`python -m tests.chaos.run` makes the long run.

Walks through all rooms, by the commands alone.
"""

from pathlib import Path

import pytest

from tests.chaos.run import Chaos, pair
from tests.slurm.daemons import LIMIT_S, are_here
from tests.slurm.invariants import assert_nothing_lost

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]


def test_a_study_under_random_faults_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    if not are_here():
        pytest.skip("no sandbox runs here; start one with tools/slurm-sandbox up")
    disturbed, undisturbed = pair(6, tmp_path, ("train.epochs=4", "sample.n=2", "sample.max_tokens=32"))
    undisturbed.launch()
    chaos = Chaos(disturbed, seed=7, pause_s=1.5)
    chaos.run(kills=10, within_s=120)
    assert chaos.hits.total() >= 5, chaos.summary()
    disturbed.launch()
    assert_nothing_lost(disturbed, undisturbed.results())
