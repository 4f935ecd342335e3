"""A field that a spec gets today must leave the keys of yesterday as they are: it is a later field, or a label.

Walks through specs.
"""

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from ablation.specs import Benchmark, Lora, Sample, Train
from ablation.specs.base import Spec
from ablation.specs.cell import Cell

# The fields that stand in every canonical form of store format 1. Never add to this list: name a new field in `later`.
FORMAT_1 = {
    "Across": {"styles", "problem_types"},
    "Benchmark": {"source", "columns", "answers", "tiers"},
    "Category": {"problem_types", "balanced", "near"},
    "Cell": {
        "category", "count", "length", "style", "seed", "corpus", "benchmark", "model", "train", "sample",
    },
    "BenchmarkColumns": {"id", "problem", "answer", "answer_after", "tier"},
    "Corpus": {"reader", "keep", "source", "columns", "problem_types", "filters"},
    "CorpusColumns": {"problem", "id", "problem_type", "source", "trajectories"},
    "Count": {"size"},
    "Embedding": {"kind", "source"},
    "Filters": {"duplicates", "decontaminate", "ngram", "share", "benchmarks", "too_long", "per_problem"},
    "Length": {"name", "band", "low", "high", "across", "tolerance"},
    "Lora": {"rank", "alpha", "dropout", "targets"},
    "Model": {"source", "trust_remote_code"},
    "Near": {"benchmark", "tiers", "per_question", "side", "embedding"},
    "PassLine": {"tier", "share"},
    "Repetition": {"max_pattern_size", "min_count"},
    "Sample": {
        "engine", "n", "temperature", "top_p", "max_tokens", "precision", "batch_rows", "kv_cache", "repetition",
    },
    "Seeds": {"data", "train", "sample"},
    "Source": {"hub", "revision", "subset", "split", "sha256"},
    "Steps": {"column", "mark", "tiers", "per_tier"},
    "Style": {"name", "paired"},
    "Texts": {"text", "right", "right_is", "complete"},
    "Train": {
        "method", "lora", "learning_rate", "schedule", "warmup_share", "weight_decay", "adam_beta1", "adam_beta2",
        "max_grad_norm", "batch", "block_tokens", "precision",
    },
}  # fmt: skip


def _specs_in(annotation: Any) -> Iterator[type[Spec]]:
    """Yield the specs that a field may hold, and those that they hold in turn."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
        for name, field in annotation.model_fields.items():
            if name not in annotation.labels:
                yield from _specs_in(field.annotation)
    for argument in get_args(annotation):
        yield from _specs_in(argument)


SPECS = sorted(set(_specs_in(Cell)), key=lambda spec: spec.__name__)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_a_field_that_format_1_did_not_have_is_a_later_field_or_a_label(spec: type[Spec]) -> None:
    assert spec.model_fields.keys() - spec.labels - spec.later == FORMAT_1[spec.__name__]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_labels_and_later_fields_are_fields_and_a_later_one_has_a_default(spec: type[Spec]) -> None:
    assert spec.labels | spec.later <= spec.model_fields.keys()
    assert not spec.labels & spec.later
    assert not [name for name in spec.later if spec.model_fields[name].is_required()]


def test_every_spec_of_format_1_is_still_part_of_a_cell() -> None:
    assert {spec.__name__ for spec in SPECS} == FORMAT_1.keys()


def test_the_later_fields_are_these() -> None:
    """Taking one away would bring it into the canonical form of every cell that has its default."""
    assert {spec: spec.later for spec in SPECS if spec.later} == {
        Benchmark: {"steps"},
        Lora: {"merged"},
        Sample: {"stop", "pass_line"},
        Train: {"epochs", "updates", "tokens", "packing", "drop_untrainable"},
    }


def test_a_later_field_counts_only_while_it_differs_from_its_default() -> None:
    lora = Lora(rank=1, alpha=1, dropout=0.0, targets="all-linear")
    assert "merged" not in lora.canonical()
    assert lora.model_copy(update={"merged": False}).canonical() == {**lora.canonical(), "merged": False}
