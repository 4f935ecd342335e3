"""One process at a time works on a stage, and whoever was taken for dead finds out."""

import errno
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ablation.store import lease as lease_module
from ablation.store.interrupt import Interrupted, StopRequest
from ablation.store.lease import LeaseHolder, LeaseWatcher


def watcher(bench: Path, name: str, **changes: object) -> LeaseWatcher:
    return LeaseWatcher(bench, replace(LeaseHolder.of_this_process(name), **changes))  # type: ignore[arg-type]


def test_a_live_holder_keeps_everybody_else_out(tmp_path: Path) -> None:
    first = watcher(tmp_path / "bench", "one").take()
    assert first and first.is_held()
    assert watcher(tmp_path / "bench", "two").take() is None
    first.release()
    assert not (tmp_path / "bench").exists()
    second = watcher(tmp_path / "bench", "two").take()
    assert second and second.is_held()


def test_a_lease_that_a_failed_attempt_of_this_process_left_is_replaced(tmp_path: Path) -> None:
    left = watcher(tmp_path, "one").take()
    assert left
    assert watcher(tmp_path, "two").take() is None
    left.end()  # the attempt is over, and its file could not be removed
    second = watcher(tmp_path, "two").take()
    assert second and second.token == 2


def test_a_lease_whose_taking_fails_half_way_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails between the file that says who holds it and the removal of older ones."""

    def fails(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(lease_module, "_remove_below", fails)
        with pytest.raises(OSError, match="No space"):
            watcher(tmp_path, "one").take()
    second = watcher(tmp_path, "two").take()
    assert second and second.token == 2


def hold(bench: Path, ready: "multiprocessing.Queue[int]") -> None:
    assert LeaseWatcher(bench).take()
    ready.put(os.getpid())
    signal.pause()


def test_a_killed_holder_is_replaced_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=hold, args=(tmp_path, ready))
    process.start()
    ready.get(timeout=60)
    assert LeaseWatcher(tmp_path).take() is None
    process.kill()
    process.join()
    second = LeaseWatcher(tmp_path).take()
    assert second and second.token == 2


def test_a_process_with_a_dead_ones_number_is_not_taken_for_it(tmp_path: Path) -> None:
    assert watcher(tmp_path, "one", started="1").take()
    assert watcher(tmp_path, "two").take()


def test_a_job_that_slurm_started_again_takes_over_from_its_zombie(tmp_path: Path) -> None:
    zombie = watcher(tmp_path, "one", job="7_1", restart=0).take()
    assert zombie
    assert watcher(tmp_path, "other job", job="8_1", restart=0).take() is None
    assert watcher(tmp_path, "two", job="7_1", restart=1).take()
    assert not zombie.is_held()


def test_a_zombie_hears_of_it_at_its_next_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.01)
    zombie, halt = watcher(tmp_path, "one", job="7", restart=0).take(), StopRequest()
    assert zombie
    with pytest.raises(Interrupted, match="taken this stage over"), zombie.beating(halt):
        assert watcher(tmp_path, "two", job="7", restart=1).take()
        while True:
            halt.check()


def test_a_zombie_stays_fenced_off_when_the_one_that_took_over_has_given_up(tmp_path: Path) -> None:
    zombie = watcher(tmp_path, "one", job="7", restart=0).take()
    second = watcher(tmp_path, "two", job="7", restart=1).take()
    assert zombie and second
    second.release()
    assert not zombie.is_held()


def test_a_zombie_is_fenced_off_by_any_higher_number(tmp_path: Path) -> None:
    zombie = watcher(tmp_path, "one", job="7", restart=0).take()
    (tmp_path / "attempt-000004-dead").mkdir()
    later = watcher(tmp_path, "two", job="7", restart=1).take()
    assert zombie and later and later.token == 5
    assert later.is_held() and not zombie.is_held()


def test_on_another_machine_silence_is_the_only_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = watcher(tmp_path, "far", machine="elsewhere").take()
    assert far
    here = watcher(tmp_path, "here")
    assert here.take() is None
    monkeypatch.setattr(lease_module, "SILENCE_S", -1.0)
    (tmp_path / "beat-000001").write_text("1")
    assert here.take()


def test_a_job_of_another_cluster_is_not_dead_because_this_one_does_not_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    far = replace(LeaseHolder.of_this_process("far"), machine="elsewhere", job="7_1", cluster="a")
    assert far.is_gone(replace(LeaseHolder.of_this_process("near"), cluster="a")) is True
    assert far.is_gone(replace(LeaseHolder.of_this_process("near"), cluster="b")) is None
    assert far.is_gone(replace(LeaseHolder.of_this_process("near"), job="7_1", restart=3, cluster="b")) is None
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 0\n")
    assert far.is_gone(replace(LeaseHolder.of_this_process("near"), cluster="a")) is None, "what Slurm hides may run"


def test_of_many_that_try_at_once_one_gets_it(tmp_path: Path) -> None:
    leases = [one.take() for one in [watcher(tmp_path, f"{number}") for number in range(8)]]
    assert sum(lease is not None for lease in leases) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"attempt": "x"}', "\0" * 40])
def test_a_damaged_lease_is_waited_for_and_then_replaced(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lease-000004.json").write_text(text)
    here = watcher(tmp_path, "here")
    assert here.take() is None
    monkeypatch.setattr(lease_module, "SILENCE_S", -1.0)
    lease = here.take()
    assert lease and lease.token == 5


def test_signals_ask_to_stop_however_often_they_come() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
    halt = StopRequest()
    try:
        with halt.listening_to_signals():
            halt.check()
            for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGUSR2):
                os.kill(os.getpid(), number)
            with pytest.raises(Interrupted, match="SIGUSR2"):
                halt.check()
            assert not heard
        assert heard == [signal.SIGUSR2]  # whoever listened before hears of it at the end
    finally:
        signal.signal(signal.SIGUSR2, before)
