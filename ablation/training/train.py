"""The train stage: supervised fine-tuning with TRL on the selected trajectories."""

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, PreTrainedModel, PrinterCallback, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from ablation.attempt import Attempt, Means
from ablation.cell import Cell
from ablation.corpus.select import read_selection
from ablation.errors import ConfigProblems
from ablation.records import LOSS_FILE, SUMMARY_FILE, TIMING_FILE, WEIGHTS_FOLDER, write_json
from ablation.science import Lora, Model, Train
from ablation.tokenizer import load_tokenizer, model_place
from ablation.training.encode import Encoded, encode


@dataclass(frozen=True)
class TrainSummary:
    """What was realised: counts of the run, not of the plan. Losses are per target token."""

    updates: int
    train_examples: int
    train_tokens: int
    target_tokens: int
    truncated_examples: int
    train_loss: float


def train(cell: Cell, selection: Path, attempt: Attempt, means: Means) -> None:
    """Write ``weights/``, ``loss.jsonl``, ``summary.json`` and ``timing.json``; deterministic on one CPU thread."""
    if cell.train is None:
        raise ConfigProblems(["count.size: 0 is the base model; there is nothing to train"])
    started, folder, micro_batch = time.perf_counter(), attempt.out, means.micro_batch
    tokenizer = load_tokenizer(cell.model)
    encoded = encode(tokenizer, read_selection(selection), cell.train.block_tokens)
    set_seed(cell.seed.train)
    curve = _LossCurve(len(encoded.input_ids), cell.train.batch)
    trainer = SFTTrainer(
        model=load_model(cell.model),
        args=sft_config(cell.train, cell.seed.train, folder / "trainer", micro_batch),
        train_dataset=Dataset.from_dict({"input_ids": encoded.input_ids, "labels": encoded.labels}),
        processing_class=tokenizer,
        peft_config=_lora_config(cell.train.lora),
        callbacks=[curve],
    )
    trainer.remove_callback(PrinterCallback)
    loaded = time.perf_counter()
    result = trainer.train()
    trained = time.perf_counter()
    _save(trainer, folder / WEIGHTS_FOLDER)
    shutil.rmtree(folder / "trainer", ignore_errors=True)
    tokenizer.save_pretrained(folder / WEIGHTS_FOLDER)
    (folder / LOSS_FILE).write_text("".join(f"{line}\n" for line in curve.lines))
    write_json(
        folder / SUMMARY_FILE, asdict(_summary(encoded, cell.train, trainer.state.global_step, result.training_loss))
    )
    write_json(
        folder / TIMING_FILE,
        {"load_s": loaded - started, "train_s": trained - loaded, "save_s": time.perf_counter() - trained},
    )


def sft_config(recipe: Train, seed: int, scratch: Path, micro_batch: int | None) -> SFTConfig:
    """TRL's arguments for a recipe; the effective batch is the recipe's whatever the micro-batch. Raises ConfigProblems."""
    rows = min(micro_batch or recipe.batch, recipe.batch)
    problem = recipe.indivisible(micro_batch)
    if torch.cuda.device_count() > 1:
        # The trainer would wrap the model in DataParallel and multiply the batch by the devices that it sees.
        problem = f"{torch.cuda.device_count()} GPUs are visible; this version trains a cell on one: set cluster.gpus_per_node=1"
    if problem:
        raise ConfigProblems([problem])
    return SFTConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=recipe.batch // rows,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_beta1,
        adam_beta2=recipe.adam_beta2,
        max_grad_norm=recipe.max_grad_norm,
        max_length=recipe.block_tokens,
        bf16=recipe.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=torch.cuda.is_available(),
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def load_model(model: Model) -> PreTrainedModel:
    """The base model with float32 weights: AdamW at small learning rates would round most updates of bf16 weights away.

    ``train.precision=bf16`` is the autocast of the forward pass over these masters.
    """
    place, revision = model_place(model)
    loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        place, revision=revision, dtype=torch.float32, trust_remote_code=model.trust_remote_code
    )
    return loaded


def _lora_config(lora: Lora | None) -> LoraConfig | None:
    if lora is None:
        return None
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, task_type="CAUSAL_LM"
    )


def _save(trainer: SFTTrainer, weights: Path) -> None:
    model: Any = trainer.model
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.save_pretrained(weights)


def _summary(encoded: Encoded, recipe: Train, updates: int, loss: float) -> TrainSummary:
    return TrainSummary(
        updates=updates,
        train_examples=len(encoded.input_ids) * recipe.epochs,
        train_tokens=encoded.tokens * recipe.epochs,
        target_tokens=encoded.target_tokens * recipe.epochs,
        truncated_examples=encoded.truncated,
        train_loss=loss,
    )


class _LossCurve(TrainerCallback):
    """Collects one JSON line for each update: loss, learning rate, gradient norm, examples and tokens of the update."""

    def __init__(self, examples: int, batch: int) -> None:
        self.examples, self.batch = examples, batch
        self.lines: list[str] = []
        self.total_tokens = 0

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Hear what the trainer logs; only its lines about an update count."""
        del args, control, kwargs
        if not logs or "loss" not in logs:
            return
        before, self.total_tokens = self.total_tokens, int(logs["num_tokens"])
        row = {"update": state.global_step, **{name: logs[name] for name in ("loss", "learning_rate", "grad_norm")}}
        sizes = {"examples": self._examples_in(state.global_step), "tokens": self.total_tokens - before}
        self.lines.append(json.dumps({**row, **sizes, "total_tokens": self.total_tokens}))

    def _examples_in(self, update: int) -> int:
        """The last update of an epoch takes what is left of it."""
        per_epoch = -(-self.examples // self.batch)
        return min(self.batch, self.examples - (update - 1) % per_epoch * self.batch)
