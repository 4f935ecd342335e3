"""Settings of the W&B tracker, and its mode on this machine."""

import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ablation.specs import Name
from ablation.specs.base import Spec

_HOST = "api.wandb.ai"
Mode = Literal["online", "offline", "disabled"]


class Tracker(Spec):
    """The settings of Weights & Biases."""

    mode: Literal["auto", "online", "offline", "disabled"]
    """Destination of the runs. ``auto`` is online where a key is configured, else offline."""
    project: Name
    """Project of the runs."""
    entity: str | None = None
    """User or team that the project belongs to. Null is the key's own."""
    init_timeout_s: Annotated[int, Field(gt=0)] = 20
    """Seconds to wait for a run to begin."""
    finish_timeout_s: Annotated[int, Field(gt=0)] = 120
    """Seconds to wait for a run's data to be sent at its end."""


def mode_of(tracker: Tracker) -> Mode:
    """Return `online`, `offline` or `disabled`: `auto` is online exactly when an API key is configured."""
    if tracker.mode != "auto":
        return tracker.mode
    return "online" if os.environ.get("WANDB_API_KEY") or _netrc_has_key() else "offline"


def notice(tracker: Tracker, outputs: Path) -> str:
    """Return the one line that tells the user where the runs go."""
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
