"""The audit as one HTML file that needs nothing else: no network, no script. What files say is escaped and cleaned."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ablation.data.corpus.audit import QUANTILES, Audit, Selection
from ablation.report.display_text import clean, quantity
from ablation.store.files import write_text_atomically

# The study's own grid has 112 cells. Of more selections than this, each is listed with the sets that it shares most with.
MATRIX_LIMIT = 128
_SHOWN = 5


def write(audit: Audit, folder: Path) -> Path:
    """Write ``index.html`` into the folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / "index.html", render(audit))
    return folder / "index.html"


def render(audit: Audit) -> str:
    """The page's text: the same audit gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("ablation.report"),
        autoescape=True,
        finalize=_cleaned,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (files("ablation.report") / "templates" / "style.css").read_text(encoding="utf-8")
    return environment.get_template("audit.html.j2").render(
        audit=audit,
        style=Markup(style),
        quantiles=QUANTILES,
        quantity=quantity,
        counted=counted,
        shares=shares,
        counts=counts,
        matrix=matrix(audit) if len(audit.selections) <= MATRIX_LIMIT else None,
        limit=MATRIX_LIMIT,
        nearest=nearest(audit) if len(audit.selections) > MATRIX_LIMIT else [],
        contaminated=[one for one in audit.selections if one.hits],
        twins=twins(audit.selections),
        step_names=list(dict.fromkeys(step for one in audit.selections for step in one.funnel)),
    )


def counted(number: int, one: str, many: str = "") -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def shares(of: dict[str, int]) -> str:
    """The most frequent names with their percentages: ``Algebra 60 %, Geometry 40 %``; ``7 evenly`` where they are many."""
    total = sum(of.values())
    if len(of) > _SHOWN and max(of.values()) - min(of.values()) <= 1:
        return f"{len(of)} evenly"
    told = [f"{name} {100 * count / total:.0f} %" for name, count in list(of.items())[:_SHOWN]]
    return ", ".join([*told, f"{len(of) - _SHOWN} more"] if len(of) > _SHOWN else told)


def counts(of: dict[str, int]) -> str:
    """All names with their numbers: ``Algebra 60, Geometry 40``."""
    return ", ".join(f"{name} {number:,}" for name, number in of.items())


def matrix(audit: Audit) -> list[list[tuple[str, int, str]]]:
    """For each two selections what is shown, its tint, and a sentence. The share is of the row's trajectories."""
    names = [one.name for one in audit.selections]
    return [
        [_square(audit, row, column, f"{names[row]} and {names[column]}") for column in range(len(names))]
        for row in range(len(names))
    ]


def nearest(audit: Audit) -> list[tuple[str, list[str], int]]:
    """For each selection the others that hold most of its trajectories, and with how many further ones it shares any."""
    names, found = [one.name for one in audit.selections], []
    for row, name in enumerate(names):
        sharing = [column for column, shared in enumerate(audit.shared[row]) if shared and column != row]
        sharing.sort(key=lambda column: (-audit.shared[row][column], column))
        told = [f"{names[column]} ({audit.shared[row][column]:,})" for column in sharing[:_SHOWN]]
        found.append((name, told, len(sharing) - len(told)))
    return found


def twins(selections: Sequence[Selection]) -> list[tuple[str, str]]:
    """Pairs of selections under different names that hold the same trajectories: their contrast would be nothing."""
    first: dict[str, str] = {}
    return [
        (first[one.digest], one.name)
        for one in selections
        if one.digest in first or first.setdefault(one.digest, one.name) != one.name
    ]


def _square(audit: Audit, row: int, column: int, names: str) -> tuple[str, int, str]:
    shared, problems = audit.shared[row][column], audit.shared_problems[row][column]
    share = round(100 * shared / max(1, audit.selections[row].count))
    return str(share) if shared else "", share, f"{names}: {shared} trajectories, {problems} problems in common"


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
