"""What training uses of TRL, without the libraries that it and accelerate import wherever they are installed.

Weights & Biases no training has a use for; DeepSpeed those alone that share their states by it.
"""

from contextlib import AbstractContextManager, nullcontext

from ablation.libraries import absent

with absent("wandb"):
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

__all__ = ["DataCollatorForLanguageModeling", "SFTConfig", "SFTTrainer", "with_deepspeed_only_for"]


def with_deepspeed_only_for(zero: int) -> AbstractContextManager[None]:
    """Whether what runs inside may find DeepSpeed: accelerate looks for its engine in every model, and so would import it."""
    return nullcontext() if zero else absent("deepspeed")
