"""Steps of `python launch.py` around Hydra: check the command line, run the composed cell, turn errors into exit codes."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from ablation.errors import AblationError
from ablation.log_handler import logging_to_stdout
from ablation.store.files import explain_os_error, is_about_the_disk
from ablation.terminal import printable

INTERRUPTED = 130
# As a shell reports a command whose reader went away (`ablation status cnls | head`).
READER_GONE = 141


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """Turn the errors that a user can do something about into text and an exit code.

    An AblationError exits with 2, or with 3 where the cluster cannot be reached. A full or unwritable disk exits with 2, Ctrl-C
    with 130, and a closed output with 141 and no text. Any other error is a defect and keeps its trace.
    """
    try:
        with logging_to_stdout():
            yield
        sys.stdout.flush()
    except AblationError as error:
        print(printable(str(error)), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # What is still buffered goes nowhere, or the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(READER_GONE) from None
    except OSError as error:
        if not is_about_the_disk(error):
            raise
        print(explain_os_error(error, Path(error.filename or ".")), file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def check_arguments(arguments: Sequence[str], config_dir: Path) -> list[str]:
    """Return the command line, ready for Hydra. Exits with 2 when a group, level or key in it is unknown."""
    from ablation.config.key_help import register_key_help
    from ablation.config.overrides import preflight

    register_key_help()
    with exit_on_refusal():
        return preflight(arguments, config_dir)


def run_single_cell(config: DictConfig) -> int:
    """Run the one cell of a composed configuration as a study of its own. Returns the exit code."""
    from ablation.cli.launch import run_study
    from ablation.config.cluster import Local
    from ablation.config.sweep.cells import read_single_cell

    with exit_on_refusal():
        cell, execution = read_single_cell(config)
        if isinstance(execution.cluster, Local):  # a worker process would gain nothing for one cell
            in_process = execution.cluster.model_copy(update={"in_process": True})
            execution = execution.model_copy(update={"cluster": in_process})
        return run_study([cell], [], execution)
