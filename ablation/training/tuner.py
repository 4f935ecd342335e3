"""What training uses of TRL, without the libraries that it and accelerate import wherever they are installed.

Weights & Biases no training has a use for; DeepSpeed those alone that share their states by it.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext


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

__all__ = ["DataCollatorForLanguageModeling", "SFTConfig", "SFTTrainer", "with_deepspeed_only_for"]


def with_deepspeed_only_for(zero: int) -> AbstractContextManager[None]:
    """Whether what runs inside may find DeepSpeed: accelerate looks for its engine in every model, and so would import it."""
    return nullcontext() if zero else _absent("deepspeed")
