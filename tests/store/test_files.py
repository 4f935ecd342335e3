"""Folders that are looked at while another process makes and removes what is in them."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablation.store.files import age_s, bytes_below, entries, files_below, matching_paths
from ablation.store.lease import LeaseWatcher
from ablation.store.leftovers import half_made_folders, workbenches
from ablation.store.store import Store

# Makes and removes what attempts make and remove, as fast as it can, until it is ended.
CHURN = """
import itertools, shutil, sys
from pathlib import Path
for number in itertools.count():
    bench = Path(sys.argv[1], "train", f".work-cell-{number % 3}")
    kept = bench / "attempt-000001-a" / "kept" / "checkpoint-1"
    kept.mkdir(parents=True)
    for path in (bench / "lease-000001.json", bench / "beat-000001", kept / "model.safetensors"):
        path.write_text("{}")
    shutil.rmtree(bench)
    half = Path(sys.argv[1], "train", f".partial-{number}")
    half.mkdir()
    (half / "stage.json").write_text("{}")
    shutil.rmtree(half)
    print(flush=True)
"""
LOOKS = 400


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Store]:
    """A store in which another process is busy."""
    (tmp_path / "train").mkdir()
    with subprocess.Popen([sys.executable, "-c", CHURN, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"\n"
        try:
            yield Store(tmp_path)
        finally:
            process.kill()


def test_whoever_looks_at_a_living_store_is_not_disturbed(living: Store) -> None:
    seen: Counter[str] = Counter()
    while seen["looks"] < LOOKS or not all(seen[what] for what in ("benches", "kept", "bytes", "debris")):
        seen["looks"] += 1
        for bench in workbenches(living):
            seen["benches"] += 1
            seen["kept"] += bench.has_kept
            seen["dead"] += bench.is_dead
            seen["bytes"] += bytes_below(bench.path)
        seen["debris"] += len(half_made_folders(living))
        assert living.sweep_abandoned() == 0
        LeaseWatcher(living.root / "train/.work-cell-0").holder()


def test_it_finds_what_a_quiet_folder_holds(tmp_path: Path) -> None:
    for name in ("a/1/x.json", "a/.2/x.json", "b/1/y.json", ".c/1/x.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    assert matching_paths(tmp_path, "*/*/x.json") == sorted(tmp_path.glob("*/*/x.json"))
    assert len(matching_paths(tmp_path, "*/*/x.json")) == 3
    assert sorted(files_below(tmp_path)) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert bytes_below(tmp_path) == 10 + 11 + 10 + 11
    assert entries(tmp_path / "a/1/x.json", "*") == entries(tmp_path / "none", "*") == []
    assert bytes_below(tmp_path / "none") == 0
    assert age_s(tmp_path / "none", 0) is None
    os.utime(tmp_path / "a", (100, 100))
    assert age_s(tmp_path / "a", 130) == 30


def test_any_other_error_is_told(tmp_path: Path) -> None:
    """A folder that cannot be read is not an empty one: a lease that is overlooked would be taken twice."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    looks: list[Callable[[], object]] = [
        lambda: entries(loop, "*"),
        lambda: matching_paths(loop, "*/x"),
        lambda: list(files_below(loop)),
        lambda: age_s(loop, 0),
    ]
    for look in looks:
        with pytest.raises(OSError, match="symbolic links"):
            look()
