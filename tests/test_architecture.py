"""The order of the rooms: imports of the package run one way, and the words that name nothing grow fewer.

Walks through all rooms, as text: nothing is imported or run.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

# From the ground up. A room imports from lower floors alone; rooms of one floor do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("specs", "errors", "libraries", "log_handler", "terminal"),
    ("config", "store"),
    ("data",),
    ("training", "evaluation", "analysis", "mini"),
    ("study",),
    ("tracking",),
    ("jobs", "report"),
    ("planning",),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Names that say nothing of what they hold. The budget only falls: lower it when a change uses fewer.
PRONOUNS = ("told", "found", "said", "one", "given")
BUDGET = 167
MODULES = sorted((ROOT / "ablation").rglob("*.py"))


def _room(module: str) -> str | None:
    """Return the room of ``ablation.jobs.run``: ``jobs``; None for the package itself and for other packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == "ablation" and len(parts) > 1 else None


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything that a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: give imports by their full name"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(ROOT / "ablation").parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert rooms == set(FLOOR)


def test_imports_run_one_way() -> None:
    upward = [
        f"{path.relative_to(ROOT)}:{line} imports {target}"
        for path in MODULES
        if (room := path.relative_to(ROOT / "ablation").parts[0].removesuffix(".py")) in FLOOR
        for line, target in _imports(path)
        if (other := _room(target)) in FLOOR and other != room and FLOOR[other] >= FLOOR[room]
    ]
    assert not upward, "a room may import from the floors below its own alone"


def _cycles(edges: dict[str, set[str]]) -> list[str]:
    """Return what is left of a graph when everything without an arrow out of it is taken away, again and again."""
    left = {name: set(targets) for name, targets in edges.items()}
    while ends := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in ends:
            del left[name]
    return sorted(left)


def test_no_circle_of_modules() -> None:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES}
    edges: dict[str, set[str]] = {}
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        # `from a.b import c` imports the module a.b.c where there is one, and a.b otherwise.
        targets = {target if target in names else target.rpartition(".")[0] for _, target in _imports(path)}
        edges[name] = (targets & names) - {name}
    assert _cycles(edges) == []


def _assigned(path: Path) -> list[str]:
    """Return every name that a module assigns, loops or comprehends over, or names as what it catches or opens."""
    tree = ast.parse(path.read_text())
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def test_names_that_say_nothing_grow_fewer() -> None:
    counts = Counter(name for path in MODULES for name in _assigned(path) if name in PRONOUNS)
    assert counts.total() <= BUDGET, f"name what it holds: {dict(counts)}"
    assert counts.total() > BUDGET - 50, f"only {counts.total()} are left: lower BUDGET to that"


def test_every_module_says_its_job() -> None:
    silent = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, "a module opens with a sentence that says its job"


def _named_in_docs() -> Iterator[tuple[str, str, str | None]]:
    """Yield each file of the package that a text names, as ``text, path`` and the symbol after a colon, if there is one."""
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    for text in texts:
        for path in re.findall(r"\bablation/[\w/]+\.py\b", text.read_text()):
            yield text.name, path, None
    plan = (ROOT / "docs/architecture.md").read_text()
    for code in re.findall(r"`([^`\n]+)`", plan):
        match = re.fullmatch(r"([a-z_]+/[\w/]+\.py)(?:: ([\w.]+))?", code)
        if match and not match[1].startswith(("tests/", "ablation/")):
            yield "architecture.md", f"ablation/{match[1]}", match[2]


def test_what_the_docs_name_is_there() -> None:
    missing = [
        f"{text}: {path} {symbol or ''}"
        for text, path, symbol in _named_in_docs()
        if "NAME" not in path
        and (not (ROOT / path).is_file() or (symbol and symbol.split(".")[0] not in (ROOT / path).read_text()))
    ]
    assert not missing


def test_a_test_is_found_by_the_name_of_its_module() -> None:
    """``tests/store/test_lease.py`` tries ``ablation/store/lease.py``; any other file says which rooms it walks through."""
    lost = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        inner = path.relative_to(ROOT / "tests")
        module = ROOT / "ablation" / inner.parent / f"{inner.stem.removeprefix('test_')}.py"
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        if not module.is_file() and "Walks through" not in docstring:
            lost.append(str(inner))
    assert not lost, "name it after its module, or say in its docstring: Walks through ROOM, ROOM."
