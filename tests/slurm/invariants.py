"""The properties that a study has after any fault.

Walks through specs, data, store, study, jobs.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ablation.data.benchmark import read_questions
from ablation.errors import AblationError
from ablation.jobs.slurm import history
from ablation.specs.cell import Cell, addresses, sample_blocks
from ablation.store.leftovers import workbenches
from ablation.store.records import COMPLETIONS_FILE, VERDICTS_FILE, Completion, Verdict, read_rows
from ablation.store.store import Store, read_seal, verify
from ablation.study.plan import Plan, load_plan
from tests.slurm.launched import Launched


def assert_nothing_lost(study: Launched, undisturbed: bytes) -> None:
    """Raises AssertionError unless the study is complete and as if nothing had happened, and stays so when launched again."""
    plan = load_plan(study.outputs / study.study)
    losses = [*_of_stages(plan), *_of_attempts(plan), *_of_ends(plan), *_of_workbenches(plan.store)]
    assert not losses, "\n".join(losses)
    before = _snapshot(study)
    study.launch()
    changed = [str(path) for path, state in _snapshot(study).items() if before.get(path) != state]
    assert not changed, f"launching again changed {changed}"
    assert not study.queue(), "launching again submitted something"
    assert study.results() == undisturbed, "the results are not those of an undisturbed run"


def _of_stages(plan: Plan) -> Iterator[str]:
    """Every stage published, whole, and once."""
    for path in {plan.store.path(address) for cell in plan.cells for address in addresses(cell).values()}:
        if not path.is_dir():
            yield f"{path} is missing"
        else:
            yield from verify(path)
    folders = [path for path in plan.store.root.glob("*/*") if not path.name.startswith(".")]
    count = Counter(json.dumps(read_seal(path)["address"], sort_keys=True) for path in folders)
    yield from (f"published {times} times: {address}" for address, times in count.items() if times > 1)


def _of_attempts(plan: Plan) -> Iterator[str]:
    """Every planned attempt at every question sampled once and judged once."""
    for cell in plan.cells:
        planned = {
            (question.id, number): 1 for question in read_questions(cell.benchmark) for number in range(cell.sample.n)
        }
        try:
            for name, rows in _rows(cell, plan.store).items():
                if Counter((row.question, row.attempt) for row in rows) != planned:
                    yield f"{cell.name}: {name} are not one for each planned attempt"
        except (OSError, AblationError) as error:
            yield f"{cell.name}: {error}"


def _of_ends(plan: Plan) -> Iterator[str]:
    """No part of a cell worked on to its end twice."""
    for cell in plan.cells:
        ends = [event for event in history.read(plan.folder / "jobs", cell.name) if event.is_complete and event.ran]
        times = Counter(event.stage for event in ends)
        yield from (f"{cell.name}: {stage} ran to its end {n} times" for stage, n in times.items() if n > 1)


def _rows(cell: Cell, store: Store) -> dict[str, list[Completion] | list[Verdict]]:
    address_of = addresses(cell)
    blocks = [store.path(address_of[name]) / COMPLETIONS_FILE for name in sample_blocks(cell.sample.n)]
    return {
        "completions": [row for path in blocks for row in read_rows(path, Completion)],
        "verdicts": read_rows(store.path(address_of["grade"]) / VERDICTS_FILE, Verdict),
    }


def _of_workbenches(store: Store) -> Iterator[str]:
    """Nobody holds a lease any more. Who was killed right after publishing could not put the bench away, which is no loss."""
    yield from (f"{bench.path} is held" for bench in workbenches(store) if not bench.is_dead)
    yield from (f"{path} is left" for path in store.root.glob("*/.partial-*"))


def _snapshot(study: Launched) -> dict[Path, tuple[int, int]]:
    """Size and time of every file of the store, and of the ledger: what launching again must not touch."""
    files = [path for path in study.outputs.glob("store/**/*") if path.is_file()]
    files += (study.outputs / study.study).glob("submissions.jsonl")
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
