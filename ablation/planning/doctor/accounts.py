"""The hub's cache, and the keys of the hub and of W&B: present or not, and never their values."""

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
    """Check the models and data of these cells, the cache that they go to, and both keys."""
    from huggingface_hub.constants import HF_HUB_CACHE

    sources = required_sources(cells)
    yield _cache(Path(HF_HUB_CACHE), any(required.source.hub for required in sources))
    for required in sources:
        yield _source(required)
    yield _hub_token()
    yield _wandb(tracker)


def _source(required: RequiredSource) -> Check:
    try:
        path = cached_path(required)
    except DataError as error:
        return fail(required.kind, str(error), "correct the path")
    if path:
        return ok(required.kind, f"{required.name} is here")
    return warn(
        required.kind, f"{required.name} is not in the cache, and jobs run offline", "ablation prefetch OVERRIDES"
    )


def _cache(folder: Path, is_needed: bool) -> Check:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    room = f"{folder}, {free / 1e9:,.1f} GB free"
    if is_needed and free < _LITTLE_BYTES:
        return warn("hub cache", room, "set HF_HOME to a shared folder with room for the models")
    return ok("hub cache", room)


def _hub_token() -> Check:
    from huggingface_hub import get_token

    return ok("hub token", "present" if get_token() else "none: public models and corpora only")


def _wandb(tracker: Tracker) -> Check:
    has_key = mode_of(tracker.model_copy(update={"mode": "auto"})) == "online"
    state = f"mode {tracker.mode}, key {'present' if has_key else 'not found'}"
    if tracker.mode == "online" and not has_key:
        return warn("W&B", state, "wandb login, or tracker.mode=offline, or tracker=none")
    return ok("W&B", state)
