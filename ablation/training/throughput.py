"""The use that a run made of its hardware: tokens a second, padding, memory, and the share of the GPU's peak."""

import resource
from dataclasses import dataclass

import torch

# Dense bf16 FLOP/s by a part of the device's name, from NVIDIA's data sheets.
PEAK_FLOPS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12}


@dataclass(frozen=True)
class Throughput:
    """The tokens of a run and the time they took, over all its processes."""

    useful_tokens: int
    """Tokens of the examples."""
    tokens: int
    """Tokens that went through the model, padding included."""
    seconds: float
    parameters: int
    processes: int

    def as_json(self) -> dict[str, float | str | None]:
        """Return the columns of the record.

        `mfu` is the model FLOPs utilisation of Chowdhery et al. (2022, appendix B) without its attention term: 6 × parameters ×
        useful tokens a second over the GPUs' dense bf16 peak. It is None where no such peak is known.
        """
        rate = self.useful_tokens / self.seconds if self.seconds > 0 else None
        peak = _peak_flops()
        return {
            "useful_tokens_per_second": rate,
            "tokens_per_second": self.tokens / self.seconds if self.seconds > 0 else None,
            "padding_share": 1 - self.useful_tokens / self.tokens if self.tokens else None,
            "mfu_convention": "6 × parameters × useful tokens/s ÷ dense bf16 peak, without attention",
            "mfu": 6 * self.parameters * rate / (peak * self.processes) if rate and peak else None,
            "peak_memory_gb": peak_memory_gb(),
        }


def peak_memory_gb() -> float:
    """Return the most memory that was held so far: on the GPU where there is one, else by this process since its start."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _peak_flops() -> float | None:
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((flops for part, flops in PEAK_FLOPS.items() if part in name), None)
