"""Run one frozen job on a compute node: ``python -m ablation.worker --jobs LIST``.

The array index says which line of the list.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ablation.dispatch.frozen import record_end, thaw
from ablation.dispatch.job import quiet_libraries, run_job
from ablation.errors import RecordError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when the cell is complete, 1 when it failed, 2 when the job could not be read."""
    parser = argparse.ArgumentParser(prog="python -m ablation.worker", description=__doc__)
    parser.add_argument("--jobs", type=Path, required=True, help="a text file with the path of one frozen job a line")
    parser.add_argument("--index", type=int, default=None, help="line to run; default: SLURM_ARRAY_TASK_ID")
    given = parser.parse_args(arguments)
    index = given.index if given.index is not None else int(os.environ["SLURM_ARRAY_TASK_ID"])
    try:
        path = Path(given.jobs.read_text(encoding="utf-8").splitlines()[index])
        job = thaw(path)
    except (RecordError, OSError, IndexError) as error:
        print(f"cannot read job {index} of {given.jobs}: {error}", file=sys.stderr)
        return 2
    quiet_libraries()
    outcome = run_job(job, lambda stage: print(f"{job.name}: {stage}", flush=True))
    record_end(path.parent, outcome, f"{os.environ.get('SLURM_ARRAY_JOB_ID', 'none')}_{index}")
    print(f"{job.name}: {outcome.error or 'complete'}", flush=True)
    return 1 if outcome.error else 0


if __name__ == "__main__":
    sys.exit(main())
