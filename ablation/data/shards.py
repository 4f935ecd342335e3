"""Files of a table that are numbered as its shards."""

import re
from collections.abc import Sequence

from ablation.errors import DataError

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.")


def refuse_missing_shards(names: Sequence[str], source: str) -> None:
    """Raise DataError where files are numbered ``-00000-of-00003`` and not all of them are there.

    A download that stopped half-way would be a smaller table under the same name.
    """
    shards: dict[str, tuple[int, set[int]]] = {}
    for name in names:
        if match := _SHARD.search(name):
            shards.setdefault(name[: match.start()], (int(match[2]), set()))[1].add(int(match[1]))
    for stem, (count, numbers) in shards.items():
        if missing := sorted(set(range(count)) - numbers):
            raise DataError(
                f"{source}: {len(missing)} of the {count} files {stem}-*-of-{count:05d} are not there, first number "
                f"{missing[0]}; download the rest"
            )
