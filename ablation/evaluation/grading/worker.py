"""The process in which answers become algebra: Math-Verify behind limits that the kernel enforces.

Run as a file by ablation/evaluation/grading/algebra.py. Reads ``[answer, reference]`` as JSON lines, and writes one word a line.
With null for the answer, the word says whether the reference has a mathematical reading at all. An answer may ask for a power
tower: then the process dies by its timer or its memory limit, and the caller starts another. Math-Verify's own time-outs
(SIGALRM, raised inside whatever runs) are off.
"""

import json
import logging
import os
import resource
import signal
import sys
from functools import lru_cache
from itertools import product
from typing import Any


def main(cpu_s: float, memory_bytes: int) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # death, also inside a long multiplication
    outcome("$1$", "$2$")  # loads the libraries before the first clock runs
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        answer, reference = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        word = reading(reference) if answer is None else outcome(answer, reference)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(word, file=answers, flush=True)


def outcome(answer: str, reference: str) -> str:
    """Return ``equal``, ``different`` or ``undecided``.

    An answer without any mathematical reading is ``different``. ``undecided`` is for algebra that failed.
    """
    from math_verify import verify

    has_failed = False
    try:
        # A text may have several readings, such as a number and a list.
        references, answers = _parsed_reference(reference), _parsed(answer)
    except (MemoryError, RecursionError):
        return "undecided"
    for reference_form, answer_form in product(references, answers):
        try:
            if verify(reference_form, answer_form, timeout_seconds=None, raise_on_error=True):
                return "equal"
        except Exception:  # noqa: BLE001 another form of the same answer may still compare
            has_failed = True
    return "undecided" if has_failed or not references else "different"


def reading(reference: str) -> str:
    """Return ``equal`` (to itself) for a reference that has a form other than a string, else ``undecided``."""
    try:
        return "equal" if any(not isinstance(form, str) for form in _parsed(reference)) else "undecided"
    except (MemoryError, RecursionError):
        return "undecided"


def _parsed(answer: str) -> list[Any]:
    from math_verify import parse

    try:
        return list(parse(f"${answer}$", parsing_timeout=None, raise_on_error=True))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 whatever a parser makes of hostile text: it has no mathematical reading
        return []


@lru_cache(maxsize=256)
def _parsed_reference(answer: str) -> tuple[Any, ...]:
    return tuple(_parsed(answer))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
