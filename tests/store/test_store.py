"""A stage is made once and is whole where it exists; a foreign or damaged folder is refused by name."""

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.errors import RecordError
from ablation.specs.address import Address
from ablation.store.files import check_writable, explain_os_error
from ablation.store.interrupt import Interrupted, StopRequest
from ablation.store.stage_run import StageRun
from ablation.store.store import SEAL, Store, read_seal, verify

ADDRESS = Address.of("train", "algebra", {"stage": "train", "spec": {"epochs": 5}})


def write(text: str) -> Callable[[StageRun], None]:
    def work(run: StageRun) -> None:
        (run.out / "deep").mkdir()
        (run.out / "deep" / "out.txt").write_text(text)

    return work


def test_work_is_done_once(store: Store) -> None:
    first = store.make(ADDRESS, write("one"))
    again = store.make(ADDRESS, write("two"))
    assert first == again
    assert (again / "deep" / "out.txt").read_text() == "one"
    assert verify(first) == []


def test_work_that_fails_leaves_nothing_that_counts(store: Store) -> None:
    def fail(run: StageRun) -> None:
        (run.out / "half.txt").write_text("half")
        raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        store.make(ADDRESS, fail)
    assert store.find(ADDRESS) is None
    assert list((store.root / "train").iterdir()) == []
    assert (store.make(ADDRESS, write("whole")) / "deep" / "out.txt").read_text() == "whole"


def taken_over(store: Store, text: str) -> None:
    """Another attempt gets a higher token, as after a node that was taken for dead, and publishes."""
    bench = store.root / "train" / f".work-{store.path(ADDRESS).name}"
    [lease] = bench.glob("lease-*.json")
    dead = {**json.loads(lease.read_text()), "pid": 2**30}
    lease.write_text(json.dumps(dead))
    store.make(ADDRESS, write(text))


def test_an_attempt_that_was_taken_over_does_not_publish(store: Store) -> None:
    def overtaken(run: StageRun) -> None:
        write("second")(run)
        taken_over(store, "first")

    assert (store.make(ADDRESS, overtaken) / "deep" / "out.txt").read_text() == "first"
    assert len(list((store.root / "train").iterdir())) == 1


def test_an_attempt_that_writes_on_after_it_was_taken_over_ends_with_the_other_result(store: Store) -> None:
    def overtaken(run: StageRun) -> None:
        taken_over(store, "first")
        write("second")(run)

    assert (store.make(ADDRESS, overtaken) / "deep" / "out.txt").read_text() == "first"


def test_an_attempt_whose_half_was_cleared_by_one_that_gave_up_does_not_publish(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wrote, froze, was taken over and cleared away; the one that took over was stopped; then it woke and wrote the rest."""

    def give_up(_: StageRun) -> None:
        raise Interrupted("stopped")

    def overtaken(run: StageRun) -> None:
        (run.out / "first half.txt").write_text("first half")
        monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
        with pytest.raises(Interrupted, match="stopped"):
            store.make(ADDRESS, give_up)
        run.out.mkdir(parents=True, exist_ok=True)
        (run.out / "second half.txt").write_text("second half")

    for name, value in {"JOB_ID": "8", "ARRAY_JOB_ID": "7", "ARRAY_TASK_ID": "1", "RESTART_COUNT": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    with pytest.raises(Interrupted, match="taken this stage over"):
        store.make(ADDRESS, overtaken)
    assert store.find(ADDRESS) is None
    assert (store.make(ADDRESS, write("whole")) / "deep" / "out.txt").read_text() == "whole"


def test_what_an_interrupted_attempt_kept_reaches_the_next_one(store: Store) -> None:
    halt = StopRequest()

    def interrupted(run: StageRun) -> None:
        (run.kept / "checkpoint").write_text("half way")
        halt.request("USR2")
        run.halt.check()

    def resumed(run: StageRun) -> None:
        assert [(kept / "checkpoint").read_text() for kept in run.earlier] == ["half way"]
        write("whole")(run)

    with pytest.raises(Interrupted, match="USR2"):
        store.make(ADDRESS, interrupted, halt)
    assert store.find(ADDRESS) is None
    assert verify(store.make(ADDRESS, resumed)) == []
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
        other = Address.of("train", "geometry", {"stage": "train", "spec": {"epochs": 6}})
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
