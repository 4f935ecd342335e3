"""Simulate pass lines: compare the answer of a curtailed cell with that of the whole cell, and count the attempts saved.

    python -m benchmarks.curtailed

A tier of questions, each with a pass rate of its own, attempted in rounds as `sample.stop=decided` asks them. Rates are drawn
from a Beta distribution with the given mean; `alike` has one rate for all, `unlike` a third of the largest variance there can be.
Every study is decided by ablation/evaluation/pass_line.py, attempt by attempt, and held against the count of all attempts.
Prints a Markdown table.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from ablation.evaluation.pass_line import Decision
from ablation.specs import PassLine

RATES = (0.0, 0.14, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
SPREADS = {"alike": 0.0, "unlike": 1 / 3}
# The study's: Medium has ten questions, eight attempts each; and with 64 attempts.
SHAPES = ((10, 8), (10, 64))


def main() -> None:
    """Print one row for each rate and spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    arguments = parser.parse_args()
    heads = [name for _, n in SHAPES for name in (f"n = {n}: reach it", "attempts made")]
    print(f"\n| mean pass rate | questions | {' | '.join(heads)} |\n|---|---|{'---|' * len(heads)}")
    differ = simulated = 0
    for rate in RATES:
        # At 0 and 1 every question has the rate of all.
        for name, spread in SPREADS.items() if 0 < rate < 1 else [("alike", 0.0)]:
            outcomes = [_simulate(rate, spread, *shape, arguments.studies) for shape in SHAPES]
            cells = [
                f"{value:{form}}".replace("%", " %")
                for outcome in outcomes
                for value, form in zip(outcome, (".1%", ".0%"), strict=False)
            ]
            print(f"| {rate:.2f} | {name} | {' | '.join(cells)} |", flush=True)
            differ += int(sum(outcome[2] for outcome in outcomes))
            simulated += arguments.studies * len(outcomes)
    print(f"\nAnswers that differ from those of all attempts: {differ:,} of {simulated:,}.")


def _simulate(rate: float, spread: float, questions: int, n: int, studies: int) -> tuple[float, float, int]:
    """Return the share that reach the line, the mean share of attempts made, and the number of curtailed answers that differ."""
    rng = np.random.default_rng(0)
    line = PassLine(tier="medium", share=0.9)
    outcomes = [curtailed(_attempts(rng, rate, spread, questions, n), line) for _ in range(studies)]
    reached, differ, made = (np.array(column) for column in zip(*outcomes, strict=True))
    return float(reached.mean()), float(made.mean()), int(differ.sum())


def curtailed(right: NDArray[np.bool_], line: PassLine) -> tuple[bool, bool, float]:
    """Return (all attempts reach the line, the curtailed answer differs, the share of attempts that it took)."""
    decision = Decision(line, len(right))
    while decision.answer is None:
        decision.count(["correct" if right[decision.correct + decision.failed] else "wrong"])
    reached = bool(right.sum() >= line.needed(len(right)))
    return reached, (decision.answer == "reached") != reached, (decision.correct + decision.failed) / len(right)


def _attempts(rng: np.random.Generator, rate: float, spread: float, questions: int, n: int) -> NDArray[np.bool_]:
    """Return the verdicts in the order in which they are made: every question once, then every question again."""
    size = (1 / spread - 1) if spread else 0.0  # of Beta: its variance is spread × rate × (1 − rate)
    rate_q = rng.beta(size * rate, size * (1 - rate), questions) if spread else np.full(questions, rate)
    right_nq: NDArray[np.bool_] = rng.random((n, questions)) < rate_q
    return right_nq.ravel()


if __name__ == "__main__":
    main()
