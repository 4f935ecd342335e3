"""The audit of a sweep's training sets as one HTML file that needs nothing else: no network, no script."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from ablation.data.corpus.audit import QUANTILES, Audit, Selection
from ablation.report.display_text import quantity
from ablation.report.templating import render_template, resource
from ablation.store.files import write_text_atomically

# The study's own grid has 112 cells. Of more selections than this, each is listed with the sets that it shares most with.
MATRIX_LIMIT = 128
_LISTED = 5


def write_audit_page(audit: Audit, folder: Path) -> Path:
    """Write ``index.html`` into the folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / "index.html", render_audit(audit))
    return folder / "index.html"


def render_audit(audit: Audit) -> str:
    """Return the page's text: the same audit gives the same bytes."""
    return render_template(
        "audit.html.j2",
        audit=audit,
        style=Markup(resource("style.css")),
        quantiles=QUANTILES,
        quantity=quantity,
        counted=with_noun,
        shares=shares,
        counts=counts,
        matrix=matrix(audit) if len(audit.selections) <= MATRIX_LIMIT else None,
        limit=MATRIX_LIMIT,
        nearest=nearest(audit) if len(audit.selections) > MATRIX_LIMIT else [],
        contaminated=[selection for selection in audit.selections if selection.hits],
        twins=twins(audit.selections),
        step_names=list(dict.fromkeys(step for selection in audit.selections for step in selection.funnel)),
    )


def with_noun(number: int, singular: str, plural: str = "") -> str:
    """Return ``1 cell``, ``2 cells``; `plural` is for words that do not end in s."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def shares(of: dict[str, int]) -> str:
    """Return the first names with their percentages: ``Algebra 60 %, Geometry 40 %``; ``7 evenly`` for many equal ones."""
    total = sum(of.values())
    if len(of) > _LISTED and max(of.values()) - min(of.values()) <= 1:
        return f"{len(of)} evenly"
    parts = [f"{name} {100 * count / total:.0f} %" for name, count in list(of.items())[:_LISTED]]
    return ", ".join([*parts, f"{len(of) - _LISTED} more"] if len(of) > _LISTED else parts)


def counts(of: dict[str, int]) -> str:
    """Return all names with their numbers: ``Algebra 60, Geometry 40``."""
    return ", ".join(f"{name} {number:,}" for name, number in of.items())


def matrix(audit: Audit) -> list[list[tuple[str, int, str]]]:
    """Return (text, tint from 0 to 100, sentence) for each two selections. The share is of the row's trajectories."""
    names = [selection.name for selection in audit.selections]
    return [
        [_square(audit, row, column, f"{names[row]} and {names[column]}") for column in range(len(names))]
        for row in range(len(names))
    ]


def nearest(audit: Audit) -> list[tuple[str, list[str], int]]:
    """Return (name, the selections that hold most of its trajectories, how many further ones share any) of each selection."""
    names = [selection.name for selection in audit.selections]
    neighbours = []
    for row, name in enumerate(names):
        sharing = [column for column, shared in enumerate(audit.shared[row]) if shared and column != row]
        sharing.sort(key=lambda column: (-audit.shared[row][column], column))
        listed = [f"{names[column]} ({audit.shared[row][column]:,})" for column in sharing[:_LISTED]]
        neighbours.append((name, listed, len(sharing) - len(listed)))
    return neighbours


def twins(selections: Sequence[Selection]) -> list[tuple[str, str]]:
    """Return pairs of selections under different names that hold the same trajectories: their contrast would be nothing."""
    first: dict[str, str] = {}
    return [
        (first[selection.digest], selection.name)
        for selection in selections
        if selection.digest in first or first.setdefault(selection.digest, selection.name) != selection.name
    ]


def _square(audit: Audit, row: int, column: int, names: str) -> tuple[str, int, str]:
    """Return a square of the matrix: its text, its tint, and the sentence that it shows."""
    shared, problems = audit.shared[row][column], audit.shared_problems[row][column]
    share = round(100 * shared / max(1, audit.selections[row].count))
    return str(share) if shared else "", share, f"{names}: {shared} trajectories, {problems} problems in common"
