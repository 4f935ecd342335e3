"""What an engine is: something that turns planned attempts into completions. Chosen by name, imported where it is used."""

from collections.abc import Generator, Sequence
from importlib import import_module
from typing import Protocol, cast

from ablation.evaluation.sampling.planned_attempts import SamplingRun, SamplingUnit
from ablation.specs import Sample
from ablation.store.interrupt import StopRequest
from ablation.store.records import Completion


class Engine(Protocol):
    """A module with these functions."""

    def unit_rows(self, sample: Sample) -> int:
        """How many attempts are kept or generated again as one."""
        ...

    def version(self, sample: Sample) -> str:
        """Name and version of what generates, such as ``vllm 0.32.0``. Raises ConfigProblems where it is not installed."""
        ...

    def generate(
        self, sampling: SamplingRun, units: Sequence[SamplingUnit], halt: StopRequest
    ) -> Generator[list[Completion], None, None]:
        """The completions of each unit as it ends; nothing is loaded for no units. Closing ends the rest. Raises Interrupted."""
        ...


def engine(name: str) -> Engine:
    """The engine of this name, ``transformers`` or ``vllm``."""
    return cast(Engine, import_module(f"ablation.evaluation.sampling.{name}_engine"))
