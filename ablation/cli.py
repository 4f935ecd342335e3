"""What is done with a study beside launching it; `python launch.py` launches."""

import argparse
import sys
from collections.abc import Sequence

from ablation.commands import failures, grade, logs, plan, queue, records, status
from ablation.entry import taught
from ablation.terminal import forgive_encoding

_GROUPS = (plan, status, failures, logs, queue, records, grade)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and carry out one command. Exit codes: 0 fine, 1 some cells failed, 2 refused, 3 no cluster, 130 Ctrl-C."""
    forgive_encoding()
    given = parser().parse_args(arguments)
    with taught():
        code: int = given.run(given)
        return code


def parser() -> argparse.ArgumentParser:
    """The command line, with one entry for each command."""
    found = argparse.ArgumentParser(prog="ablation", description=__doc__)
    commands = found.add_subparsers(dest="command", required=True)
    for group in _GROUPS:
        group.register(commands)
    return found


if __name__ == "__main__":
    sys.exit(main())
