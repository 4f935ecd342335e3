"""The base model for the cells that a process trains one after another: read from disk once, and new for each of them."""

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

    Each run gets a model of its own, so nothing that a run does to it can reach the next. Where only an adapter is trained, that
    model shares the kept tensors, since no training writes to them; else it has copies.
    """

    def __init__(self) -> None:
        self._key: str | None = None
        self._kept: PreTrainedModel | None = None

    @staticmethod
    @cache
    def here() -> "BaseModelCache":
        """Return the cache of this process."""
        return BaseModelCache()

    def fresh(self, model: Model, keep: bool, frozen: bool) -> PreTrainedModel:
        """Return the model as `load_model` gives it. A kept model that is not this one goes first.

        With `keep` the model comes from memory the next time. With `frozen`, too, the caller must not write to a weight: whoever
        changes one puts a new tensor in its place.
        """
        key = digest(model.canonical())
        if not keep or key != self._key:
            self.drop()
        if not keep:
            return load_model(model)
        if self._kept is None:
            _exempt_from_collection()
            random_state = torch.get_rng_state()
            loaded = load_model(model)
            if not torch.equal(random_state, torch.get_rng_state()):
                return loaded  # some of its weights were drawn, by the seed of this run, so the next run needs others
            self._key, self._kept = key, loaded
        return _sharing_tensors(self._kept) if frozen else copy.deepcopy(self._kept)

    def drop(self) -> None:
        """Give the model's memory back."""
        self._key = self._kept = None


def _sharing_tensors(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model with modules and parameters of its own over the same tensors."""
    # A deep copy takes the copy of an object from this table, by the object's id, instead of making one.
    copies = {
        id(parameter): torch.nn.Parameter(parameter.data, parameter.requires_grad) for parameter in model.parameters()
    }
    return copy.deepcopy(model, copies)


def _exempt_from_collection() -> None:
    """Exempt all present objects from garbage collection: the trainer collects at every start, and would walk the libraries."""
    gc.collect()
    gc.freeze()
