"""`ablation prefetch OVERRIDES`: download the models and data of a sweep to the shared cache, and print where each is."""

import argparse
import json
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_json_parser, make_overrides_parser

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `prefetch`."""
    prefetch = commands.add_parser(
        "prefetch",
        parents=[make_overrides_parser(), make_json_parser()],
        help="download the models and data of a sweep, and make folders of GGUF files, so that its jobs need no network",
    )
    prefetch.set_defaults(run=_fetch_sources)


def _fetch_sources(options: argparse.Namespace) -> int:
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.download import fetch, required_sources

    fetched = []
    for source in required_sources(compose_sweep(options.overrides).cells):
        path = fetch(source)
        fetched.append({"kind": source.kind, "name": source.name, "path": str(path)})
        if not options.json:
            print(f"{source.kind} {source.name}: {path}", flush=True)
    if options.json:
        print(json.dumps(fetched))
    return 0
