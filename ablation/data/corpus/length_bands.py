"""Factor L: the part of a stratum by the lengths of its trajectories; the column `length` is what is compared, in tokens."""

from collections import Counter
from collections.abc import Iterable
from math import ceil, floor, log

import pandas as pd

from ablation.data.corpus.seeded_order import rank, shuffled
from ablation.specs import Length


def band_of(stratum: pd.DataFrame, length: Length, strata: int, index: int, by: str = "id") -> pd.DataFrame:
    """The stratum's part of a band; a band that is a number is shared out over the strata, the first ones taking the rest."""
    if length.name in ("normal", "matched"):
        return stratum
    by_length = stratum.sort_values(["length", by], kind="stable")
    if length.low is not None and length.high is not None:
        return by_length.iloc[round(length.low * len(stratum)) : round(length.high * len(stratum))]
    if isinstance(length.band, float):
        size = ceil(length.band * len(stratum))
    else:
        size = length.band // strata + (index < length.band % strata)
    return by_length.head(size) if length.name == "short" else by_length.tail(size)


def length_classes(lengths: Iterable[float], tolerance: float) -> list[int]:
    """The class of each length; two lengths of a class differ by less than the tolerance."""
    return [floor(log(max(1.0, length)) / log(1 + tolerance)) for length in lengths]


def common_capacity(groups: Iterable[pd.DataFrame], tolerance: float) -> Counter[int]:
    """How many trajectories of each class every group can give."""
    counts = [Counter(length_classes(group["length"], tolerance)) for group in groups]
    least = counts[0]
    for other in counts[1:]:
        least &= other
    return least


def draw_matched(stratum: pd.DataFrame, capacity: Counter[int], tolerance: float, seed: int, by: str) -> pd.DataFrame:
    """The stratum's rows in an order in which the i-th row has a length of the same class in every group with this capacity.

    So cells of any equal N have the same lengths, and smaller ones are inside larger ones.
    """
    ordered = shuffled(stratum, seed, by)
    waiting: dict[int, list[int]] = {}
    for index, one in zip(ordered.index, length_classes(ordered["length"], tolerance), strict=True):
        waiting.setdefault(one, []).append(index)
    slots = [(rank(seed, f"length {one} {number}"), one, number) for one in capacity for number in range(capacity[one])]
    return ordered.loc[[waiting[one][number] for _, one, number in sorted(slots)]]
