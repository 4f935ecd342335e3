"""Every completion gets one verdict, in order, and no hostile text costs more than its share of time and memory."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.cli.__main__ import main
from ablation.data.benchmark.answers import compare, final_answer, last_boxed
from ablation.errors import RecordError
from ablation.evaluation.grading import algebra as algebra_module
from ablation.evaluation.grading.algebra import ComparisonLimits, MathVerify
from ablation.evaluation.grading.verdict import AnswerPair, GradedCompletion, UngradedCompletion, grade_completions
from ablation.specs.cell import Cell, addresses
from ablation.specs.versions import GRADER
from tests.conftest import write_lines

COSTLY = {  # what each asks of algebra, or of whoever looks for the answer
    "a power tower": r"\boxed{10^{10^{10}}}",
    "a large factorial": r"\boxed{99999999!}",
    "a power of nines": r"\boxed{9^{9^{9}}}",
    "a large binomial": r"\boxed{\binom{1000000000}{500000000}}",
    "a tower of twos": r"\boxed{2^{2^{2^{2^{2^{2}}}}}}",
    "many parentheses": r"\boxed{" + "(" * 400 + "1" + ")" * 400 + "}",
}
CHEAP = {
    "200 kB of braces": "\\boxed{" + "{" * 200_000,
    "nested boxes": "\\boxed{" * 100_000 + "1" + "}" * 100_000,
    "many digits": "\\boxed{" + "9" * 200_000 + "}",
    "half a surrogate pair": "\\boxed{\ud800}",
    "a megabyte of words": "answer " * 150_000,
    "a megabyte of stated answers": "answer:" * 150_000,
    "a long line": "a" * 1_000_000 + r"\boxed{7}",
    "nested fractions": r"\boxed{" + r"\frac{1}{" * 100 + "2" + "}" * 100 + "}",
    "a determinant": r"\boxed{\det\begin{pmatrix}" + r"\\".join(["&".join("abcdefghijkl")] * 12) + r"\end{pmatrix}}",
}


@pytest.fixture(scope="module")
def algebra() -> Iterator[MathVerify]:
    with MathVerify() as found:
        yield found


class NoAlgebra:
    """For what must be decided without a process."""

    def decide(self, pairs: list[AnswerPair]) -> list[object]:
        raise AssertionError(f"asked for algebra: {pairs}")


def warm(algebra: MathVerify) -> None:
    """See to it that a process runs: the start of one is not the next answer's cost. A pair asked before would not start one."""
    algebra.decide([(f"1/{time.monotonic_ns()}", "0.5")])


