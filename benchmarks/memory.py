"""Estimate the memory that training takes, as `ablation plan` does: for Qwen2.5-32B, and beside measurements of small models.

    python -m benchmarks.memory             # Qwen2.5-32B on each GPU, by recipe, means and number of GPUs: estimates
    python -m benchmarks.memory --measure   # small models in a process of their own, two updates each, on this machine

Prints a Markdown table. Measured are, each in a run of its own, the most that torch's tensors held at once, by its profiler, and
the largest resident set above what it was once a tiny model had been trained in the process, so that the libraries are not in it.
A CPU has no Triton, so the estimate has the tiles added that TRL's loss keeps there.
"""

import argparse
import gc
import multiprocessing
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from ablation.config.cluster import Activations, RuntimeOptions
from ablation.config.sweep.cells import compose_sweep
from ablation.planning.memory import GB, Footprint, footprint, torch_tiles
from ablation.specs import Lora, ModelShape, Train

GPUS = (8, 16, 32)
GPU_GB = 80.0
RUNTIMES = {
    "": RuntimeOptions(micro_batch=1, zero=3),
    "sequence_parallel=8": RuntimeOptions(micro_batch=1, zero=3, sequence_parallel=8),
    "activations=offload": RuntimeOptions(micro_batch=1, zero=3, activations="offload"),
    "offload=true": RuntimeOptions(micro_batch=1, zero=3, offload=True),
    "both offloads": RuntimeOptions(micro_batch=1, zero=3, offload=True, activations="offload"),
}
# From mostly activations to mostly states, the last one SmolLM2-135M's architecture.
SMALL = ModelShape(layers=8, hidden=256, intermediate=768, heads=8, keys=128, vocabulary=4096, tied=True, biased=True)
WIDE = ModelShape(layers=6, hidden=512, intermediate=1536, heads=8, keys=512, vocabulary=8192, tied=False, biased=False)
TINY = ModelShape(layers=2, hidden=32, intermediate=64, heads=2, keys=32, vocabulary=64, tied=True, biased=True)
SMOLLM2 = ModelShape(
    layers=30, hidden=576, intermediate=1536, heads=9, keys=192, vocabulary=49152, tied=True, biased=False
)
MB = 1e6


@dataclass(frozen=True)
class Case:
    """One model as it is trained: rows of so many tokens, one at a time."""

    name: str
    shape: ModelShape
    tokens: int
    activations: Activations
    lora: bool = False

    def recipe(self, recipe: Train) -> Train:
        """Return the recipe with two updates of two examples in float32."""
        lora = Lora(rank=16, alpha=32, dropout=0.0, targets="all-linear") if self.lora else None
        options = {"method": "lora" if lora else "full", "lora": lora, "batch": 2, "block_tokens": self.tokens}
        return recipe.model_copy(update={**options, "epochs": None, "updates": 2, "precision": "float32"})

    @property
    def runtime(self) -> RuntimeOptions:
        """The options of the run: a row at a time."""
        return RuntimeOptions(micro_batch=1, activations=self.activations)


CASES = (
    Case("Qwen2, 7 M", SMALL, 2048, "keep"),
    Case("Qwen2, 7 M", SMALL, 2048, "recompute"),
    Case("Qwen2, 7 M", SMALL, 2048, "recompute", lora=True),
    Case("Llama, 29 M", WIDE, 1024, "keep"),
    Case("Llama, 29 M", WIDE, 1024, "recompute"),
    Case("Llama, 29 M", WIDE, 1024, "recompute", lora=True),
    Case("Llama, 135 M", SMOLLM2, 256, "keep"),
    Case("Llama, 135 M", SMOLLM2, 256, "recompute"),
    Case("Llama, 135 M", SMOLLM2, 256, "recompute", lora=True),
)


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="train small models and compare")
    (measured_table if parser.parse_args().measure else large_table)()


def large_table() -> None:
    """Print one line for each recipe and runtime."""
    print("| recipe | cluster. | " + " | ".join(f"{count} GPUs" for count in GPUS) + " | host, each GPU of 8 |")
    print("|---|---|" + "---|" * (len(GPUS) + 1))
    for name in ("paper", "paper_lora"):
        recipe, shape = recipe_of(name)
        for label, runtime in RUNTIMES.items():
            sizes = [footprint(shape, recipe, runtime, count) for count in GPUS]
            cells = [_fits(size) for size in sizes] + [f"{sizes[0].host / GB:.0f} GB"]
            print(f"| train={name} | {label} | {' | '.join(cells)} |")


