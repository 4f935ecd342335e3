"""One point of the grid, and the address of each of its stages.

A `Cell` holds exactly what can change its numbers. Where and how it runs lives on `Execution` (ablation/config/execution.py), and
so cannot enter a cell's key. A stage's address hashes its own spec, its version and its inputs' addresses. So cells that agree in
a stage and its inputs share the work.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import PrivateAttr, model_validator

from ablation.specs import Benchmark, Category, Corpus, Count, Length, Model, Sample, Seeds, Style, Train
from ablation.specs.address import Address, digits_of
from ablation.specs.base import Spec
from ablation.specs.versions import GRADER, STORE_FORMAT, VERSIONS
from ablation.specs.vocabulary import FACTORS

# The parts that the untrained base model has no use for.
TRAINS = ("category", "length", "style", "corpus", "train")


class Cell(Spec):
    """One cell of the grid. A cell with ``count.size == 0`` is the base model: the parts that train are None."""

    category: Category | None
    """Factor C, the kind of problems."""
    count: Count
    """Factor N, the number of trajectories."""
    length: Length | None
    """Factor L, the length of the trajectories."""
    style: Style | None
    """Factor S, the model that wrote the trajectories."""
    seed: Seeds
    """Seeds of the draw, the training and the attempts."""
    corpus: Corpus | None
    """Corpus that the trajectories are drawn from."""
    benchmark: Benchmark
    """Questions that are asked."""
    model: Model
    """Base model."""
    train: Train | None
    """Recipe of the training."""
    sample: Sample
    """Attempts at the questions."""
    _outcome: Address | None = PrivateAttr(default=None)
    _folders: tuple[tuple[str, str], ...] | None = PrivateAttr(default=None)

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Return a cell of plain values. With ``count.size`` 0, the parts that train are dropped.

        `of_parts` does the same with parts that are validated. Raises pydantic.ValidationError.
        """
        count, seed = content.get("count"), content.get("seed")
        if isinstance(count, Mapping) and count.get("size") == 0:
            content = {**content, **dict.fromkeys(TRAINS)}
            if isinstance(seed, Mapping):
                content["seed"] = {**seed, "data": 0, "train": 0}
        return cls.model_validate_json(json.dumps(content))

    @classmethod
    def of_parts(cls, parts: Mapping[str, Any]) -> Self:
        """Return a cell of validated parts, which cells may share. Raises pydantic.ValidationError."""
        if parts["count"].size == 0:
            seed = parts["seed"].model_copy(update={"data": 0, "train": 0})
            parts = {**parts, **dict.fromkeys(TRAINS), "seed": seed}
        return cls.model_validate(parts)

    @model_validator(mode="after")
    def _trained_cells_are_whole(self) -> Self:
        absent = [name for name in TRAINS if getattr(self, name) is None]
        if len(absent) != (len(TRAINS) if self.is_base else 0):
            raise ValueError(
                f"{', '.join(TRAINS)} are null with count.size=0, and only then; null: {absent}, size: {self.count.size}"
            )
        return self

    @property
    def is_base(self) -> bool:
        """True for the untrained base model."""
        return self.count.size == 0

    @property
    def outcome(self) -> Address:
        """The address of the last stage: where it is complete, the cell is."""
        if self._outcome is None:
            self._outcome = self._addresses()["grade"]
        return self._outcome

    @property
    def folders(self) -> dict[str, str]:
        """Each stage's folder below the store, in the order in which the stages run; changing it changes no cell."""
        if self._folders is None:
            self._folders = _folders(self._addresses())
        return dict(self._folders)

    def _addresses(self) -> dict[str, Address]:
        """Return the addresses, and keep of them what is asked for most: to hash ten thousand cells takes a second."""
        stages = addresses(self)
        self._outcome, self._folders = stages["grade"], _folders(stages)
        return stages

    @classmethod
    def recorded(cls, parts: Mapping[str, Any], folders: Mapping[str, str]) -> Self:
        """Return a cell from its validated parts, with the folders that a plan recorded: it need not compute them."""
        cell = cls.model_validate(parts)
        cell._folders = tuple(folders.items())
        return cell

    @property
    def key(self) -> str:
        """SHA-256 over everything that can change this cell's numbers, and over nothing else."""
        return self.outcome.digest

    @property
    def slug(self) -> str:
        """A readable name of the factors, e.g. ``algebra-n100-long-r1-s0``; unique only together with the key."""
        if self.category is None or self.length is None or self.style is None:
            return f"base-s{self.seed.sample}"
        return f"{self.category.name}-n{self.count.size}-{self.length.level}-{self.style.name}-{self.seed.slug}"

    @property
    def name(self) -> str:
        """Slug and the first six digits of the key: unique within a study, and stable."""
        return f"{self.slug}-{digits_of(self.folders['grade'])[:6]}"

    def factors(self) -> dict[str, str | int | None]:
        """Return the values of C, N, L, S and the replicate, as they stand in the tables."""
        return {name: self.factor(name) for name in (*FACTORS, "seed")}

    def factor(self, name: str) -> str | int | None:
        """Return the value of a factor, or of the replicate by the name ``seed``."""
        if name == "count":
            return self.count.size
        if name == "seed":
            return self.seed.sample if self.is_base else self.seed.replicate
        if name == "length":
            return self.length.level if self.length else None
        part = getattr(self, name)
        return part.name if part else None

    @property
    def blocks(self) -> dict[str, range]:
        """The attempts of each sample stage by its name. What ends as soon as it is decided is one block: it depends on n."""
        return {"sample": range(self.sample.n)} if self.sample.decides else sample_blocks(self.sample.n)

    def fixed(self) -> dict[str, Any]:
        """Return the sections beside the factors and seeds, for showing what is held equal across a study."""
        parts = {name: getattr(self, name) for name in ("corpus", "benchmark", "model", "train", "sample")}
        return {name: part and part.canonical() for name, part in parts.items()}


