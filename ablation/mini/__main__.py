"""`python -m ablation.mini PART`: make a part of the embedded study again, in place.

The order is candidates, corpus, base; then the reference runs on the candidates; then references, benchmark.
"""

import argparse
import tempfile
from pathlib import Path

from ablation.mini import BASE_MODEL, CORPUS, REFERENCE_RUNS


def main() -> None:
    """Parse the command line and make the part that it names."""
    parser = argparse.ArgumentParser(prog="python -m ablation.mini", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("candidates", help="the pool of questions, as a benchmark of its own")
    parts.add_parser("corpus", help="the training corpus")
    for name, purpose in (("base", "train the base model (about 20 minutes)"), ("card", "measure it, write its card")):
        parts.add_parser(name, help=purpose).add_argument("--out", type=Path, default=BASE_MODEL, metavar="FOLDER")
    references = parts.add_parser("references", help="collect the reference runs from studies on the candidates")
    references.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="folder with a results.parquet")
    parts.add_parser("benchmark", help="choose the questions and their tiers by the rule")
    _make(parser.parse_args())


def _make(arguments: argparse.Namespace) -> None:
    # Each part imports its own modules: the questions need no torch.
    match arguments.part:
        case "candidates":
            from ablation.mini.benchmark import write_candidates

            write_candidates()
        case "corpus":
            from ablation.mini.corpus import write_corpus

            write_corpus(CORPUS)
        case "base":
            from ablation.mini.base_model import train_base

            with tempfile.TemporaryDirectory() as work:
                train_base(arguments.out, Path(work))
        case "card":
            from ablation.mini.base_model import write_card

            write_card(arguments.out)
        case "references":
            from ablation.mini.benchmark import write_reference_runs
            from ablation.mini.references import reference_counts

            write_reference_runs(REFERENCE_RUNS, reference_counts(arguments.studies))
        case "benchmark":
            from ablation.mini.benchmark import write_benchmark

            write_benchmark()


if __name__ == "__main__":
    main()
