"""Measure the trainer: useful tokens a second and padding, packed and not, beside TRL's own trainer as it comes.

    python -m benchmarks.training

Prints a Markdown table for docs/benchmarks.md. The examples have the skewed lengths of reasoning traces: log-normal, the long
tail cut at the block. All arms train the same small model on the same examples, in turns; only ratios carry over. Processor
time is that of all threads, which other work on the machine lengthens less than wall time.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, PrinterCallback, Qwen2Config, Qwen2ForCausalLM, set_seed
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from ablation.config.sweep.cells import compose_sweep
from ablation.data.tokenizer import load_tokenizer
from ablation.specs import Train
from ablation.training.batches import MicroBatching, MicroBatchPlan, PackedBatching, PaddedBatching, Updates
from ablation.training.distributed import ProcessGroup
from ablation.training.encode import IGNORED_LABEL
from ablation.training.trainer import Trainer
from ablation.training.trl_config import sft_config

BLOCK, BATCH, PROMPT = 512, 32, 16


@dataclass
class Collator:
    """TRL's collator, which counts the tokens that go through the model, padding included."""

    inner: DataCollatorForLanguageModeling
    tokens: int = 0

    def __call__(self, rows: Any) -> Any:
        """Return the batch as TRL makes it."""
        batch = self.inner(rows)
        self.tokens += batch["input_ids"].numel()
        return batch


@dataclass(frozen=True)
class Bench:
    """The examples and the recipe that all arms share, and the measurements of each arm."""

    ids: Sequence[Sequence[int]]
    tokenizer: PreTrainedTokenizerBase
    recipe: Train
    folder: Path
    wall_s: dict[str, list[float]] = field(default_factory=dict)
    processor_s: dict[str, list[float]] = field(default_factory=dict)
    updates: dict[str, int] = field(default_factory=dict)
    through: dict[str, int] = field(default_factory=dict)
    """Tokens that went through the model, padding included."""

    @property
    def lengths(self) -> list[int]:
        """The tokens of each example."""
        return [len(example) for example in self.ids]

    def ours(self, cut: MicroBatching) -> tuple[Any, Collator]:
        """Return our trainer on updates that are cut in this way, with its collator."""
        steps = MicroBatchPlan(Updates.of(self.recipe, self.lengths, seed=0), cut)
        collator = self.collator(padding_free=isinstance(cut, PackedBatching))
        options = {"model": self.model(), "args": sft_config(self.recipe, 0, self.folder, steps)}
        trainer = Trainer(
            steps,
            ProcessGroup(),
            train_dataset=self.rows(),
            processing_class=self.tokenizer,
            data_collator=collator,
            **options,
        )
        return trainer, collator

    def trl(self, packing: bool) -> tuple[Any, Collator]:
        """Return TRL's trainer with its collator: batches of 8 rows, as many of them as make up ours."""
        arguments = SFTConfig(
            output_dir=str(self.folder), per_device_train_batch_size=8, gradient_accumulation_steps=BATCH // 8,
            num_train_epochs=1, max_length=BLOCK, packing=packing, bf16=False, use_cpu=True, report_to=[],
            save_strategy="no", disable_tqdm=True, gradient_checkpointing=False,
        )  # fmt: skip
        trainer = SFTTrainer(
            self.model(), args=arguments, train_dataset=self.rows(filler=False), processing_class=self.tokenizer
        )
        trainer.data_collator = collator = Collator(trainer.data_collator)
        return trainer, collator

    def model(self) -> Qwen2ForCausalLM:
        """Return a model of some million parameters, the same in every arm."""
        set_seed(0)
        shape = Qwen2Config(
            vocab_size=len(self.tokenizer), hidden_size=192, intermediate_size=576, num_hidden_layers=5,
            num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=2 * BLOCK,
        )  # fmt: skip
        return Qwen2ForCausalLM(shape)  # type: ignore[no-untyped-call]

    def rows(self, filler: bool = True) -> Dataset:
        """Return the examples in TRL's columns, with the filler behind them that our cuts fill up with."""
        ids = [list(example) for example in self.ids]
        labels = [[IGNORED_LABEL] * PROMPT + example[PROMPT:] for example in ids]
        if filler:
            ids, labels = [*ids, [0, 0]], [*labels, [IGNORED_LABEL] * 2]
        return Dataset.from_dict({"input_ids": ids, "labels": labels})

    def collator(self, padding_free: bool) -> Collator:
        """Return TRL's collator with a count of its tokens."""
        return Collator(DataCollatorForLanguageModeling(self.tokenizer.pad_token_id, padding_free=padding_free))

    def measure(self, name: str, make: Callable[[], tuple[Any, Collator]]) -> None:
        """Train once and note the seconds of its updates."""
        trainer, collator = make()
        trainer.remove_callback(PrinterCallback)
        wall, processor = time.perf_counter(), time.process_time()
        trainer.train()
        self.wall_s.setdefault(name, []).append(time.perf_counter() - wall)
        self.processor_s.setdefault(name, []).append(time.process_time() - processor)
        print(
            f"{name}: {self.wall_s[name][-1]:.0f} s ({self.processor_s[name][-1]:.0f} s)", file=sys.stderr, flush=True
        )
        self.through[name], self.updates[name] = collator.tokens, trainer.state.global_step


