"""TRL's classes, imported without Weights & Biases, which TRL imports wherever it is installed and training does not use."""

from ablation.libraries import without_module

with without_module("wandb"):
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

__all__ = ["DataCollatorForLanguageModeling", "SFTConfig", "SFTTrainer"]
