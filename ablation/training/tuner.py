"""What training uses of TRL, which imports Weights & Biases wherever it is installed; no training has a use for that."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """A module that is not imported yet cannot be meanwhile: it looks as if it were not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system's reference has it
    try:
        yield
    finally:
        del sys.modules[name]


with _absent("wandb"):
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

__all__ = ["DataCollatorForLanguageModeling", "SFTConfig", "SFTTrainer"]
