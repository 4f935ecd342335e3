"""`ablation tiers STUDY`: write the tiers of a benchmark by recorded pass rates; print the rule, and where labels differ."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import find_records_folder, make_study_parser

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `tiers`."""
    tiers = commands.add_parser(
        "tiers",
        parents=[make_study_parser()],
        help="derive a benchmark's tiers from recorded pass rates",
        description="Base cells are those of count 0; small ones have at most --small-count trajectories, the others are large. "
        "Cells without a count are named: --base NAME --small NAME.",
    )
    tiers.add_argument("--output", type=Path, required=True, metavar="FILE.yaml")
    tiers.add_argument("--base", action="append", default=[], metavar="CELL", help="a cell of the base model")
    tiers.add_argument("--small", action="append", default=[], metavar="CELL", help="a cell of small-scale fine-tuning")
    tiers.add_argument("--small-count", type=int, default=1000, metavar="N", help="what still counts as small (1000)")
    tiers.add_argument("--easy-above", type=float, default=0.5, metavar="SHARE", help="of the base model (0.5)")
    tiers.add_argument("--medium-above", type=float, default=0.5, metavar="SHARE", help="of small-scale cells (0.5)")
    tiers.add_argument("--exh-below", type=float, default=0.1, metavar="SHARE", help="of --exh-over (0.1)")
    tiers.add_argument(
        "--exh-over",
        choices=("pooled", "each"),
        default="pooled",
        help="all attempts together, or the rate of each cell",
    )
    tiers.add_argument(
        "--labels", type=Path, metavar="FILE.yaml", help="compare with these, not with the study's tiers"
    )
    tiers.set_defaults(run=_derive_tiers)


def _derive_tiers(options: argparse.Namespace) -> int:
    from ablation.analysis import load
    from ablation.data.benchmark.tier_rule import TierRule
    from ablation.study.interchange.tiers import counts_of, derive, left_out, read_labels, write_tiers

    study = load(find_records_folder(options))
    rule = TierRule(options.easy_above, options.medium_above, options.exh_below, options.exh_over)
    counts = counts_of(study, options.base, options.small, options.small_count)
    derived = derive(counts, rule, read_labels(study, options.labels))
    derived = replace(derived, sentences=[*derived.sentences, *left_out(study)])
    write_tiers(options.output, derived, study.name)
    sizes = ", ".join(f"{tier} {len(ids)}" for tier, ids in derived.members.items())
    print("\n".join([*rule.stated(), f"by the rule: {sizes}", *derived.sentences, f"tiers: {options.output}"]))
    return 0
