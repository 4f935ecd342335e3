"""Smallest effects agree with a closed form, and are found as often as promised."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ablation.analysis.effects.replicates import replicates
from ablation.analysis.effects.uncertainty import these_questions
from ablation.analysis.power.simulation import SimulatedWorld, crossed_settings, study
from ablation.analysis.power.smallest_effects import (
    Assumptions,
    assumed_from_figure,
    assumed_from_records,
    effect_sentences,
    smallest_effects,
    what_to_raise,
)
from ablation.analysis.records.load import SEED_COLUMNS
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Scores
from ablation.cli.__main__ import main
from tests.analysis.studies import row_of

TIERS = ["easy"] * 4 + ["medium"] * 10 + ["hard"] * 12 + ["exh"] * 4


def _planned(seeds: int) -> Scores:
    return study(np.random.default_rng(0), SimulatedWorld(), crossed_settings(style=["r1", "gemini"]), seeds, 8)


def test_the_figure_gives_the_published_tier_means() -> None:
    world = assumed_from_figure(TIERS)
    rates = (world.rates_q * 17 - 0.5) / 16
    found = [rates[np.array(TIERS) == tier].mean() for tier in ("easy", "medium", "hard", "exh")]
    assert found == pytest.approx([1, 0.894, 0.297, 0], abs=5e-4) and rates.mean() == pytest.approx(0.55, abs=5e-4)


def test_without_replicates_the_smallest_effect_is_that_of_the_attempts() -> None:
    """(1.96 + 0.84) · √(2 Σ p(1 − p) / n) / Q on these questions, with nothing else that varies."""
    world = replace(assumed_from_figure(TIERS), cell_question_sd=0.0, seed_question_sd=0.0, seed_sd=0.0)
    found = row_of(smallest_effects(_planned(1).cells, 8, world), factor="style", tier="all")
    closed = 2.802 * np.sqrt(2 * (world.rates_q * (1 - world.rates_q)).sum() / 8) / 30
    assert found["effect_these"] == pytest.approx(closed, rel=0.05)


def test_twice_the_seeds_beats_twice_the_attempts_where_seeds_differ() -> None:
    scores = _planned(4)
    table = what_to_raise(scores.cells, 32, assumed_from_records(study(np.random.default_rng(1), SimulatedWorld(seed_sd=0.8),
                          crossed_settings(style=["r1", "gemini"]), 6, 32)), studies=10)  # fmt: skip
    style = {row["option"]: row["effect_these"] for row in table[table["factor"] == "style"].to_dict("records")}
    assert style["twice the seeds"] < 0.8 * style["as planned"] < style["twice the attempts"]
    (said,) = [line for line in effect_sentences(table) if line.startswith("style")]
    assert "twice the seeds would make it" in said
    assert [line for line in effect_sentences(table) if line.startswith("length")] == [
        "length: nothing to compare, or no variation to tell a difference from"
    ]


def test_an_effect_of_that_size_is_found_about_as_often_as_promised() -> None:
    """80 % promised; 150 simulated studies have a standard error of 3.3 points."""
    rates = {"middle": (30, 0.5)}
    world = SimulatedWorld(question_sd=0.0, seed_sd=0.15, seed_question_sd=0.0, rates=rates)
    planned, pair = _planned(4), crossed_settings(style=["r1", "gemini"])
    weights_ec = np.repeat([1.0, -1.0], 4)[None, :] / 4
    effect = row_of(
        smallest_effects(planned.cells, 8, Assumptions(("middle",) * 30, np.full(30, 0.5), 0.15, 0.0, 0.0), studies=80),
        factor="style",
        tier="all",
    )["effect_these"]
    rng, found = np.random.default_rng(3), 0
    for _ in range(150):
        drawn = study(rng, world, pair, 4, 8, effect_g=[float(np.log((0.5 + effect) / (0.5 - effect))), 0.0])
        measured = measure(drawn, "all")
        half = these_questions(weights_ec, measured, replicates(drawn, measured)).half_width()[0]
        found += abs(float(weights_ec[0] @ measured.means_c)) > half
    assert 0.68 <= found / 150 <= 0.92


def test_the_command_names_every_factor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "sweep=smoke", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["factor"] for row in told["options"]} == {"training", "category", "count", "length", "style"}
    assert told["caution"].startswith("No setting is planned with two seeds")
    assert "assumed" in told["assumptions"] and set(SEED_COLUMNS) == {"seed_data", "seed_train", "seed_sample"}
