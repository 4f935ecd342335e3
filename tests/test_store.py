import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.cell import Address
from ablation.errors import RecordError
from ablation.store import SEAL, Store, check_writable, explain_os_error, read_seal, verify

ADDRESS = Address("train", "algebra", {"stage": "train", "spec": {"epochs": 5}})


def write(text: str) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "out.txt").write_text(text)

    return work


def test_work_is_done_once(store: Store) -> None:
    first = store.make(ADDRESS, write("one"))
    again = store.make(ADDRESS, write("two"))
    assert first == again
    assert (again / "deep" / "out.txt").read_text() == "one"
    assert verify(first) == []


def test_work_that_fails_leaves_nothing_that_counts(store: Store) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        store.make(ADDRESS, fail)
    assert store.find(ADDRESS) is None
    assert list((store.root / "train").iterdir()) == []
    assert (store.make(ADDRESS, write("whole")) / "deep" / "out.txt").read_text() == "whole"


def test_the_first_of_two_publishers_wins(store: Store) -> None:
    def overtaken(folder: Path) -> None:
        Store(store.root).make(ADDRESS, write("first"))
        write("second")(folder)

    assert (store.make(ADDRESS, overtaken) / "deep" / "out.txt").read_text() == "first"
    assert len(list((store.root / "train").iterdir())) == 1


def test_another_recorded_spec_raises_with_the_difference(store: Store) -> None:
    folder = store.make(ADDRESS, write("one"))
    seal = read_seal(folder)
    seal["address"]["spec"]["epochs"] = 3
    (folder / SEAL).write_text(json.dumps(seal))
    with pytest.raises(RecordError, match=r"spec\.epochs: recorded 3, asked 5"):
        store.find(ADDRESS)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"address": 3}', "\0" * 64])
def test_a_damaged_seal_is_refused_by_name(store: Store, damage: str) -> None:
    folder = store.make(ADDRESS, write("one"))
    (folder / SEAL).write_text(damage)
    with pytest.raises(RecordError, match=str(folder / SEAL)):
        store.find(ADDRESS)


@pytest.mark.parametrize("damage", [b"", b"on", b"onE", b"one "])
def test_a_changed_file_is_found_by_its_checksum(store: Store, damage: bytes) -> None:
    folder = store.make(ADDRESS, write("one"))
    (folder / "deep" / "out.txt").write_bytes(damage)
    assert verify(folder) == [f"{folder}/deep/out.txt is not what was written"]


def test_abandoned_work_is_swept_after_a_week(store: Store) -> None:
    old, young = store.root / "train/.partial-old", store.root / "train/.partial-young"
    old.mkdir(parents=True)
    young.mkdir()
    os.utime(old, (0, 0))
    assert store.sweep_abandoned() == 1
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_refused_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"cannot write to .*set outputs=DIR"):
        check_writable(tmp_path / "file" / "outputs")


def test_a_full_disk_keeps_what_was_finished(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount], check=False).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        small = Store(mount / "store")
        finished = small.make(ADDRESS, write("one"))
        other = Address("train", "geometry", {"stage": "train", "spec": {"epochs": 6}})
        with pytest.raises(OSError, match="No space left") as full:
            small.make(other, write("x" * 1_000_000))
        assert full.value.errno == errno.ENOSPC
        assert "disk full" in explain_os_error(full.value, mount)
        assert small.find(other) is None
        assert verify(finished) == []
        with pytest.raises(RecordError, match="disk full"):
            (mount / "filler").write_bytes(b"x" * os.statvfs(mount).f_bavail * os.statvfs(mount).f_bsize)
            check_writable(mount)
    finally:
        subprocess.run(["umount", mount], check=True)
