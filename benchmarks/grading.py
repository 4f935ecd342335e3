"""Measure the grader: ordinary completions a second, and the cost of hostile ones, each alone.

    python benchmarks/grading.py

Ordinary: half as AIME answers (integers), a quarter as MATH answers (expressions, each repeated as often as attempts repeat
theirs), the rest without an answer, cut off, or an expression nobody gave before. Prints Markdown tables for docs/benchmarks.md.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import UngradedCompletion, grade_completions

FILLER = "We try the next case, and check that it holds. " * 120  # about 5.6 kB, as a short thought
EXPRESSIONS = (
    (r"\frac{14}{3}", r"\dfrac{14}{3}"), (r"11\sqrt{2}", r"\sqrt{242}"), (r"\left(3, \frac{\pi}{2}\right)", r"(3,\pi/2)"),
    ("p - q", "p-q"), (r"6 - 5i", "6-5i"), (r"x \in [-2,7]", "[-2,7]"), (r"\text{Evelyn}", r"\text{Evelyn}"),
    (r"3\sqrt{13}", r"\sqrt{117}"), (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ("0.5", r"\frac12"),
)  # fmt: skip
HOSTILE = {
    r"`10^{10^{10}}`": r"\boxed{10^{10^{10}}}",
    r"`99999999!`": r"\boxed{99999999!}",
    r"`9^{9^{9}}`": r"\boxed{9^{9^{9}}}",
    "200 kB of open braces": r"\boxed{" + "{" * 200_000,
    "100,000 nested boxes": r"\boxed{" * 100_000 + "1" + "}" * 100_000,
    "NUL inside the number": "\\boxed{2\x005}",
    "right-to-left marks": "\\boxed{\u202e25\u202c}",
    "a line of 1 MB": "a" * 1_000_000 + r"\boxed{\frac{50}{2}}",
}


def main() -> None:
    """Write the completions, grade them by the command, then grade each hostile one alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--completions", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        with source.open("w") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in ordinary(arguments.completions))
        started = time.perf_counter()
        command = [sys.executable, "-m", "ablation.cli", "grade", str(source), "--output", str(target)]
        subprocess.run([*command, "--workers", str(arguments.workers)], check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = used.ru_utime + used.ru_stime
        wall_s, size_gb = time.perf_counter() - started, source.stat().st_size / 1e9
        with target.open() as stream:
            verdicts = Counter(json.loads(line)["verdict"] for line in stream)
    verdict_counts = ", ".join(f"{count:,} {name}" for name, count in verdicts.items())
    print("| what | measured |\n|---|---|")
    print(f"| ordinary completions | {arguments.completions:,} ({size_gb:.2f} GB) |")
    print(f"| verdicts | {verdict_counts} |")
    print(f"| wall time with {arguments.workers} processes | {wall_s:.0f} s |")
    print(f"| processor time of all processes | {cpu_s:.0f} s |")
    print(f"| completions a second of processor time | {arguments.completions / cpu_s:,.0f} |")
    print(f"| largest process | {peak_mb():.0f} MB |\n")
    print("| hostile completion | verdict | seconds | largest process so far |\n|---|---|---|---|")
    with MathVerify() as algebra:
        algebra.decide([("1/2", "0.5")])
        for name, text in HOSTILE.items():
            started = time.perf_counter()
            judged = next(grade_completions([UngradedCompletion(text, "stop", "25")], algebra))
            print(f"| {name} | {judged.verdict} | {time.perf_counter() - started:.1f} | {peak_mb():.0f} MB |")


def ordinary(count: int) -> Iterator[dict[str, object]]:
    """Yield completions as a study has them."""
    rng = Random(0)
    for number in range(count):
        kind = number % 8
        if kind < 4:
            reference = f"{rng.randrange(1000):03d}"
            answer = reference if kind < 2 else str(rng.randrange(1000))
            yield {"answer": reference, "completion": rf"{FILLER}so \boxed{{{answer}}}.", "finish_reason": "stop"}
        elif kind < 6:
            (reference, right), (_, other) = rng.choice(EXPRESSIONS), rng.choice(EXPRESSIONS)
            answer = right if kind == 4 else other
            yield {"answer": reference, "completion": rf"{FILLER}so \boxed{{{answer}}}.", "finish_reason": "stop"}
        elif kind == 6:
            text = FILLER if number % 16 == 6 else rf"{FILLER}\boxed{{7}} but"
            yield {"answer": "7", "completion": text, "finish_reason": "stop" if text == FILLER else "length"}
        else:
            new = rf"\frac{{{number}}}{{{rng.randrange(2, 99)}}} + \sqrt{{{rng.randrange(2, 99)}}}"
            yield {"answer": r"\frac{14}{3}", "completion": rf"{FILLER}so \boxed{{{new}}}.", "finish_reason": "stop"}


def peak_mb() -> float:
    """Return the resident memory in MB of the largest process that was started and has ended, or of this one."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024


if __name__ == "__main__":
    main()
