"""Texts as unit vectors whose products say how alike they are: TF-IDF of normalised words, or a model's mean last state."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablation.data.corpus.normalise import words
from ablation.data.source import local_path
from ablation.errors import DataError, first_line
from ablation.specs import Embedding

if TYPE_CHECKING:
    import numpy as np

_BATCH_TEXTS = 64
_MAX_TOKENS = 512


def cosine_similarity(problems: Sequence[str], questions: Sequence[str], embedding: Embedding) -> "np.ndarray":
    """Cosine similarity, ``[problems, questions]``."""
    return _tfidf(problems, questions) if embedding.kind == "tfidf" else _by_model(problems, questions, embedding)


def _tfidf(problems: Sequence[str], questions: Sequence[str]) -> "np.ndarray":
    """The weights of words are those of the corpus; a word of a question that no problem has counts nothing."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    weigh = TfidfVectorizer(analyzer=words, sublinear_tf=True, dtype=np.float64)
    weighed = weigh.fit_transform(problems)
    found: np.ndarray = (weighed @ weigh.transform(questions).T).toarray()
    return found


def _by_model(problems: Sequence[str], questions: Sequence[str], embedding: Embedding) -> "np.ndarray":
    tokenizer, model = _loaded(embedding)
    found: np.ndarray = _vectors(problems, tokenizer, model) @ _vectors(questions, tokenizer, model).T
    return found


def _loaded(embedding: Embedding) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    source = embedding.source
    if source is None:
        raise DataError("an embedding model needs a source: a path or a hub id")
    path = local_path(source)
    place, revision = (str(path), None) if path else (str(source.hub), source.revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
        model = AutoModel.from_pretrained(place, revision=revision, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise DataError(
            f"embedding model {source.path or source.hub} cannot be loaded ({first_line(error)}); give a path or kind=tfidf"
        ) from error
    tokenizer.padding_side = (
        "right"  # with it on the left, positions would depend on what stands beside a text in its batch
    )
    if tokenizer.pad_token is None:  # what fills the end of a row is masked, so any word will do
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def _vectors(texts: Sequence[str], tokenizer: Any, model: Any) -> "np.ndarray":
    import numpy as np
    import torch

    parts = []
    for start in range(0, len(texts), _BATCH_TEXTS):
        given = list(texts[start : start + _BATCH_TEXTS])
        asked = tokenizer(given, return_tensors="pt", padding=True, truncation=True, max_length=_MAX_TOKENS)
        asked = asked.to(model.device)
        with torch.inference_mode():
            states = model(input_ids=asked["input_ids"], attention_mask=asked["attention_mask"]).last_hidden_state
        mask = asked["attention_mask"].unsqueeze(-1)
        mean = (states * mask).sum(1) / mask.sum(1)
        parts.append(torch.nn.functional.normalize(mean, dim=-1).cpu().numpy())
    return np.concatenate(parts)
