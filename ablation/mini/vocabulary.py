"""Every wording of the embedded world, from which the tokenizer's vocabulary is collected."""

import re
from collections.abc import Iterator

from ablation.mini import base_text, generations
from ablation.mini.operations import OPERATIONS
from ablation.mini.wordings import LETTERS, PROBLEM_TYPES, Wording

_SLOT = re.compile(r"\{\w+\}")


def every_wording() -> Iterator[str]:
    """Yield all templates with their slots blanked, and all fillers of the slots that hold words."""
    templates = [
        *_problem_templates(),
        *_solution_templates(),
        *(operation.symbol for operation in OPERATIONS.values()),
    ]
    yield from (_SLOT.sub(" ", template) for template in templates)
    yield from (generations.boxed(0), " ".join(LETTERS), "=")


def _problem_templates() -> Iterator[str]:
    """Yield the templates and the fillers of every wording."""
    for problem_type in PROBLEM_TYPES:
        for wording in problem_type.wordings:
            yield from _templates(wording)


def _templates(wording: Wording) -> Iterator[str]:
    yield from (*wording.openers, *wording.questions)
    for texts in (*wording.phrases.values(), *wording.slots.values()):
        yield from texts


def _solution_templates() -> Iterator[str]:
    """Yield the templates of all solutions: those of the generations, then those of the base text."""
    yield from (*generations.OPENINGS, *generations.LINKS, *generations.CHECKS, *generations.CORRECTIONS)
    yield from (
        *generations.CLOSINGS,
        *generations.TERSE_CLOSINGS,
        *base_text.INTROS,
        *base_text.RESULTS,
        *base_text.STEPS,
    )
