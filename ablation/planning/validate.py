"""Find everything that can be wrong with a sweep before its first cell starts, and raise it all at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ablation.config.cluster import Cluster
from ablation.data.benchmark import read_tiers, sampled_questions
from ablation.data.model_check import base_model_problems
from ablation.data.source import PinnedSpecs, decontaminated, with_pinned_sources
from ablation.errors import ConfigProblems, DataError
from ablation.evaluation.grading.references import unreadable_answers
from ablation.evaluation.sampling.engine import engine
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.benchmark import Benchmark
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import StageName
from ablation.store.store import Store
from ablation.study.retention import explain_dropped_weights

Say = Callable[[str], None]


def prepare_cells(cells: Sequence[Cell], store: Store, say: Say, cluster: Cluster) -> list[Cell]:
    """Return the cells with their sources pinned, ready to run.

    What is missing of their corpora is read and encoded here, once for all workers; `say` gets a line before each. Raises
    ConfigProblems with all problems of sources, benchmarks, engines, models, recipes and counts.
    """
    problems: list[str] = []
    ready = decontaminated(_pin_sources(cells, problems))
    for benchmark in dict.fromkeys(cell.benchmark for cell in ready):
        problems += _benchmark_problems(benchmark)
    _check_sampling(ready, problems)
    problems += _model_problems(ready, store, cluster)
    problems += [problem for cell in ready if (problem := explain_dropped_weights(cell, store))]
    # Reading a corpus may take long, and what is wrong already is told at once.
    if not problems:
        problems += _shortages(ready, store, say)
    if problems:
        raise ConfigProblems(problems)
    return ready


def _pin_sources(cells: Sequence[Cell], problems: list[str]) -> list[Cell]:
    """Return the cells whose sources can be pinned; add the problems of the others."""
    commits: PinnedSpecs = {}
    pinned = []
    for cell in cells:
        with _collecting(problems):
            pinned.append(with_pinned_sources(cell, commits))
    return pinned


def _benchmark_problems(benchmark: Benchmark) -> list[str]:
    problems: list[str] = []
    tiers: dict[str, str] = {}
    with _collecting(problems):
        tiers = dict(read_tiers(benchmark))
    # Where the questions cannot be read, one sentence is enough.
    return [*problems, *(unreadable_answers(benchmark) if tiers else ())]


def _check_sampling(cells: Sequence[Cell], problems: list[str]) -> None:
    """Add a problem for each benchmark whose questions cannot be chosen, and each engine that is not to be had here."""
    for benchmark, sample in dict.fromkeys((cell.benchmark, cell.sample) for cell in cells if cell.sample.decides):
        with _collecting(problems):
            sampled_questions(benchmark, sample)
    for sample in dict.fromkeys(cell.sample for cell in cells if cell.sample.engine == "vllm"):
        with _collecting(problems):
            engine(sample.engine).version(sample)


def _model_problems(cells: Sequence[Cell], store: Store, cluster: Cluster) -> list[str]:
    from ablation.training.recipe_checks import model_problems, process_problems

    problems: list[str] = []
    for model, recipe in dict.fromkeys((cell.model, cell.train) for cell in cells if cell.train):
        problems += process_problems(recipe, cluster.options_for(model.name), cluster.processes_for(model.name))
    # Where every cell of a model is complete, the model itself is not needed here.
    open_cells = [cell for cell in cells if not store.is_complete(cell.outcome)]
    for model in dict.fromkeys(cell.model for cell in open_cells):
        problems += base_model_problems(model)
    for model, recipe in dict.fromkeys((cell.model, cell.train) for cell in open_cells if cell.train):
        problems += model_problems(model, recipe, cluster.options_for(model.name).sequence_parallel)
    return problems


@contextmanager
def _collecting(problems: list[str]) -> Iterator[None]:
    """Add the problems that the block raises to `problems`, and go on behind the block."""
    try:
        yield
    except DataError as error:
        problems.append(str(error))
    except ConfigProblems as error:
        problems.extend(error.problems)


def _shortages(cells: Sequence[Cell], store: Store, say: Say) -> list[str]:
    """Return a sentence for each cell that its corpus cannot fill. Makes what is missing of the corpora."""
    from ablation.data.corpus.capacity import cells_by_source, check_fill
    from ablation.data.corpus.select import read_usable

    problems: list[str] = []
    for members in cells_by_source(cells):
        folders: dict[str, Path] = {}
        with _collecting(problems):
            folders = _make_pool(members[0], store, say)
        if folders:
            pool = read_usable(folders[StageName.SIFT], folders.get(StageName.NEAR))
            problems += check_fill(pool, members).problems
    return problems


def _make_pool(cell: Cell, store: Store, say: Say) -> dict[str, Path]:
    """Run the stages before `select`. Returns the folder of each by its name."""
    stages = addresses(cell)
    if store.find(stages[StageName.POOL]) is None:
        say(f"reading corpus {stages[StageName.POOL].slug} and encoding its trajectories (once)")
    return run_cell(cell, store, last=StageName.NEAR if StageName.NEAR in stages else StageName.SIFT)