def _fits(size: Footprint) -> str:
    return f"{size.total / GB:.0f} GB" + ("" if size.total / GB <= GPU_GB else ", too much")


def recipe_of(train: str) -> tuple[Train, ModelShape]:
    """Return the recipe at the paper's scale, and the architecture of its model."""
    cells = compose_sweep(["sweep=cnls", "scale=paper", "count=n100", f"train={train}"]).cells
    cell = next(cell for cell in cells if cell.train)
    assert cell.train and cell.model.shape
    return cell.train, cell.model.shape


def measured_table() -> None:
    """Print one line for each case: the parts of the estimate, then the measurements."""
    recipe = compose_sweep(["sweep=smoke"]).cells[-1].train
    assert recipe
    columns = ("model", "method", "tokens", "activations", "states", "activations and loss", "tiles", "estimate", "tensors",
               "ratio", "resident set")  # fmt: skip
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for case in CASES:
        estimated = footprint(case.shape, case.recipe(recipe), replace(case.runtime, micro_batch=1), processes=1)
        tiles = torch_tiles(case.shape, case.tokens)
        tensors, resident = (alone(measure, case, recipe) for measure in (tensor_bytes, resident_bytes))
        parts = (
            estimated.total - estimated.activations,
            estimated.activations,
            tiles,
            estimated.total + tiles,
            tensors,
        )
        print(
            f"| {case.name} | {'lora' if case.lora else 'full'} | {case.tokens:,} | {case.activations} | "
            + " | ".join(f"{part / MB:.0f} MB" for part in parts)
            + f" | {tensors / (estimated.total + tiles):.2f} | {resident / MB:.0f} MB |",
            flush=True,
        )


def alone(measure: Callable[[Case, Train], float], case: Case, recipe: Train) -> float:
    """Measure one case in a new process and return bytes."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measure, (case, recipe))


def tensor_bytes(case: Case, recipe: Train) -> float:
    """Train, and return the most bytes that torch's allocations held at once."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        train_once(case, recipe)
    profiler: Any = profiled.profiler
    changes = [
        (event.start_ns(), event.nbytes()) for event in profiler.kineto_results.events() if event.name() == "[memory]"
    ]
    return float(max(accumulate(size for _, size in sorted(changes))))


def resident_bytes(case: Case, recipe: Train) -> float:
    """Train, and return the bytes by which the resident set grew at the most."""
    import resource

    import psutil

    train_once(replace(case, shape=TINY, tokens=64), recipe)
    gc.collect()
    before = psutil.Process().memory_info().rss
    train_once(case, recipe)
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)


def train_once(case: Case, recipe: Train) -> None:
    """Train a new model for two updates."""
    from transformers import PrinterCallback

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(case, case.recipe(recipe), Path(folder))
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def trainer_of(case: Case, recipe: Train, folder: Path) -> Any:
    """Return the trainer with a new model."""
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, set_seed
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from ablation.data.tokenizer import load_tokenizer
    from ablation.training.batches import MicroBatchPlan, PaddedBatching, Updates
    from ablation.training.distributed import ProcessGroup
    from ablation.training.trainer import Trainer
    from ablation.training.trl_config import lora_config, sft_config

    tokenizer = load_tokenizer(compose_sweep(["sweep=smoke"]).cells[-1].model)
    shape = case.shape
    options: dict[str, Any] = {
        "vocab_size": shape.vocabulary, "hidden_size": shape.hidden, "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "max_position_embeddings": case.tokens,
        "num_key_value_heads": shape.keys * shape.heads // shape.hidden, "tie_word_embeddings": shape.tied,
    }  # fmt: skip
    ids = [[index % shape.vocabulary for index in range(case.tokens)]] * 2
    steps = MicroBatchPlan(Updates.of(recipe, [case.tokens] * 2, seed=0), PaddedBatching(1))

    set_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**options)) if shape.biased else LlamaForCausalLM(LlamaConfig(**options))  # type: ignore[no-untyped-call]
    return Trainer(
        steps,
        ProcessGroup(),
        model=model,
        args=sft_config(recipe, 0, folder, steps, activations=case.activations),
        train_dataset=Dataset.from_dict({"input_ids": ids, "labels": ids}),
        processing_class=tokenizer,
        data_collator=DataCollatorForLanguageModeling(tokenizer.pad_token_id),
        peft_config=recipe.lora and lora_config(recipe.lora),
    )


if __name__ == "__main__":
    main()
