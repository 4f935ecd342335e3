"""DeepSpeed ZeRO (Rajbhandari et al. 2020): the processes of a group hold parts of one model's states instead of copies.

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
    """The way in which the processes of a group share a model and its examples."""

    stage: int = 0
    """ZeRO's stage. 0: every process holds everything; 2: gradients and optimizer are split; 3: weights too."""
    offload: bool = False
    """The optimizer and, at stage 3, the weights rest in the host's memory."""
    degree: int = 1
    """Number of processes that share the tokens of each example."""

    @staticmethod
    def of(options: RuntimeOptions, group: ProcessGroup) -> "Sharding":
        """Return the sharding that is asked for; none for a process that is alone. Raises ConfigProblems without DeepSpeed."""
        if group.size == 1 or options.zero == 0:
            return Sharding()
        _require_deepspeed(options.zero)
        return Sharding(options.zero, options.offload, options.sequence_parallel)

    def config(self, recipe: Train) -> dict[str, Any] | None:
        """Return DeepSpeed's configuration, or None without it."""
        if not self.stage:
            return None
        zero: dict[str, Any] = {"stage": self.stage, "stage3_gather_16bit_weights_on_model_save": self.stage == 3}
        if self.offload:
            zero["offload_optimizer"] = {"device": "cpu"}
            if self.stage == 3:
                zero["offload_param"] = {"device": "cpu"}
        config = {
            "zero_optimization": zero,
            "zero_force_ds_cpu_optimizer": False,  # torch's AdamW, as everywhere else
            "gradient_accumulation_steps": "auto",
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_clipping": "auto",
        }
        if recipe.precision == "bf16":
            config["torch_autocast"] = {"enabled": True, "dtype": "bfloat16"}
        return config

    def gradient_divisor(self, processes: int) -> int:
        """Return the number by which DeepSpeed divides the sum of all processes' gradients.

        Stage 2 counts processes that share tokens as one. Stage 3 should, and does not (0.19.8, `reduce_scatter_coalesced`).
        So four processes, two of which share each example, divide by 2 or by 4:

        >>> Sharding(stage=2, degree=2).gradient_divisor(4), Sharding(stage=3, degree=2).gradient_divisor(4)
        (2, 4)
        """
        return processes if self.stage == 3 else processes // self.degree

    def files(self, update: int, processes: int) -> list[str]:
        """Return the files that the processes write to a checkpoint, by their paths in it.

        >>> Sharding(stage=2).files(update=7, processes=2)  # doctest: +NORMALIZE_WHITESPACE
        ['global_step7/zero_pp_rank_0_mp_rank_00_optim_states.pt',
         'global_step7/zero_pp_rank_1_mp_rank_00_optim_states.pt']
        """
        folder = Path(f"global_step{update}")
        kinds = {0: [], 2: ["optim"], 3: ["optim", "model"]}[self.stage]
        return [
            str(folder / f"zero_pp_rank_{rank}_mp_rank_00_{kind}_states.pt")
            for kind in kinds
            for rank in range(processes)
        ]


NO_SHARDING = Sharding()


def deepspeed_only_for(zero: int) -> AbstractContextManager[None]:
    """Hide DeepSpeed inside, unless ZeRO is used: accelerate looks for its engine in every model, and so would import it."""
    return nullcontext() if zero else without_module("deepspeed")


def whole_weights(trainer: Any) -> dict[str, Any]:
    """Return all weights of a trained model by name, on process 0. Every process must call it."""
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    weights: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]  # or the next model of this process would be split as it is loaded
    return weights


def _require_deepspeed(stage: int) -> None:
    from importlib.util import find_spec

    if find_spec("deepspeed") is None:
        raise ConfigProblems(
            [
                f"cluster.zero: given {stage}; it needs DeepSpeed: pip install 'ablation[deepspeed]', or set cluster.zero=0"
            ]
        )
