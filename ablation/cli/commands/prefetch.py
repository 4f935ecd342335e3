"""`ablation prefetch`: models and data onto the shared cache, from the login node."""

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
    prefetch.set_defaults(run=_prefetch)


def _prefetch(given: argparse.Namespace) -> int:
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.download import fetch, required_sources

    found = []
    for one in required_sources(compose_sweep(given.overrides).cells):
        path = fetch(one)
        found.append({"kind": one.kind, "name": one.name, "path": str(path)})
        if not given.json:
            print(f"{one.kind} {one.name}: {path}", flush=True)
    if given.json:
        print(json.dumps(found))
    return 0
