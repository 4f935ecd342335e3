"""The command `ablation`: parse the command line and run one of the commands below ablation/cli/commands."""

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

_DESCRIPTION = "What is done with a study beside launching it; `python launch.py` launches."


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run one command. Returns, or exits with, its code.

    The codes: 0 fine, 1 some cells failed, 2 refused, 3 the cluster does not answer, 130 Ctrl-C.
    """
    repair_streams()
    options = _parse(arguments)
    with exit_on_refusal():
        code: int = options.run(options)
        return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed options of a command. Exits with 2 on words that it does not know."""
    command_parser = parser()
    options, unknown_words = command_parser.parse_known_args(arguments)
    # argparse takes the rest of a list that an option interrupts (``status cnls --json count=100``) for unknown words.
    list_name = next((name for name in ("filters", "overrides") if hasattr(options, name)), None)
    if unknown_words and (list_name is None or any(word.startswith("-") for word in unknown_words)):
        command_parser.error(f"unrecognized arguments: {' '.join(unknown_words)}")
    if list_name and unknown_words:
        setattr(options, list_name, [*getattr(options, list_name), *unknown_words])
    return options


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, with one entry for each command."""
    command_parser = argparse.ArgumentParser(prog="ablation", description=_DESCRIPTION)
    commands = command_parser.add_subparsers(dest="command", required=True)
    for group in _GROUPS:
        group.register(commands)
    return command_parser


if __name__ == "__main__":
    sys.exit(main())
