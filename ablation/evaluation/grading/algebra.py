"""Equality of answers by Math-Verify, in worker processes that are killed when an answer costs too much.

The workers are plain processes, not multiprocessing's. So they can be started from a daemon, import nothing of this package, and
speak JSON lines. Time is counted in CPU seconds, so that a busy machine does not change a verdict; a limit of wall time stands
behind it.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from ablation.config.environment import PYTHON, inherited
from ablation.data.benchmark.answers import Comparison
from ablation.errors import RecordError
from ablation.evaluation.grading.verdict import AnswerPair
from ablation.specs.versions import MATH_VERIFY

_PROGRAM = Path(__file__).with_name("worker.py")
_START_S = 120.0
# A pair without an answer asks whether the reference can be read.
AlgebraRequest = AnswerPair | tuple[None, str]
_OUTCOMES: dict[bytes, Comparison] = {b"equal\n": "equal", b"different\n": "different", b"undecided\n": "undecided"}


@dataclass(frozen=True)
class ComparisonLimits:
    """The limits of one comparison. Beyond them it is undecided."""

    cpu_s: float = 2.0
    wall_s: float = 120.0  # far behind: on a crowded machine a process waits much longer than it works
    memory_bytes: int = 400 * 2**20


class MathVerify:
    """A context manager that decides pairs of answers on `workers` processes, which start with the first pair."""

    def __init__(self, workers: int = 1, limits: ComparisonLimits | None = None) -> None:
        self._workers, self._limits = workers, limits or ComparisonLimits()
        self._open = ExitStack()
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads: ThreadPoolExecutor | None = None
        self._decide_one = lru_cache(maxsize=100_000)(self._ask)  # attempts at a question repeat their answers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def decide(self, pairs: Sequence[AlgebraRequest]) -> list[Comparison]:
        """Return one outcome for each pair, in order. Raises RecordError when the installed Math-Verify is not the grader's."""
        if not pairs:
            return []
        if self._threads is None:
            _check_version()
            self._threads = self._open.enter_context(ThreadPoolExecutor(self._workers))
            for _ in range(self._workers):
                worker = _Worker(self._limits)
                self._open.callback(worker.stop)
                self._idle.put(worker)
        return list(self._threads.map(self._decide_one, pairs))

    def readable(self, references: Sequence[str]) -> list[bool]:
        """Return, for each reference answer, True when it has a mathematical reading within the limits."""
        return [outcome == "equal" for outcome in self.decide([(None, reference) for reference in references])]

    def _ask(self, pair: AlgebraRequest) -> Comparison:
        worker = self._idle.get()
        try:
            return worker.ask(pair)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, started when it is needed and again after it died."""

    def __init__(self, limits: ComparisonLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, pair: AlgebraRequest) -> Comparison:
        """Return the process's outcome, or `undecided` when the process died of the pair or took too long."""
        if self._process and self._process.poll() is not None:  # it died, but not of this pair
            self.stop()
        process = self._process or self._start()
        assert process.stdin
        try:
            process.stdin.write(json.dumps(pair).encode() + b"\n")
            reply = _line(process, self._limits.wall_s)
        except BrokenPipeError:
            reply = b""
        if reply not in _OUTCOMES:
            self.stop()
            return "undecided"
        return _OUTCOMES[reply]

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        limits = [str(self._limits.cpu_s), str(self._limits.memory_bytes)]
        with tempfile.TemporaryFile() as complaints:
            # -P: the folder of the program must not shadow modules of the library.
            self._process = process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM), *limits],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, bufsize=0,
                env=inherited(os.environ, PYTHON),
            )  # fmt: skip
            if _line(process, _START_S) != b"ready\n":
                self.stop()
                complaints.seek(0)
                last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
                raise RecordError(
                    f"the grader's process did not start ({' '.join(last)}); try: pip install math-verify"
                )
            return process


def _line(process: "subprocess.Popen[bytes]", timeout_s: float) -> bytes:
    """Return the next line that the process writes; without its end, or empty, when the process died or the time is over."""
    assert process.stdout
    source, deadline, line = process.stdout.fileno(), time.monotonic() + timeout_s, b""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    while not line.endswith(b"\n"):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(1000 * left_s):
            break
        part = os.read(source, 4096)
        if not part:
            break
        line += part
    return line


def _check_version() -> None:
    try:
        installed = version("math-verify")
    except PackageNotFoundError:
        installed = "none"
    if installed != MATH_VERIFY:
        raise RecordError(
            f"grading needs math-verify {MATH_VERIFY}, which its records name; installed is {installed}: "
            f"pip install math-verify=={MATH_VERIFY}"
        )
