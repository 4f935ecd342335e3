"""Completions on disk as they come, so that a sampling run that dies goes on where it was.

One line for each finished unit: its completions and a checksum. A line is whole or it does not count; that is how a torn tail, a
run of NUL bytes or a flipped bit ends. Each attempt writes a file of its own, and begins by taking over what earlier ones kept.
"""

import json
import logging
import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from ablation.evaluation.sampling.planned_attempts import SamplingUnit, plan_digest
from ablation.store.records import COMPLETIONS_FILE, Completion
from ablation.store.stage_run import StageRun

_log = logging.getLogger(__name__)

# Losing the power costs a second of sampling and what was under way; waiting for the disk after every unit would cost more.
_FLUSH_S = 1.0
_HEAD, _MIDDLE, _TAIL = b'{"crc32":"', b'","kept":', b"}\n"


@dataclass(frozen=True)
class JournalContents:
    """What a file of an earlier attempt gave: the completions of each whole line, and how many lines were of no use."""

    units: list[list[Completion]]
    dropped: int


class Journal:
    """The completions of one sampling run, by question and attempt. Closing it flushes it.

    `engine` is who answers, with its version: what another one answered before counts as foreign, since the two do not compare.
    """

    def __init__(self, run: StageRun, units: Sequence[SamplingUnit], engine: str) -> None:
        self.plan = plan_digest(units, engine)
        self.wanted = {(row.question, row.attempt) for unit in units for row in unit}
        self.done: dict[tuple[str, int], Completion] = {}
        self.path = run.kept / COMPLETIONS_FILE
        self._stream = self.path.open("ab")
        self._flushed = time.monotonic()
        self._take_over(run)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._stream.close()

    def holds(self, unit: SamplingUnit) -> bool:
        """True when every row of the unit is kept."""
        return all((row.question, row.attempt) in self.done for row in unit)

    def keep(self, unit: Sequence[Completion]) -> None:
        """Append the completions of a finished unit."""
        self._write(unit)
        self._stream.flush()
        if time.monotonic() - self._flushed >= _FLUSH_S:
            self._flush()

    def _write(self, unit: Sequence[Completion]) -> None:
        self._stream.write(_line(self.plan, unit))
        self.done |= {(row.question, row.attempt): row for row in unit if (row.question, row.attempt) in self.wanted}

    def _take_over(self, run: StageRun) -> None:
        """Write down again what earlier attempts kept, and remove it there once it has reached the disk here."""
        found = [read(folder / COMPLETIONS_FILE, self.plan) for folder in reversed(run.earlier)]
        dropped = sum(one.dropped for one in found)
        for unit in (unit for one in found for unit in one.units):
            self._write(unit)
        self._flush()
        if self.done or dropped:
            losses = f"; {dropped} damaged or foreign records were dropped" if dropped else ""
            level = logging.WARNING if dropped else logging.INFO
            _log.log(level, "sampling goes on: %d of %d attempts were kept%s", len(self.done), len(self.wanted), losses)
        run.drop_earlier()

    def _flush(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._flushed = time.monotonic()


def read(path: Path, plan: str) -> JournalContents:
    """The completions of a journal's whole lines that belong to the plan; a file that is not there holds none."""
    try:
        units = [_rows(line, plan) for line in path.read_bytes().splitlines(keepends=True)]
    except FileNotFoundError:
        units = []
    return JournalContents([unit for unit in units if unit is not None], units.count(None))


def _line(plan: str, completions: Sequence[Completion]) -> bytes:
    rows = [row.model_dump(mode="json") for row in completions]
    kept = json.dumps({"plan": plan, "rows": rows}).encode()
    return b"".join((_HEAD, f"{zlib.crc32(kept):08x}".encode(), _MIDDLE, kept, _TAIL))


def _rows(line: bytes, plan: str) -> list[Completion] | None:
    """The completions of a line, or None when it is damaged or of another plan."""
    head, crc, middle = line[: len(_HEAD)], line[len(_HEAD) : len(_HEAD) + 8], line[len(_HEAD) + 8 :][: len(_MIDDLE)]
    kept = line[len(_HEAD) + 8 + len(_MIDDLE) : -len(_TAIL)]
    if (head, middle) != (_HEAD, _MIDDLE) or not line.endswith(_TAIL) or f"{zlib.crc32(kept):08x}".encode() != crc:
        return None
    try:
        told = json.loads(kept)
        return [Completion.model_validate(row) for row in told["rows"]] if told["plan"] == plan else None
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
