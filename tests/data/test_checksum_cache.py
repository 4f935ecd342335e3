"""A large file is read once for all commands, and never taken for another content."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablation.data import checksum_cache
from ablation.data.checksum_cache import LARGE_BYTES, file_sha256, notes_folder


@pytest.fixture(autouse=True)
def _own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # A file of a moment ago counts as settled: nobody writes to it within the tick in which the test did.
    monkeypatch.setattr(checksum_cache, "_SETTLED_NS", 0)


def _large(path: Path, content: bytes = b"a") -> str:
    whole = content * LARGE_BYTES
    path.write_bytes(whole)
    while time.time_ns() <= path.stat().st_ctime_ns:  # the kernel's tick may lie ahead
        pass
    return hashlib.sha256(whole).hexdigest()


def _read_by_another_command(path: Path) -> tuple[str, int]:
    """What a new process says, and how many bytes it read of the disk or its cache (its own modules among them)."""
    program = (
        "import sys, pathlib, ablation.data.checksum_cache as c\n"
        "read = lambda: int(open('/proc/self/io').readline().split()[1])\n"
        "before = read(); found = c.file_sha256(pathlib.Path(sys.argv[1])); print(found, read() - before)"
    )
    found = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True)
    told, count = found.stdout.split()
    return told, int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="counts bytes by /proc")
def test_the_second_command_reads_nothing_of_a_large_file(tmp_path: Path) -> None:
    expected = _large(tmp_path / "corpus")
    assert file_sha256(tmp_path / "corpus") == expected
    told, count = _read_by_another_command(tmp_path / "corpus")
    assert told == expected and count < LARGE_BYTES / 100


def test_another_content_is_noticed_also_with_the_old_time_and_size(tmp_path: Path) -> None:
    path = tmp_path / "corpus"
    _large(path)
    before = path.stat()
    file_sha256(path)
    with path.open("r+b") as stream:
        stream.write(b"b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_size == before.st_size
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    other = _large(tmp_path / "other", b"c")
    (tmp_path / "other").replace(path)
    assert file_sha256(path) == other


def test_what_changed_just_now_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert _large(tmp_path / "corpus") == file_sha256(tmp_path / "corpus")
    assert not notes_folder().exists()


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"sha256": "0"}', '{"path": 1, "signature": [], "sha256": "0"}']
)
def test_a_damaged_note_is_no_note(damage: str, tmp_path: Path) -> None:
    expected = _large(tmp_path / "corpus")
    file_sha256(tmp_path / "corpus")
    [note] = notes_folder().iterdir()
    note.write_text(damage)
    assert _read_by_another_command(tmp_path / "corpus")[0] == expected


def test_where_nothing_can_be_written_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder would be")
    assert _large(tmp_path / "corpus") == file_sha256(tmp_path / "corpus")


def test_without_a_home_or_a_name_in_utf8_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/corpus-\xff"))
    expected = _large(odd)
    assert file_sha256(odd) == expected
    assert _read_by_another_command(odd)[0] == expected
    monkeypatch.setattr(checksum_cache, "notes_folder", _no_home)
    checksum_cache._of_signature.cache_clear()
    assert file_sha256(odd) == expected


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_small_files_leave_no_note(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"a")
    assert file_sha256(tmp_path / "small") == hashlib.sha256(b"a").hexdigest()
    assert not notes_folder().exists()
