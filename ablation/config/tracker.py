"""Settings of the W&B tracker, and whether it is online here."""

import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ablation.specs import Name
from ablation.specs.base import Spec

if TYPE_CHECKING:
    pass


_HOST = "api.wandb.ai"
Mode = Literal["online", "offline", "disabled"]


class Tracker(Spec):
    """Weights & Biases: `auto` is online where a key is configured, else offline."""

    mode: Literal["auto", "online", "offline", "disabled"]
    project: Name
    entity: str | None = None
    init_timeout_s: Annotated[int, Field(gt=0)] = 20
    finish_timeout_s: Annotated[int, Field(gt=0)] = 120


def mode_of(tracker: Tracker) -> Mode:
    """`online`, `offline` or `disabled`: `auto` is online exactly when an API key is configured."""
    if tracker.mode != "auto":
        return tracker.mode
    return "online" if os.environ.get("WANDB_API_KEY") or _netrc_has_key() else "offline"


def notice(tracker: Tracker, outputs: Path) -> str:
    """The one line that tells the user where the runs go."""
    mode = mode_of(tracker)
    if mode == "disabled":
        return "W&B: disabled (tracker=none)"
    if mode == "online":
        return f"W&B: online, project {tracker.project}"
    return f"W&B: offline in {outputs}/wandb (no API key); look: `wandb leet`; upload: `wandb sync {outputs}/wandb/offline-run-*`"


def _netrc_has_key() -> bool:
    try:
        return netrc().authenticators(_HOST) is not None
    except (FileNotFoundError, NetrcParseError):
        return False
