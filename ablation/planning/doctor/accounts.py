"""The hub's cache and the keys of the hub and of W&B: whether they are there, never what they are."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ablation.config.tracker import Tracker, mode_of
from ablation.data.download import RequiredSource, cached_path, required_sources
from ablation.errors import DataError
from ablation.planning.doctor.check import Check, fail, ok, warn
from ablation.specs.cell import Cell

_LITTLE_BYTES = 20_000_000_000


def checks(cells: Sequence[Cell], tracker: Tracker) -> Iterator[Check]:
    """The models and data of these cells, the cache they go to, and both keys."""
    from huggingface_hub.constants import HF_HUB_CACHE

    sources = required_sources(cells)
    yield _cache(Path(HF_HUB_CACHE), any(one.source.hub for one in sources))
    for one in sources:
        yield _source(one)
    yield _hub_token()
    yield _wandb(tracker)


def _source(one: RequiredSource) -> Check:
    try:
        found = cached_path(one)
    except DataError as error:
        return fail(one.kind, str(error), "correct the path")
    if found:
        return ok(one.kind, f"{one.name} is here")
    return warn(one.kind, f"{one.name} is not in the cache, and jobs run offline", "ablation prefetch OVERRIDES")


def _cache(folder: Path, is_needed: bool) -> Check:
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    told = f"{folder}, {free / 1e9:,.1f} GB free"
    if is_needed and free < _LITTLE_BYTES:
        return warn("hub cache", told, "set HF_HOME to a shared folder with room for the models")
    return ok("hub cache", told)


def _hub_token() -> Check:
    from huggingface_hub import get_token

    return ok("hub token", "present" if get_token() else "none: public models and corpora only")


def _wandb(tracker: Tracker) -> Check:
    has_key = mode_of(tracker.model_copy(update={"mode": "auto"})) == "online"
    told = f"mode {tracker.mode}, key {'present' if has_key else 'not found'}"
    if tracker.mode == "online" and not has_key:
        return warn("W&B", told, "wandb login, or tracker.mode=offline, or tracker=none")
    return ok("W&B", told)
