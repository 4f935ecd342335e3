"""A refusal says where, what was given, what is allowed, and what the key means."""

import pytest
from pydantic import ValidationError

from ablation.config.cluster import Slurm
from ablation.config.messages import meaning, sentences
from ablation.specs.cell import Cell
from ablation.specs.sample import PassLine
from ablation.specs.source import Source
from ablation.specs.train import Lora


def test_the_meaning_of_a_key_is_its_first_sentence() -> None:
    assert meaning(Cell, ("train", "epochs")) == "passes over the selection"
    assert meaning(Cell, ("corpus", "filters", "benchmarks", 0, "name")) == "name of the benchmark in tables"
    assert meaning(Cell, ("train", "epoch")) == meaning(Cell, ("train",)), "the nearest key above it"


def test_a_value_of_the_wrong_type_is_refused_with_the_meaning_of_its_key() -> None:
    with pytest.raises(ValidationError) as caught:
        Lora.model_validate({"rank": "x"})
    assert (
        sentences(caught.value, Lora)[0]
        == "rank: given 'x' (str); input should be a valid integer (rank: rank of the adapter)"
    )


def test_an_unknown_key_is_refused_with_the_meaning_of_the_nearest() -> None:
    with pytest.raises(ValidationError) as caught:
        PassLine.model_validate({"tier": "all", "share": 0.9, "tire": "all"})
    [sentence] = sentences(caught.value, PassLine)
    assert sentence.endswith("did you mean 'tier' (tier whose attempts count)?")


def test_a_whole_section_has_the_words_of_its_own_rule() -> None:
    with pytest.raises(ValidationError) as caught:
        Source(path="a", hub="b")
    [sentence] = sentences(caught.value, Source)
    assert "path" in sentence and "hub" in sentence


def test_a_word_that_is_not_allowed_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValidationError) as caught:
        Slurm.model_validate({"kind": "slurm", "zero": 1})
    [sentence] = sentences(caught.value, Slurm)
    assert sentence.startswith("zero: given 1; allowed: 0, 2, 3")
