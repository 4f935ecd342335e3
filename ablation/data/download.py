"""Models and data from the hub onto the shared cache, from a machine that has a network, so that jobs can run without one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.data.source import absolute_path, local_path
from ablation.errors import AblationError, first_line
from ablation.specs import Source
from ablation.specs.cell import Cell
from ablation.store.files import is_about_the_disk

# What a model or a data set is read from; other weight formats would double the download, and pickles are not read at all.
_MODEL_FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.py")


class HubUnreachable(AblationError):  # noqa: N818 named after what was seen
    """The hub does not answer, or does not have what is asked for; the text says what to do."""


@dataclass(frozen=True)
class RequiredSource:
    """One source of a sweep, and what it is for: ``model``, ``corpus`` or ``benchmark``; `gguf` is what a folder is made of."""

    kind: str
    source: Source
    gguf: str | None = None

    @property
    def name(self) -> str:
        """As it stands in the configuration."""
        return str(self.source.path or f"{self.source.hub} at {self.source.revision}")

    @property
    def is_yet_to_be_made(self) -> bool:
        """Whether it is a folder that is to be made of a GGUF file."""
        return self.gguf is not None and not absolute_path(str(self.source.path)).exists()


def required_sources(cells: Sequence[Cell]) -> list[RequiredSource]:
    """Every source that these cells read, once."""
    every = [
        *(RequiredSource("model", cell.model.source, cell.model.gguf) for cell in cells),
        *(RequiredSource("corpus", cell.corpus.source) for cell in cells if cell.corpus),
        *(RequiredSource("benchmark", cell.benchmark.source) for cell in cells),
        *(RequiredSource("model", source) for cell in cells if (source := _embedding(cell))),
    ]
    return list(dict.fromkeys(every))


def _embedding(cell: Cell) -> Source | None:
    near = cell.category.near if cell.category else None
    return near.embedding.source if near else None


def cached_path(one: RequiredSource) -> Path | None:
    """Where the source is on this machine; None for what `fetch` would get. Raises DataError on a path that is not there."""
    from huggingface_hub.errors import HFValidationError

    if one.is_yet_to_be_made:
        return None
    found = local_path(one.source)
    try:
        return found or _snapshot(one, local_files_only=True)
    except (OSError, HFValidationError):
        return None


def fetch(one: RequiredSource) -> Path:
    """Download what is missing, with progress bars, and make the folder of a GGUF file; where it is now.

    Raises DataError, HubUnreachable.
    """
    from huggingface_hub.errors import HFValidationError

    from ablation.data.gguf import unpack_gguf

    if one.gguf is not None and one.is_yet_to_be_made:
        unpack_gguf(one.gguf, absolute_path(str(one.source.path)))
    found = local_path(one.source)
    try:
        return found or _snapshot(one, local_files_only=False)
    except (OSError, HFValidationError) as error:
        if isinstance(error, OSError) and is_about_the_disk(error):
            raise
        reason = first_line(error)
        raise HubUnreachable(
            f"{one.kind} {one.name}: the hub cannot be reached, or does not have it ({reason}); check id, revision and network "
            "(HF_HUB_OFFLINE must not be set), run this on a machine with both, or copy the files and give source.path"
        ) from error


def _snapshot(one: RequiredSource, local_files_only: bool) -> Path:
    """Every library error about the hub is an OSError, but for a malformed id."""
    from huggingface_hub import snapshot_download

    is_model = one.kind == "model"
    folder = snapshot_download(
        str(one.source.hub),
        repo_type="model" if is_model else "dataset",
        revision=one.source.revision,
        allow_patterns=list(_MODEL_FILES) if is_model else None,
        local_files_only=local_files_only,
    )
    return Path(folder)
