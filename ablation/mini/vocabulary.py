"""Every wording of the embedded world, from which the tokenizer's vocabulary is collected."""

import re
from collections.abc import Iterator

from ablation.mini import base_text, trajectories
from ablation.mini.operations import OPERATIONS
from ablation.mini.surfaces import CATEGORIES, LETTERS, Surface

_SLOT = re.compile(r"\{\w+\}")


def every_wording() -> Iterator[str]:
    """All templates with their slots blanked, and all fillers of the slots that hold words."""
    templates = [
        *_problem_templates(),
        *_solution_templates(),
        *(operation.symbol for operation in OPERATIONS.values()),
    ]
    yield from (_SLOT.sub(" ", template) for template in templates)
    yield from (trajectories.boxed(0), " ".join(LETTERS), "=")


def _problem_templates() -> Iterator[str]:
    for category in CATEGORIES:
        for surface in category.surfaces:
            yield from _surface_templates(surface)


def _surface_templates(surface: Surface) -> Iterator[str]:
    yield from (*surface.openers, *surface.questions)
    for wordings in (*surface.phrases.values(), *surface.slots.values()):
        yield from wordings


def _solution_templates() -> Iterator[str]:
    yield from (*trajectories.OPENINGS, *trajectories.LINKS, *trajectories.CHECKS, *trajectories.CORRECTIONS)
    yield from (
        *trajectories.CLOSINGS,
        *trajectories.TERSE_CLOSINGS,
        *base_text.INTROS,
        *base_text.RESULTS,
        *base_text.STEPS,
    )
