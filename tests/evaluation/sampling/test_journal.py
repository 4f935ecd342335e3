"""A sampling run that is stopped, killed or damaged gives the bytes of one that was left alone."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from ablation.evaluation.sampling.journal import Journal, read
from ablation.evaluation.sampling.planned_attempts import PlannedAttempt, SamplingUnit, plan_digest
from ablation.evaluation.sampling.sample import sample
from ablation.specs.cell import Cell
from ablation.store.interrupt import Interrupted
from ablation.store.records import COMPLETIONS_FILE, Completion
from ablation.store.stage_run import StageRun
from tests.killing import killed
from tests.stage_runs import StageRuns, StopAt

# Five units: 2 questions × 5 attempts in batches of 2 rows, each of up to two segments.
FEW = ("count.size=0", "sample.n=5", "sample.max_tokens=40", "sample.batch_rows=2", "sample.temperature=1.0")


class Trials(StageRuns):
    """Attempts at sampling one cell; the stage looks at its halt once before each segment of a batch."""

    def __init__(self, cell: Cell, place: Path) -> None:
        super().__init__(place)
        self.cell = cell

    def run(self, stop_at: int | None = None) -> bytes:
        """One attempt, stopped at its n-th segment."""
        run = self.begin(StopAt(stop_at))
        sample(self.cell, range(self.cell.sample.n), None, run)
        return (run.out / COMPLETIONS_FILE).read_bytes()

    def kept_before(self) -> int:
        """How many completions the last attempt did not have to sample."""
        told = json.loads((self.begun[-1].out / "timing.json").read_text())
        return int(told["attempts_kept_before"])


@pytest.fixture
def trials(cell_of: Callable[..., Cell], tiny_benchmark: list[str], tmp_path: Path) -> Callable[[str], Trials]:
    torch.set_num_threads(1)
    cell = cell_of(*FEW, *tiny_benchmark)
    return lambda name: Trials(cell, tmp_path / name)


def test_stopped_at_every_segment_it_ends_with_the_same_bytes(trials: Callable[[str], Trials]) -> None:
    whole = trials("whole").run()
    kept = []
    for segment in itertools.count(1):
        pieces = trials(f"pieces-{segment}")
        try:
            pieces.run(stop_at=segment)
        except Interrupted:
            assert pieces.run() == whole
            kept.append(pieces.kept_before())
        else:
            break
    assert sorted(set(kept)) == [0, 2, 4, 6, 8]
    assert kept == sorted(kept)


def test_stopped_again_and_again_it_ends_with_the_same_bytes(trials: Callable[[str], Trials]) -> None:
    whole, often = trials("whole").run(), trials("often")
    for _ in range(20):
        try:
            found = often.run(stop_at=3)  # time for one unit or two
            break
        except Interrupted:
            continue
    assert found == whole
    assert 3 <= len(often.begun) <= 5
    assert [run.kept.exists() for run in often.begun[:-1]] == [False] * (len(often.begun) - 1)


def test_killed_again_and_again_it_ends_with_the_same_bytes(trials: Callable[[str], Trials]) -> None:
    whole, again = trials("whole").run(), trials("again")
    for _ in range(4):
        run = again.begin()
        journal, before = run.kept / COMPLETIONS_FILE, len(again.begun)
        killed(
            lambda run=run: sample(again.cell, range(again.cell.sample.n), None, run),  # type: ignore[misc]
            lambda journal=journal, before=before: size(journal) > 400 * before,  # type: ignore[misc]
        )
    assert again.run() == whole
    assert again.kept_before() >= 2


def size(file: Path) -> int:
    """Bytes of a file, 0 before there is one."""
    return file.stat().st_size if file.exists() else 0


UNITS: list[SamplingUnit] = [
    tuple(PlannedAttempt(name, attempt, (1, 2)) for attempt in range(2)) for name in ("a", "b", "c")
]


def finished(unit: SamplingUnit, text: str = "so \\boxed{7}\u2028 …") -> list[Completion]:
    return [
        Completion(question=row.question, attempt=row.attempt, text=text, tokens=3, finish_reason="stop")
        for row in unit
    ]


def attempts(tmp_path: Path, names: Sequence[str] = "123") -> list[StageRun]:
    """Newest last; each knows the ones before."""
    made: list[StageRun] = []
    for name in names:
        (tmp_path / name).mkdir()
        made.append(StageRun(tmp_path / name, tmp_path / name, tuple(one.kept for one in reversed(made))))
    return made


def test_a_line_torn_at_any_byte_is_dropped_and_counted(tmp_path: Path) -> None:
    [run] = attempts(tmp_path, "1")
    with Journal(run, UNITS, "engine 1") as journal:
        for unit in UNITS:
            journal.keep(finished(unit))
    content, plan = journal.path.read_bytes(), plan_digest(UNITS, "engine 1")
    last = content.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(content)):
        for tail in (b"", b"\0" * 9):
            journal.path.write_bytes(content[:end] + tail)
            found = read(journal.path, plan)
            assert found.units == [finished(unit) for unit in UNITS[:2]]
            assert found.dropped == (end > last or tail != b"")


def test_a_flipped_bit_anywhere_never_changes_a_text(tmp_path: Path) -> None:
    [run] = attempts(tmp_path, "1")
    with Journal(run, UNITS, "engine 1") as journal:
        journal.keep(finished(UNITS[0]))
        journal.keep(finished(UNITS[1]))
    content, plan = journal.path.read_bytes(), plan_digest(UNITS, "engine 1")
    for place in range(len(content)):
        journal.path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert all(unit in [finished(UNITS[0]), finished(UNITS[1])] for unit in read(journal.path, plan).units)


def test_what_several_attempts_kept_is_taken_over_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, two, three = attempts(tmp_path)
    for run, units in ((one, UNITS[:1]), (two, UNITS[:2])):
        with Journal(StageRun(run.out, run.kept), UNITS, "engine 1") as journal:
            for unit in units:
                journal.keep(finished(unit))
    with (two.kept / COMPLETIONS_FILE).open("ab") as stream:
        stream.write(b'{"crc32":"')
    with Journal(three, UNITS, "engine 1") as journal:
        assert [journal.holds(unit) for unit in UNITS] == [True, True, False]
    assert not one.kept.exists() and not two.kept.exists()
    assert "4 of 6 attempts were kept; 1 damaged or foreign records were dropped" in caplog.text
    assert [unit for unit in UNITS if finished(unit) in read(journal.path, journal.plan).units] == UNITS[:2]


def test_completions_of_another_plan_are_of_no_use(tmp_path: Path) -> None:
    one, two = attempts(tmp_path, "12")
    with Journal(one, UNITS, "engine 1") as journal:
        journal.keep(finished(UNITS[0]))
    others = [tuple(PlannedAttempt(row.question, row.attempt, (9,)) for row in unit) for unit in UNITS]
    with Journal(two, others, "engine 1") as journal:
        assert journal.done == {}


def test_completions_of_another_engine_are_sampled_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An upgrade between a kill and the resume would else put two engines under one evaluator's name."""
    one, two = attempts(tmp_path, "12")
    with Journal(one, UNITS, "engine 1") as journal:
        journal.keep(finished(UNITS[0]))
    with Journal(two, UNITS, "engine 2") as journal:
        assert journal.done == {}
    assert "1 damaged or foreign records were dropped" in caplog.text
