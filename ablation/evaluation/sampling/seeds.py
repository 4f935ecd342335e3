"""One random stream for each attempt.

An engine's own seeds will not do: where sample i of a request gets ``seed + i``, neighbouring seeds share most of their
samples. Here a stream is keyed by a hash of (sample seed, question, attempt). So no two attempts at a question share a stream,
neither in a cell nor between its replicates. Two cells with the same sample seed see the same randomness (common random numbers).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def stream_seed(sample_seed: int, question: str, attempt: int) -> int:
    """Return the 128-bit key of one attempt's stream.

    The next attempt has a key that is no neighbour:

    >>> stream_seed(0, "algebra-1", attempt=0)
    119809680687808693289079989640812828176
    >>> stream_seed(0, "algebra-1", attempt=1)
    320794404255887039987657830122280808150
    """
    # Without a separator (1, "12") and (11, "2") would be one text.
    text = f"{sample_seed}\x1f{question}\x1f{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])


def uniforms(sample_seed: int, question: str, attempt: int, count: int) -> NDArray[np.float64]:
    """Return the attempt's uniform numbers in [0, 1), one for each generated token: shape [count].

    More tokens continue the same stream:

    >>> uniforms(0, "algebra-1", attempt=0, count=2).round(3).tolist()
    [0.256, 0.323]
    >>> uniforms(0, "algebra-1", attempt=0, count=3).round(3).tolist()
    [0.256, 0.323, 0.87]
    """
    return np.random.Generator(np.random.Philox(key=stream_seed(sample_seed, question, attempt))).random(count)
