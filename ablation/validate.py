"""Everything that can be wrong with a sweep, found before its first cell starts and said all at once."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ablation.benchmark import read_tiers
from ablation.benchmark.questions import unreadable_answers
from ablation.cell import Cell, addresses
from ablation.cluster import Cluster
from ablation.errors import ConfigProblems, DataError
from ablation.pipeline import run_cell
from ablation.retention import without_weights
from ablation.science import Sample, Source
from ablation.source import pinned_cell
from ablation.spec import Spec
from ablation.store import Store

Say = Callable[[str], None]
T = TypeVar("T")


def prepare(cells: Sequence[Cell], store: Store, say: Say, cluster: Cluster) -> list[Cell]:
    """The cells with their sources pinned, once pools, benchmarks and counts are known to fit. Raises ConfigProblems."""
    problems: list[str] = []
    known: dict[Source, Source] = {}
    ready = [pinned for cell in cells if (pinned := _collect(lambda cell=cell: pinned_cell(cell, known), problems))]  # type: ignore[misc]
    for benchmark in dict.fromkeys(cell.benchmark for cell in ready):
        if _collect(lambda benchmark=benchmark: read_tiers(benchmark), problems):  # type: ignore[misc]
            problems += unreadable_answers(benchmark)
    for asked in dict.fromkeys(cell.sample for cell in ready if cell.sample.engine == "vllm"):
        _collect(lambda asked=asked: _engine_version(asked), problems)  # type: ignore[misc]
    problems += [found for cell in ready if (found := _indivisible(cell, cluster))]
    problems += [found for cell in ready if (found := without_weights(cell, store))]
    if not problems:
        problems += _shortages(ready, store, say)
    if problems:
        raise ConfigProblems(problems)
    return ready


def _indivisible(cell: Cell, cluster: Cluster) -> str | None:
    processes = cluster.processes_for(cell.model.name)
    return cell.train.indivisible(cluster.micro_batch, processes) if cell.train else None


def _engine_version(asked: Sample) -> str:
    from ablation.sampling.engine import engine

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
    from ablation.corpus.select import read_pool_index, shortage

    problems: list[str] = []
    for pool, members in _by_pool(cells, store, say, problems).items():
        index = read_pool_index(pool)
        problems += [found for cell in _alike_once(members) if (found := shortage(index, cell))]
    return problems


def _alike_once(cells: Sequence[Cell]) -> Iterable[Cell]:
    """One cell for each choice of factors: seeds and recipes choose no fewer trajectories."""
    first: dict[tuple[Spec | None, ...], Cell] = {}
    for cell in cells:
        first.setdefault((cell.category, cell.count, cell.length, cell.style), cell)
    return first.values()


def _by_pool(cells: Sequence[Cell], store: Store, say: Say, problems: list[str]) -> dict[Path, list[Cell]]:
    """Cells that train, by the folder of their pool; a missing pool is made here, once for all workers."""
    groups: dict[tuple[Spec | None, ...], list[Cell]] = {}
    for cell in cells:
        if not cell.is_base:
            groups.setdefault((cell.corpus, cell.model.source), []).append(cell)
    found: dict[Path, list[Cell]] = {}
    for members in groups.values():
        path = _collect(lambda cell=members[0]: _pool(cell, store, say), problems)  # type: ignore[misc]
        if path:
            found.setdefault(path, []).extend(members)
    return found


def _pool(cell: Cell, store: Store, say: Say) -> Path:
    address = addresses(cell)["pool"]
    if store.find(address) is None:
        say(f"reading corpus {address.slug} and measuring its trajectories (once)")
    return run_cell(cell, store, last="pool")["pool"]
