"""The files of the configuration as YAML, before Hydra reads them.

Hydra says of a broken one where a parser stopped, and unfolds references to each other until the memory is full.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml
from hydra.core.config_loader import ConfigLoader

from ablation.errors import ConfigProblems
from ablation.libraries import check_config_files

# Values of one file with its references (``*name``) written out. The largest of ours has some dozens.
MOST_VALUES = 100_000
_STANDARD = "tag:yaml.org,2002:"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def refuse_unreadable(loader: ConfigLoader) -> None:
    """Have the loader raise ConfigProblems on a file that is no plain YAML, has a key twice, or unfolds without end.

    Only files that are read count: a broken level that is not chosen stops nothing.
    """
    check_config_files(loader, _refuse_problems)


def _refuse_problems(folder: Path, name: str) -> None:
    if problems := list(_problems(folder / name)):
        raise ConfigProblems([f"{folder.name}/{name}: {problem}" for problem in problems])


def _problems(path: Path) -> Iterator[str]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), _LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        yield f"cannot be read as YAML: {' '.join(str(error).split())}"
        return
    sizes: dict[int, int] = {}
    try:
        values = _size(root, sizes, set())
    except RecursionError:
        yield "a value contains itself, or is nested too deeply; write it out"
        return
    if values > MOST_VALUES:
        yield f"its references (*name) unfold to {values:,} values, and {MOST_VALUES:,} are allowed; write them out"
    yield from _faults(root, set())


def _size(node: yaml.Node | None, sizes: dict[int, int], above: set[int]) -> int:
    """Count the values of a node, its references written out. Raises RecursionError on a node that contains itself."""
    if id(node) in above:
        raise RecursionError
    if id(node) not in sizes:
        above.add(id(node))
        sizes[id(node)] = 1 + sum(_size(child, sizes, above) for child in _children(node))
        above.discard(id(node))
    return sizes[id(node)]


def _faults(node: yaml.Node | None, seen: set[int]) -> Iterator[str]:
    """Yield a sentence for each tag that makes objects and each key that is given twice, below a node and in it."""
    # References let a node stand in several places; it is reported once.
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if not node.tag.startswith(_STANDARD) or "python" in node.tag:
        yield f"line {node.start_mark.line + 1}: {node.tag} makes objects; only plain values are read"
    if isinstance(node, yaml.MappingNode):
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        yield from (
            f"line {node.start_mark.line + 1}: {key} is given {count} times"
            for key, count in counts.items()
            if count > 1
        )
    for child in _children(node):
        yield from _faults(child, seen)


def _children(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