def judge(text: str, reference: str = "025", finish_reason: str | None = "stop", by: object = None) -> GradedCompletion:
    return next(grade_completions([UngradedCompletion(text, finish_reason, reference)], by or NoAlgebra()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "verdict", "extracted"),
    [
        (r"so \boxed{25}", "correct", "25"),
        (r"so \boxed{025}.", "correct", "025"),
        (r"so \boxed{ 25 }", "correct", "25"),
        (r"\boxed{24}. Wait. \boxed{25}", "correct", "25"),
        (r"\boxed{25}. Wait. \boxed{24}", "wrong", "24"),
        (r"\boxed{25} and then \boxed{2", "correct", "25"),
        (r"\boxed{+25}", "correct", "+25"),
        (r"\boxed{-25}", "wrong", "-25"),
        (r"\boxed{$25$}", "correct", "$25$"),
        (r"\boxed{25.}", "correct", "25."),
        ("\\boxed{\u202e25\u202c}", "correct", "\u202e25\u202c"),
        ("\\boxed{2\x005}", "correct", "2\x005"),
        (r"\boxed{\boxed{25}}", "correct", "25"),
        (r"\boxed{24 and \boxed{25}", "correct", "25"),
        (r"\boxed{" + "9" * 9000 + "}", "wrong", "9" * 1000 + "…"),
        (r"\boxed{}", "no_answer", ""),
        ("Answer: 25", "correct", "25"),
        ("answer: 24\n**Answer:** 25\nand more", "correct", "25"),
        ("**Final Answer**:\n25.", "correct", "25."),
        (r"Answer: 24, no: \boxed{25}", "correct", "25"),
        ("Answer:", "no_answer", None),
        ("the answer is 25", "no_answer", None),
        ("", "no_answer", None),
    ],
)
def test_integers_are_judged_without_algebra(text: str, verdict: str, extracted: str | None) -> None:
    assert judge(text) == GradedCompletion(verdict, extracted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_answer", "reference", "verdict"),
    [
        (r"\frac{50}{2}", "25", "correct"),
        ("25.0", "25", "correct"),
        ("x=25", "25", "correct"),
        ("1,204", "1204", "correct"),
        (r"25^\circ", "25", "correct"),
        (r"25\text{ minutes}", "25", "correct"),
        (r"25\%", "25", "correct"),
        ("２５", "25", "wrong"),
        ("2 5", "25", "wrong"),
        ("2_5", "25", "wrong"),
        ("2,5", "25", "wrong"),
        ("twenty-five", "25", "wrong"),
        (r"11\sqrt{2}", r"11\sqrt2", "correct"),
        ("p-q", "p - q", "correct"),
        (r"(3, \pi/2)", r"\left( 3, \frac{\pi}{2} \right)", "correct"),
        (r"\frac{1}{3}", r"\frac{14}{3}", "wrong"),
        ("Evelyn", r"\text{Evelyn}", "correct"),
        ("[-2,7]", r"x \in [-2,7]", "correct"),
        ("[-2,7)", r"x \in [-2,7]", "wrong"),
        ("6+5i", "6 - 5i", "wrong"),
    ],
)
def test_everything_else_is_judged_by_algebra(
    given_answer: str, reference: str, verdict: str, algebra: MathVerify
) -> None:
    assert judge(rf"\boxed{{{given_answer}}}", reference, by=algebra).verdict == verdict


@pytest.mark.parametrize(
    ("text", "reason", "verdict"),
    [
        (r"\boxed{25} but", "length", "truncated"),
        (r"\boxed{25}\boxed{25}", "repetition", "truncated"),
        (r"<think>\boxed{25} but", None, "truncated"),
        (r"<think>\boxed{24}</think>\boxed{25}", None, "correct"),
        (r"<think>\boxed{25}", "stop", "correct"),
    ],
)
def test_a_truncated_completion_is_never_parsed(text: str, reason: str | None, verdict: str) -> None:
    assert judge(text, finish_reason=reason).verdict == verdict


@given(st.integers(-(10**40), 10**40), st.integers(0, 5))
def test_integers_compare_as_integers(value: int, zeros: int) -> None:
    padded = f"{'-' if value < 0 else ''}{'0' * zeros}{abs(value)}"
    assert compare(padded, str(value)) == "equal"
    assert compare(str(value + 1), padded) == "different"


@given(st.text(alphabet="\\boxed{}1 answer:\n*$."))
def test_any_text_is_searched(text: str) -> None:
    found = last_boxed(text)
    assert found is None or found.count("{") == found.count("}")
    assert final_answer(text) is not None or found is None


@given(st.lists(st.sampled_from([r"\boxed{25}", r"\boxed{24}", "none", r"\boxed{}"]), max_size=30))
def test_verdicts_come_in_the_order_of_the_attempts(texts: list[str]) -> None:
    alone = [judge(text) for text in texts]
    assert list(grade_completions([UngradedCompletion(text, "stop", "25") for text in texts], NoAlgebra())) == alone  # type: ignore[arg-type]


@pytest.mark.parametrize("text", CHEAP.values(), ids=CHEAP.keys())
def test_hostile_texts_cost_no_time(text: str, algebra: MathVerify) -> None:
    warm(algebra)
    started = time.perf_counter()
    judge(text, by=algebra)
    assert time.perf_counter() - started < 6


