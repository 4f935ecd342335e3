"""The memory that training Qwen2.5-32B takes on each GPU, by method and number of GPUs: the estimate that `ablation plan` makes.

    python -m benchmarks.memory

Prints a Markdown table for docs/training.md. Nothing is measured here: tests/test_memory.py holds the estimate against what
torch keeps of small models.
"""

from ablation.attempt import Means
from ablation.expansion import composed_grid
from ablation.planning.memory import GB, footprint
from ablation.science import Shape, Train

GPUS = (8, 16, 32)
GPU_GB = 80.0


def main() -> None:
    """One line for each method, with and without offload."""
    print("| recipe | offload | " + " | ".join(f"{count} GPUs" for count in GPUS) + " |")
    print("|---|---|" + "---|" * len(GPUS))
    for name in ("paper", "paper_lora"):
        recipe, shape = recipe_of(name)
        for offload in (False, True):
            means = Means(micro_batch=1, zero=3, offload=offload)
            sizes = [footprint(shape, recipe, means, count).total / GB for count in GPUS]
            cells = [f"{size:.0f} GB" if size <= GPU_GB else f"{size:.0f} GB, too much" for size in sizes]
            print(f"| train={name} | {'yes' if offload else 'no'} | {' | '.join(cells)} |")


def recipe_of(train: str) -> tuple[Train, Shape]:
    """The recipe at the paper's scale, and the architecture of its model."""
    cells = composed_grid(["sweep=cnls", "scale=paper", "count=n100", f"train={train}"]).cells
    cell = next(cell for cell in cells if cell.train)
    assert cell.train and cell.model.shape
    return cell.train, cell.model.shape


if __name__ == "__main__":
    main()
