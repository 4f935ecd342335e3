"""The study in a terminal: avg@n by factor level and tier, then the findings. Fits 80 columns, needs no colour."""

from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ablation.analysis.effects.estimates import estimand
from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.findings.sentences import Finding
from ablation.report.display_text import clean, short
from ablation.report.tables import decided_rows, level_means, scope_label

VERDICT_MARKS = {"raised": "+", "lowered": "-", "open": "o", "unknown": "?", "warning": "!", "note": "*"}
VERDICT_STYLES = {"raised": "bold cyan", "lowered": "bold cyan", "warning": "bold yellow"}
MAX_DECIDED = 20
MAX_TIERS = 6  # more do not fit 80 columns; the page has them all


def render_summary(analysis: Analysis) -> RenderableType:
    """Return the study's results as something that rich prints to a terminal, a pipe or a file."""
    headlines = [finding for finding in analysis.findings if finding.headline]
    return Group(
        _title(analysis),
        *([_table(analysis)] if len(analysis.scores.questions) else []),
        *_decided(analysis),
        *[_line(finding) for finding in headlines],
        Padding(
            Text(f"Percent of attempts; 95 % intervals for {estimand(analysis.scores)}.", style="dim"), (1, 0, 0, 0)
        ),
    )


def _title(analysis: Analysis) -> Text:
    """Return the study's name and size, and the manifest's note below them."""
    study, complete = analysis.study, int(analysis.coverage["complete"].sum())
    ended = int(analysis.coverage["curtailed"].sum())
    early = f", {ended} decided early" if ended else ""
    size = f"{complete} of {len(analysis.coverage)} cells complete{early}, {len(analysis.scores.questions)} questions"
    title = Text.assemble((short(study.name, 40), "bold"), f": avg@{study.n_attempts}, {size}")
    if note := study.manifest.get("note"):
        title.append(f"\n{clean(note)}", style="italic")
    return title


def _table(analysis: Analysis) -> Table:
    """Return the marginal means: a row a level, a column a scope."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("factor", max_width=10, no_wrap=True)
    table.add_column("level", max_width=15, no_wrap=True)
    table.add_column("cells", justify="right", no_wrap=True)
    scopes = analysis.scores.all_and_tiers[: MAX_TIERS + 1]
    for scope in scopes:
        table.add_column(Text(short(scope_label(scope), 6)), justify="right", no_wrap=True)
    for factor, rows in groupby(level_means(analysis), key=lambda row: str(row["factor"])):
        for index, row in enumerate(rows):
            values = [heat.text for heat in row["by_scope"][: len(scopes)]]
            table.add_row("" if index else factor, Text(short(row["level"], 15)), str(row["cells"]), *values)
        table.add_section()
    return table


def _decided(analysis: Analysis) -> list[Table]:
    """Return a table of the curtailed cells: whether each reached its pass line, and in how many attempts; empty without any."""
    rows = decided_rows(analysis)
    if not rows:
        return []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("decided early", max_width=36, no_wrap=True)
    table.add_column("pass line", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    table.add_column("attempts", justify="right", no_wrap=True)
    for row in rows[:MAX_DECIDED]:
        attempts = f"{row['attempts']:.0f} of {row['planned']:.0f}"
        table.add_row(Text(short(row["cell"], 36)), Text(short(row["line"], 16)), str(row["answer"]), attempts)
    if len(rows) > MAX_DECIDED:
        table.add_row(f"{len(rows) - MAX_DECIDED} more in the report", "", "", "")
    return [table]


def _line(finding: Finding) -> Table:
    """Return a hanging mark with the sentence wrapped beside it."""
    line = Table.grid(padding=(0, 1))
    line.add_column(width=1)
    line.add_column()
    style = VERDICT_STYLES.get(finding.verdict, "")
    line.add_row(Text(VERDICT_MARKS[finding.verdict], style=style), Text(clean(finding.text).replace("−", "-")))
    return line
