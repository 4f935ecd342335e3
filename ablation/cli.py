"""The ``ablation`` command: what is done with a study after (or beside) running it. Running is ``python launch.py``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ablation.entry import taught
from ablation.errors import RecordError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and carry out one command; the exit code is 0, or 2 for a refusal."""
    parser = argparse.ArgumentParser(prog="ablation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser(
        "report", help="write outputs/STUDY/report/index.html again from the records, and print the table"
    )
    report.add_argument("study", help="a study's name below --outputs, or its folder")
    report.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of all studies (default: outputs)"
    )
    given = parser.parse_args(arguments)
    with taught():
        return _report(_folder(given.study, given.outputs))


def _folder(study: str, outputs: Path) -> Path:
    for folder in (outputs / study, Path(study)):
        if (folder / "manifest.json").is_file():
            return folder
    known = sorted(path.parent.name for path in outputs.glob("*/manifest.json"))
    raise RecordError(f"no study {study!r}; {outputs} has: {', '.join(known) or 'none'}; give its name or its folder")


def _report(folder: Path) -> int:
    from rich.console import Console

    from ablation.analysis import load
    from ablation.report.page import write
    from ablation.report.terminal import render

    page = write(folder)
    console = Console(highlight=False)
    console.print(render(load(folder)))
    console.print(f"report: {page}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