def main() -> None:
    """Measure all arms in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2], help="longest examples that a packed row holds")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cell = compose_sweep(["sweep=smoke"]).cells[-1]
    assert cell.train
    recipe = cell.train.model_copy(update={"batch": BATCH, "epochs": 1, "block_tokens": BLOCK})
    tokenizer = load_tokenizer(cell.model)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(examples(arguments.examples, len(tokenizer)), tokenizer, recipe, Path(folder))
        arms: dict[str, Callable[[], tuple[Any, Collator]]] = {
            "TRL, as it comes": lambda: bench.trl(packing=False),
            "TRL, packing=bfd (fewer, other updates)": lambda: bench.trl(packing=True),
            "train.packing=false": lambda: bench.ours(PaddedBatching(8)),
        }
        for rows in arguments.rows:
            cut = PackedBatching(bench.lengths, rows * max(bench.lengths))
            arms[f"train.packing=true, room of {rows}"] = lambda cut=cut: bench.ours(cut)  # type: ignore[misc]
        for _ in range(arguments.rounds):
            for name, make in arms.items():
                bench.measure(name, make)
        print_table(bench)


def examples(count: int, vocabulary: int) -> list[list[int]]:
    """Return random token ids in lengths whose median is a fifth of the block; the longest tenth is twice to five times that."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(BLOCK / 5), 0.8, count), 2 * PROMPT, BLOCK).astype(int)
    return [rng.integers(3, vocabulary, length).tolist() for length in lengths]


def print_table(bench: Bench) -> None:
    """Print the medians over the rounds, and the ratio to TRL as it comes."""
    useful = sum(bench.lengths)
    size = sum(weight.numel() for weight in bench.model().parameters())
    rounds = len(next(iter(bench.wall_s.values())))
    print(
        f"{size / 1e6:.1f} million parameters, {len(bench.ids)} examples of {useful} tokens (median "
        f"{statistics.median(bench.lengths):.0f}, longest {max(bench.lengths)}), {torch.get_num_threads()} threads, "
        f"{rounds} rounds, load {os.getloadavg()[0]:.0f} at the end\n"
    )
    print("| trainer | updates | padding | useful tokens/s | ratio | per second of processor time | ratio |")
    print("|---|---|---|---|---|---|---|")
    wall, processor = (rates(useful, seconds) for seconds in (bench.wall_s, bench.processor_s))
    for name in wall:
        columns = [f"{rate[name]:.0f} | {rate[name] / next(iter(rate.values())):.2f}" for rate in (wall, processor)]
        print(f"| {name} | {bench.updates[name]} | {1 - useful / bench.through[name]:.1%} | {' | '.join(columns)} |")


def rates(useful: int, seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return the useful tokens a second of each arm, from the median of its rounds."""
    return {name: useful / statistics.median(measured) for name, measured in seconds.items()}


if __name__ == "__main__":
    main()
