"""A corpus that the same tokenizer has encoded already, under the name of another model: the sizes of a family share one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.errors import RecordError
from ablation.specs import Corpus
from ablation.specs.base import digest
from ablation.specs.versions import VERSIONS
from ablation.store.files import entries, link_or_copy
from ablation.store.records import write_json
from ablation.store.store import verify

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ENCODING_FILE = "encoding.json"
_FILES = ("index.parquet", "trajectories.arrow", "funnel.json")  # of a pool; the rest is its own


def encoding_digest(corpus: Corpus, tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """A digest of all that decides the ids of a corpus, or None for a tokenizer that cannot be written down."""
    if not tokenizer.is_fast:
        return None
    backend = tokenizer.backend_tokenizer.to_str()
    words = {name: str(word) for name, word in tokenizer.special_tokens_map.items()}
    told = {"class": type(tokenizer).__name__, "words": words, "template": tokenizer.chat_template, "backend": backend}
    return digest({"version": VERSIONS["pool"], "corpus": corpus.content(), "tokenizer": told})


def link_equal_pool(found: str, pools: Path, folder: Path) -> bool:
    """Link what a whole pool of this encoding holds into `folder`; False when there is none."""
    for other in sorted(entries(pools, "[!.]*")):
        try:
            if json.loads((other / ENCODING_FILE).read_text(encoding="utf-8")) == found and not verify(other):
                for name in _FILES:
                    link_or_copy(other / name, folder / name)
                return True
        except (OSError, ValueError, RecordError):  # of an earlier version, damaged, or removed meanwhile
            for left in folder.iterdir():
                left.unlink()
    return False


def write_encoding(found: str | None, folder: Path) -> None:
    """Say in a pool's folder which encoding it holds, so that others may use it."""
    write_json(folder / ENCODING_FILE, found)
