"""What is done with a study beside launching it; `python launch.py` launches."""

import argparse
import sys
from collections.abc import Sequence

from ablation.cli.commands import (
    audit,
    clean,
    doctor,
    failures,
    grade,
    interchange,
    logs,
    plan,
    power,
    prefetch,
    queue,
    records,
    status,
    tiers,
)
from ablation.cli.entry import exit_on_refusal
from ablation.terminal import repair_streams

_GROUPS = (
    plan, power, audit, doctor, prefetch, status, failures, logs, queue, records, grade, tiers, interchange, clean,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and carry out one command. Exit codes: 0 fine, 1 some cells failed, 2 refused, 3 no cluster, 130 Ctrl-C."""
    repair_streams()
    given = _parsed(arguments)
    with exit_on_refusal():
        code: int = given.run(given)
        return code


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """argparse takes a list that options interrupt (``status cnls --json count=100``) for unknown words."""
    given, rest = (found := parser()).parse_known_args(arguments)
    several = next((name for name in ("filters", "overrides") if hasattr(given, name)), None)
    if rest and (several is None or any(word.startswith("-") for word in rest)):
        found.error(f"unrecognized arguments: {' '.join(rest)}")
    if several and rest:
        setattr(given, several, [*getattr(given, several), *rest])
    return given


def parser() -> argparse.ArgumentParser:
    """The command line, with one entry for each command."""
    found = argparse.ArgumentParser(prog="ablation", description=__doc__)
    commands = found.add_subparsers(dest="command", required=True)
    for group in _GROUPS:
        group.register(commands)
    return found


if __name__ == "__main__":
    sys.exit(main())
