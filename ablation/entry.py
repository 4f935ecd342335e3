"""The edge to the shell: refusals as text, exit codes, and a look at the command line before Hydra composes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from ablation.errors import AblationError
from ablation.store import explain_os_error, is_about_the_disk

INTERRUPTED = 130


@contextmanager
def taught() -> Iterator[None]:
    """Print a refusal as text and exit with 2; Ctrl-C exits with 130. Anything else is a defect and keeps its trace."""
    try:
        yield
    except AblationError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        if not is_about_the_disk(error):
            raise
        print(explain_os_error(error, Path(error.filename or ".")), file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def run_single(config: DictConfig) -> int:
    """Run the one cell of a composed configuration, as a study of its own; the exit code."""
    from ablation.cluster import Local
    from ablation.expansion import single
    from ablation.sweep import carry_out

    with taught():
        cell, execution = single(config)
        if isinstance(execution.cluster, Local):  # a worker process would gain nothing for one cell
            in_process = execution.cluster.model_copy(update={"in_process": True})
            execution = execution.model_copy(update={"cluster": in_process})
        return carry_out([cell], [], execution)


def checked(arguments: Sequence[str], config_dir: Path) -> list[str]:
    """The command line, ready for Hydra, once every group, level and key in it is known; exits with 2 otherwise."""
    from ablation.preflight import preflight

    with taught():
        return preflight(arguments, config_dir)
