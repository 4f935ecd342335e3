"""Everything that can be wrong with a sweep, found before its first cell starts and said all at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ablation.config.cluster import Cluster
from ablation.data.base_model import unusable
from ablation.data.benchmark import asked_questions, read_tiers
from ablation.data.source import Known, decontaminated, with_pinned_sources
from ablation.errors import ConfigProblems, DataError
from ablation.evaluation.grading.references import unreadable_answers
from ablation.jobs.run.pipeline import run_cell
from ablation.specs import Sample
from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store
from ablation.study.retention import without_weights

Say = Callable[[str], None]
T = TypeVar("T")


def prepare_cells(cells: Sequence[Cell], store: Store, say: Say, cluster: Cluster) -> list[Cell]:
    """The cells with their sources pinned, once pools, benchmarks and counts are known to fit. Raises ConfigProblems."""
    from ablation.training.recipe_checks import model_problems, process_problems

    problems: list[str] = []
    known: Known = {}
    ready = [
        pinned
        for cell in cells
        if (pinned := _collect(lambda cell=cell: with_pinned_sources(cell, known), problems))  # type: ignore[misc]
    ]
    ready = decontaminated(ready)
    for benchmark in dict.fromkeys(cell.benchmark for cell in ready):
        if _collect(lambda benchmark=benchmark: read_tiers(benchmark), problems):  # type: ignore[misc]
            problems += unreadable_answers(benchmark)
    for pair in dict.fromkeys((cell.benchmark, cell.sample) for cell in ready if cell.sample.decides):
        _collect(lambda pair=pair: asked_questions(*pair), problems)  # type: ignore[misc]
    for asked in dict.fromkeys(cell.sample for cell in ready if cell.sample.engine == "vllm"):
        _collect(lambda asked=asked: _engine_version(asked), problems)  # type: ignore[misc]
    recipes = ((cell.model, cell.train) for cell in ready if cell.train)
    for model, recipe in dict.fromkeys(recipes):
        problems += process_problems(recipe, cluster.means_for(model.name), cluster.processes_for(model.name))
    for model in dict.fromkeys(cell.model for cell in ready if not store.is_complete(cell.outcome)):
        problems += unusable(model)
    recipes = ((cell.model, cell.train) for cell in ready if cell.train and not store.is_complete(cell.outcome))
    for model, recipe in dict.fromkeys(recipes):
        problems += model_problems(model, recipe, cluster.means_for(model.name).sequence_parallel)
    problems += [found for cell in ready if (found := without_weights(cell, store))]
    if not problems:
        problems += _shortages(ready, store, say)
    if problems:
        raise ConfigProblems(problems)
    return ready


def _engine_version(asked: Sample) -> str:
    from ablation.evaluation.sampling.engine import engine

    return engine(asked.engine).version(asked)


def _collect(work: Callable[[], T], problems: list[str]) -> T | None:
    try:
        return work()
    except DataError as error:
        problems.append(str(error))
    except ConfigProblems as error:
        problems.extend(error.problems)
    return None


def _shortages(cells: Sequence[Cell], store: Store, say: Say) -> list[str]:
    """Cells that their corpus cannot fill. What is missing of the corpora is made here, once for all workers."""
    from ablation.data.corpus.capacity import by_source, fill
    from ablation.data.corpus.select import usable

    problems: list[str] = []
    for members in by_source(cells):
        paths = _collect(lambda cell=members[0]: _prepared(cell, store, say), problems)  # type: ignore[misc]
        if paths:
            problems += fill(usable(paths["sift"], paths.get("near")), members).problems
    return problems


def _prepared(cell: Cell, store: Store, say: Say) -> dict[str, Path]:
    found = addresses(cell)
    if store.find(found["pool"]) is None:
        say(f"reading corpus {found['pool'].slug} and encoding its trajectories (once)")
    return run_cell(cell, store, last="near" if "near" in found else "sift")
