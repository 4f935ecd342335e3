"""The base model's card: its purpose, its making, and its measured pass rates."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from string import Template

CARD = Template("""---
license: apache-2.0
language: en
pipeline_tag: text-generation
library_name: transformers
tags: [qwen2, arithmetic, ablation]
---

# The base model of the embedded study

A Qwen2 of $parameters parameters (float32) with a word-level tokenizer: one token a word or whole number 0–99.
It is an instrument for studying the mechanism of fine-tuning on written-out solutions, on a laptop; it says nothing about
large models and is of no use for anything else.

## Training
From scratch on generated text (`ablation/mini/base_text.py`), $updates updates, seed $seed; the loss curve is in
`training_log.jsonl`. Made again by `python -m ablation.mini base`. The text has three parts: elementary facts
(`27 + 4 = 31.`), problems answered directly in the chat format, and problems followed by worked solutions of up to
$deepest steps in several phrasings, outside the chat format. It never shows a written-out step inside the chat format,
and no problem of it has the wording of a benchmark question, with whatever numbers.

## What it knows
Share of right answers to fresh problems, decoded greedily, $problems_per_depth problems a depth:

$table

Asked in chat it answers at once, so it has the parts of longer solutions but not the habit of writing them.
""")


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The numbers of the card: how the model was made and measured."""

    parameters: int
    updates: int
    seed: int
    deepest: int
    """The steps of the longest worked solutions in the training text."""
    problems_per_depth: int
    """The problems behind each measured pass rate."""


def model_card(facts: CardFacts, rates: Mapping[str, Mapping[int, float]]) -> str:
    """Return the card as Markdown with a YAML header; `rates` is way of asking → depth → share of right answers."""
    return CARD.substitute({name: f"{value:,}" for name, value in asdict(facts).items()}, table=_table(rates))


def _table(rates: Mapping[str, Mapping[int, float]]) -> str:
    """Return a Markdown table: a row a way of asking, a column a depth, in percent."""
    depths = list(next(iter(rates.values())))
    lines = ["| steps | " + " | ".join(map(str, depths)) + " |", "|---" * (len(depths) + 1) + "|"]
    lines += [
        "| " + " | ".join([way, *(f"{by_depth[depth]:.0%}" for depth in depths)]) + " |"
        for way, by_depth in rates.items()
    ]
    return "\n".join(lines)
