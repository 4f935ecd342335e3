"""DeepSpeed ZeRO (Rajbhandari et al. 2020): the processes of a world hold parts of one model's states instead of copies.

It is a matter of the allocation: weights and sums stay in float32, and ``train.precision=bf16`` is the same autocast over float32
masters as without it, so an update is the same up to the order of sums.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.config.cluster import RuntimeOptions
from ablation.errors import ConfigProblems
from ablation.libraries import without_module
from ablation.specs import Train
from ablation.training.distributed import ProcessGroup


@dataclass(frozen=True)
class Sharding:
    """ZeRO's stage (0: every process holds all; 2: gradients and optimizer are split; 3: weights too), and whether the optimizer
    and, at stage 3, the weights rest in the host's memory. `degree` processes share the tokens of each example.
    """

    stage: int = 0
    offload: bool = False
    degree: int = 1

    @staticmethod
    def of(means: RuntimeOptions, world: ProcessGroup) -> "Sharding":
        """As asked for; a process that is alone has nobody to share with. Raises ConfigProblems without DeepSpeed."""
        if world.size == 1 or means.zero == 0:
            return Sharding()
        _require_deepspeed(means.zero)
        return Sharding(means.zero, means.offload, means.sequence_parallel)

    def config(self, recipe: Train) -> dict[str, Any] | None:
        """What DeepSpeed is started with, None without it."""
        if not self.stage:
            return None
        zero: dict[str, Any] = {"stage": self.stage, "stage3_gather_16bit_weights_on_model_save": self.stage == 3}
        if self.offload:
            zero["offload_optimizer"] = {"device": "cpu"}
            if self.stage == 3:
                zero["offload_param"] = {"device": "cpu"}
        told = {
            "zero_optimization": zero,
            "zero_force_ds_cpu_optimizer": False,  # torch's AdamW, as everywhere else
            "gradient_accumulation_steps": "auto",
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_clipping": "auto",
        }
        if recipe.precision == "bf16":
            told["torch_autocast"] = {"enabled": True, "dtype": "bfloat16"}
        return told

    def gradient_divisor(self, processes: int) -> int:
        """By what DeepSpeed divides the sum of all processes' gradients.

        Stage 2 counts processes that share tokens as one. Stage 3 should, and does not (0.19.8, `reduce_scatter_coalesced`).
        """
        return processes if self.stage == 3 else processes // self.degree

    def files(self, update: int, ranks: int) -> list[str]:
        """What every process writes to a checkpoint, by its path in there."""
        folder = Path(f"global_step{update}")
        kinds = {0: [], 2: ["optim"], 3: ["optim", "model"]}[self.stage]
        return [
            str(folder / f"zero_pp_rank_{rank}_mp_rank_00_{kind}_states.pt") for kind in kinds for rank in range(ranks)
        ]


NO_SHARDING = Sharding()


def deepspeed_only_for(zero: int) -> AbstractContextManager[None]:
    """Hide DeepSpeed inside, unless ZeRO is used: accelerate looks for its engine in every model, and so would import it."""
    return nullcontext() if zero else without_module("deepspeed")


def whole_weights(trainer: Any) -> dict[str, Any]:
    """All weights of a trained model by name, on process 0; every process takes part."""
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    found: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]  # or the next model of this process would be split as it is loaded
    return found


def _require_deepspeed(stage: int) -> None:
    from importlib.util import find_spec

    if find_spec("deepspeed") is None:
        raise ConfigProblems(
            [
                f"cluster.zero: given {stage}; it needs DeepSpeed: pip install 'ablation[deepspeed]', or set cluster.zero=0"
            ]
        )
