"""One random stream for each attempt.

An engine's own seeds will not do: where sample i of a request gets ``seed + i``, neighbouring seeds share most of their
samples. Here the stream is keyed by a hash of (sample seed, question, attempt), so no two attempts on a question share one, in
a cell or between its replicates, while two cells with the same sample seed see the same randomness (common random numbers).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def stream_seed(sample_seed: int, question: str, attempt: int) -> int:
    """A 128-bit key for one attempt."""
    text = f"{sample_seed}\x1f{question}\x1f{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])


def uniforms(sample_seed: int, question: str, attempt: int, count: int) -> NDArray[np.float64]:
    """The attempt's uniform numbers in [0, 1): one for each generated token, shape [count]."""
    return np.random.Generator(np.random.Philox(key=stream_seed(sample_seed, question, attempt))).random(count)
