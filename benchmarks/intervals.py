"""Measure how often intervals cover the truth, and their width, over simulated studies. Prints a Markdown table.

nice python -m benchmarks.intervals --studies 4000
"""

import argparse

import numpy as np

from ablation.analysis.effects.replicates import replicates
from ablation.analysis.effects.uncertainty import questions_like_these, these_questions
from ablation.analysis.power.simulation import SimulatedWorld, crossed_settings, study
from ablation.analysis.records.measures import measure

ROWS = (  # seeds, attempts, SD of seeds and of seed × question (log odds)
    (1, 8, 0.0, 0.0), (2, 8, 0.15, 0.3), (4, 8, 0.0, 0.3), (4, 8, 0.15, 0.3), (4, 32, 0.15, 0.3), (4, 32, 0.5, 0.3),
)  # fmt: skip
ARMS = crossed_settings(style=["r1", "gemini"])


def coverage(
    world: SimulatedWorld, seeds: int, n: int, studies: int, fixed: bool = True
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (coverage, mean width) on these questions, and for questions like these, of a contrast of two arms that is truly 0.

    The questions stay the same over the studies, or are drawn anew in each (not `fixed`), each arm then with its own
    deviations at each question: there the truth on these questions is not 0, and their coverage is not one.
    """
    rng, weights_ec = np.random.default_rng(11), np.repeat([1.0, -1.0], seeds)[None, :] / seeds
    questions, hits, widths = world.log_odds(rng) if fixed else None, np.zeros(2), np.zeros(2)
    for _ in range(studies):
        scores = study(rng, world, ARMS, seeds, n, questions=questions)
        measured = measure(scores, "all")
        replicated = replicates(scores, measured)
        distance = abs(float(weights_ec[0] @ measured.means_c))
        errors = [of(weights_ec, measured, replicated) for of in (these_questions, questions_like_these)]
        halves = np.array([error.half_width()[0] for error in errors])
        hits, widths = hits + (distance <= halves), widths + 2 * halves
    covered, wide = hits / studies, widths / studies
    return (float(covered[0]), float(wide[0])), (float(covered[1]), float(wide[1]))


def main() -> None:
    """Print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=4000)
    studies = parser.parse_args().studies
    print("| questions | seeds | n | seed SD | these: coverage | width | like these: coverage | width |")
    print("|---|---|---|---|---|---|---|---|")
    for fixed, arm_sd in ((True, 0.0), (False, 0.5)):
        for seeds, n, sd, inner_sd in ROWS:
            world = SimulatedWorld(seed_sd=sd, seed_question_sd=inner_sd, setting_question_sd=arm_sd)
            these, like = coverage(world, seeds, n, studies, fixed)
            first = f"{these[0]:.3f} | {100 * these[1]:.1f}" if fixed else "– | –"
            kind = "the same" if fixed else "drawn anew"
            print(f"| {kind} | {seeds} | {n} | {sd} | {first} | {like[0]:.3f} | {100 * like[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