# Run by an interpreter of its own: the kernel reports the largest child that a process ever had, and pytest's had other children.
# It prints the verdicts, and the processor time and peak memory of its only children, the grader's processes.
GRADING = """
import json, resource, sys, time
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import UngradedCompletion, grade_completions

with MathVerify() as algebra:
    algebra.decide([("1/2", "0.5")])
    texts = json.load(sys.stdin)
    verdicts = [next(grade_completions([UngradedCompletion(text, "stop", "025")], algebra)).verdict for text in texts]
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([verdicts, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


def graded_apart(*texts: str) -> tuple[list[str], float, int]:
    """The verdicts on these completions, and of the grader's processes the seconds of processor and the largest's kilobytes."""
    result = subprocess.run(
        [sys.executable, "-c", GRADING], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    verdicts, processor_s, peak_kilobytes = json.loads(result.stdout)
    return verdicts, processor_s, peak_kilobytes


@pytest.fixture(scope="module")
def start_s() -> float:
    """What the start of a process takes of the processor, here and now: no cost of an answer."""
    return graded_apart()[1]


def test_after_a_costly_answer_the_next_one_is_graded() -> None:
    verdicts, _, peak_kilobytes = graded_apart(COSTLY["a power tower"], r"\boxed{\frac{50}{2}}")
    assert verdicts == ["ungradable", "correct"]
    assert peak_kilobytes < 2**20  # 1 GB


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY.keys())
def test_no_answer_costs_more_than_six_seconds_and_one_gigabyte(text: str, start_s: float) -> None:
    """Seconds of the processor: waiting for it on a crowded machine is no cost of an answer."""
    verdicts, processor_s, peak_kilobytes = graded_apart(text)
    assert verdicts[0] in ("ungradable", "wrong")
    assert processor_s - start_s < 6
    assert peak_kilobytes < 2**20


def test_a_process_that_waits_and_does_not_work_is_given_up() -> None:
    """Stopped by a signal, since no answer is known that makes Math-Verify wait."""
    with MathVerify(limits=ComparisonLimits(wall_s=1.0)) as algebra:
        assert algebra.decide([("1/2", "0.5")]) == ["equal"]
        worker = algebra._idle.get()
        algebra._idle.put(worker)
        assert worker._process is not None
        os.kill(worker._process.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert algebra.decide([("1/3", "0.5")]) == ["undecided"]
        assert time.monotonic() - began < 6
        assert algebra.decide([("1/4", "0.25")]) == ["equal"]


def test_a_process_that_dies_between_questions_is_replaced() -> None:
    with MathVerify(limits=ComparisonLimits(cpu_s=5.0, wall_s=20.0)) as algebra:
        assert algebra.decide([("1/2", "0.5")]) == ["equal"]
        worker = algebra._idle.get()
        algebra._idle.put(worker)
        assert worker._process
        worker._process.kill()
        worker._process.wait()
        assert algebra.decide([("1/4", "0.25")]) == ["equal"]


def test_the_graders_library_must_be_the_one_that_records_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algebra_module, "MATH_VERIFY", "0.0.1")
    with MathVerify() as algebra, pytest.raises(RecordError, match=r"needs math-verify 0\.0\.1.*installed is"):
        algebra.decide([("1/2", "0.5")])


def test_the_address_of_the_grade_stage_names_the_grader(cell_of: Callable[..., Cell]) -> None:
    found = addresses(cell_of())
    assert found["grade"].content["spec"]["grader"] == GRADER
    assert "grader" not in found["sample"].content["spec"]


def test_another_grader_grades_again_and_samples_nothing(
    cell_of: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = addresses(cell_of())
    monkeypatch.setattr("ablation.specs.cell.GRADER", "3+math-verify-9.9")
    after = addresses(cell_of())
    assert {stage for stage in before if before[stage].digest != after[stage].digest} == {"grade"}


def graded(folder: Path, rows: Sequence[object], *options: str) -> list[dict[str, object]]:
    source, target = write_lines(folder / "in.jsonl", rows), folder / "out.jsonl"
    assert main(["grade", str(source), "--output", str(target), *options]) == 0
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_a_file_keeps_its_rows_and_gains_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [
        {"completion": r"\boxed{25}", "answer": 25, "other": ["ü", None]},
        {"completion": r"\boxed{\frac12}", "answer": "0.5", "finish_reason": "stop"},
        {"completion": r"\boxed{25}", "answer": "25", "finish_reason": "length"},
        {"completion": "\ud800", "answer": "25", "verdict": "old"},
    ]
    out = graded(tmp_path, rows, "--workers", "2")
    added = [(row.pop("verdict"), row.pop("extracted")) for row in out]
    assert added == [("correct", "25"), ("correct", r"\frac12"), ("truncated", None), ("no_answer", None)]
    assert out == [{key: row[key] for key in row if key != "verdict"} for row in rows]
    assert (
        f"4 completions: 2 correct, 0 wrong, 1 no_answer, 1 truncated, 0 ungradable\ngrader {GRADER}"
        in capsys.readouterr().out
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"completion": "x"}, "row 1, column answer: missing"),
        ({"answer": "1", "completions": "x"}, "row 1, column completion: missing; did you mean 'completions'"),
        ({"answer": None, "completion": "x"}, "row 1, column answer: .*null"),
        ({"answer": " ", "completion": "x"}, "row 1, column answer"),
        ({"answer": True, "completion": "x"}, "row 1, column answer"),
        ({"answer": "1", "completion": ["x"]}, "row 1, column completion"),
        ({"answer": "1", "completion": "x", "finish_reason": "bored"}, "row 1, column finish_reason: .*allowed: stop"),
        ([1], "row 1: not an object"),
    ],
)
def test_a_row_that_cannot_be_graded_is_named(
    tmp_path: Path, row: object, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"answer": "1", "completion": "x"}, row])
    with pytest.raises(SystemExit) as stopped:
        main(["grade", str(source), "--output", str(tmp_path / "out.jsonl")])
    assert stopped.value.code == 2
    assert re.search(named, capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_blank_lines_and_the_words_of_services_are_understood(tmp_path: Path) -> None:
    ended = {"STOP": "correct", "": "correct", "MAX_TOKENS": "truncated", "tool_use": "correct", "SAFETY": "truncated"}
    rows = [{"completion": r"\boxed{1}", "answer": 1, "finish_reason": reason} for reason in ended]
    source, target = write_lines(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    source.write_text("\n" + source.read_text().replace("\n", "\n \n"))
    assert main(["grade", str(source), "--output", str(target)]) == 0
    out = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(row["finish_reason"], row["verdict"]) for row in out] == list(ended.items())


def test_a_row_that_is_no_text_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"answer": "1", "completion": "x"}])
    source.write_bytes(source.read_bytes() + b'{"answer": "1", "completion": "\xff"}\n')
    with pytest.raises(SystemExit):
        main(["grade", str(source), "--output", str(tmp_path / "out.jsonl")])
    assert "row 1: not JSON ('utf-8' codec can't decode byte 0xff" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("completion", "counts"),
    [("word " * 200, (2_000, 40_000)), ("😀" + "word " * 200_000, (10, 60))],
    ids=["many", "of a megabyte, held in four bytes a character"],
)
def test_memory_does_not_grow_with_the_rows(completion: str, counts: tuple[int, int], tmp_path: Path) -> None:
    peaks = []
    for count in counts:
        source = tmp_path / "in.jsonl"
        with source.open("w", encoding="utf-8") as lines:
            lines.writelines(
                json.dumps({"answer": "1", "completion": completion + r"\boxed{1}"}) + "\n" for _ in range(count)
            )
        program = (
            "import re, sys, pathlib; from ablation.cli.__main__ import main; main(sys.argv[1:]);"
            "print(re.search(r'VmHWM:\\s*(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
        )
        command = [sys.executable, "-c", program, "grade", str(source), "--output", str(tmp_path / "out.jsonl")]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(told.stdout.split()[-1]))
    assert peaks[1] < peaks[0] + 12_000  # kilobytes; the second file is of 40 or 60 MB
