"""The base model of the cells that a process trains one after another: read from disk once, and new for each of them."""

import copy
import gc
from functools import cache

import torch
from transformers import PreTrainedModel

from ablation.specs import Model
from ablation.specs.base import digest
from ablation.training.trl_config import load_model


class BaseModelCache:
    """At most one model, as it was read, in the host's memory.

    A run gets a model of its own, so nothing that it does to one can reach the next: where only an adapter is trained, with the
    same tensors, which nobody writes to; else with a copy of them.
    """

    def __init__(self) -> None:
        self._key: str | None = None
        self._kept: PreTrainedModel | None = None

    @staticmethod
    @cache
    def here() -> "BaseModelCache":
        """Those of this process."""
        return BaseModelCache()

    def fresh(self, model: Model, keep: bool, frozen: bool) -> PreTrainedModel:
        """The model as `load_model` gives it. With `keep` it comes from memory the next time, and with `frozen`, too, whoever
        changes a weight must put a new tensor in its place. A kept one that is not asked for goes first.
        """
        key = digest(model.canonical())
        if not keep or key != self._key:
            self.drop()
        if not keep:
            return load_model(model)
        if self._kept is None:
            _settle()
            before = torch.get_rng_state()
            read = load_model(model)
            if not torch.equal(before, torch.get_rng_state()):
                return read  # it has weights that were drawn, by the seed of this run
            self._key, self._kept = key, read
        return _twin(self._kept) if frozen else copy.deepcopy(self._kept)

    def drop(self) -> None:
        """Give its memory back."""
        self._key = self._kept = None


def _twin(model: PreTrainedModel) -> PreTrainedModel:
    """Modules and parameters of its own over the same tensors."""
    same = {id(one): torch.nn.Parameter(one.data, one.requires_grad) for one in model.parameters()}
    return copy.deepcopy(model, same)


def _settle() -> None:
    """What the libraries have made by now stays: the trainer asks for a full collection at every start, which would walk it."""
    gc.collect()
    gc.freeze()
