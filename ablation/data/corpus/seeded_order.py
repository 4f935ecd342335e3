"""Seeded orders in which smaller draws are inside larger ones, on every platform and hash seed."""

import hashlib
from collections.abc import Sequence
from itertools import zip_longest

import pandas as pd


def rank(seed: int, name: str) -> str:
    """The place of a name in the order of a seed; it does not depend on what else is drawn from."""
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def shuffled(frame: pd.DataFrame, seed: int, by: str = "id") -> pd.DataFrame:
    """The rows in the order of the seed, by the hash of one column."""
    return frame.assign(_rank=[rank(seed, name) for name in frame[by]]).sort_values("_rank").drop(columns="_rank")


def interleaved(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row of each part in turn, so that every beginning is even over the parts."""
    if len(parts) == 1:
        return parts[0]
    rounds = zip_longest(*(part.index for part in parts))
    order = [index for drawn in rounds for index in drawn if index is not None]
    return pd.concat(parts).loc[order]