def _folders(stages: Mapping[str, Address]) -> tuple[tuple[str, str], ...]:
    return tuple((name, address.folder) for name, address in stages.items())


def addresses(cell: Cell) -> dict[str, Address]:
    """Return the addresses of a cell's stages by name, in the order in which they run.

    A base cell has only `sample` and `grade`. A slug names only what its stage depends on, so that equal work has one folder:
    the selection of the cell ``algebra-n100-long-r1-s0`` is ``select/algebra-n100-long-r1-d0-…``.
    """
    stages: dict[str, Address] = {}
    weights, seed = "base-", cell.seed
    if cell.category and cell.length and cell.style and cell.corpus and cell.train:
        chosen = f"{cell.category.name}-n{cell.count.size}-{cell.length.level}-{cell.style.name}-d{seed.data}"
        weights = f"{chosen}t{seed.train}"
        stages |= _usable(cell.corpus, cell.model, cell.train, cell.category)
        factors = {"category": cell.category, "count": cell.count, "length": cell.length, "style": cell.style}
        stages["select"] = _address("select", chosen, list(stages.values())[-1], **factors, seed=seed.data)
        stages["train"] = _address(
            "train", weights, stages["select"], model=cell.model, train=cell.train, seed=seed.train
        )
    attempts: dict[str, Spec | dict[str, Any]] = {
        "model": cell.model,
        "benchmark": cell.benchmark.questions(),
        "sample": {name: value for name, value in cell.sample.identity().items() if name != "n"},
    }
    judged: dict[str, Spec | str | None] = {"tiers": cell.benchmark.tiers, "grader": GRADER}
    if cell.benchmark.answers:
        judged["answers"] = cell.benchmark.answers
    if cell.sample.decides:  # the verdicts, and the number of attempts, decide when the sampling ends
        attempts |= {"sample": cell.sample, "judged": judged}
    blocks = {
        name: _address(
            "sample",
            f"{weights}s{seed.sample}{'' if block.start == 0 else f'a{block.start}'}",
            stages.get("train"),
            **attempts,
            seed=seed.sample,
            attempts=[block.start, block.stop],
        )
        for name, block in cell.blocks.items()
    }
    stages |= blocks
    stages["grade"] = _address("grade", f"{weights}s{seed.sample}", blocks, **judged)
    return stages


def _usable(corpus: Corpus, model: Model, train: Train, category: Category) -> dict[str, Address]:
    """Return the addresses of the stages before a selection.

    `pool` is what a corpus holds, `sift` what of that may be used, `near` what a category picks by likeness, if it does.
    """
    limit = train.block_tokens if corpus.filters.too_long == "drop" else None
    pool = _address("pool", corpus.name, None, corpus=corpus.content(), tokenizer=model.source)
    sift = _address("sift", corpus.name, pool, filters=corpus.filters, block_tokens=limit)
    if category.near is None:
        return {"pool": pool, "sift": sift}
    return {
        "pool": pool,
        "sift": sift,
        "near": _address("near", category.name, sift, near=category.near, problem_types=category.problem_types),
    }


def sample_blocks(n: int) -> dict[str, range]:
    """Return the sealed blocks of n attempts by the names of their stages: [0, 8), [8, 64), [64, 512) and so on.

    The last block is cut at n. So raising n from 8 to 64 samples only the other 56:
    ``sample_blocks(64)`` is ``{"sample": range(0, 8), "sample+8": range(8, 64)}``.
    """
    blocks, start, end = {}, 0, 8
    while start < n:
        blocks["sample" if start == 0 else f"sample+{start}"] = range(start, min(end, n))
        start, end = end, 8 * end
    return blocks


def _address(
    stage: str,
    slug: str,
    after: Address | Mapping[str, Address] | None,
    **specs: Spec | Mapping[str, Any] | Sequence[Any] | int | str | None,
) -> Address:
    before = {after.stage: after} if isinstance(after, Address) else after or {}
    inputs = {name: address.digest for name, address in before.items()}
    return Address.of(
        stage,
        slug,
        {"format": STORE_FORMAT, "stage": stage, "version": VERSIONS[stage], "inputs": inputs, "spec": specs},
    )
