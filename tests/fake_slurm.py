"""A Slurm that is only commands on the path: it answers what a healthy one would not."""

import os
import stat
from pathlib import Path

import pytest

CONFIG = "MaxArraySize            = 1001\nMaxJobCount             = 10000\nAccountingStorageType   = (null)\n"


class FakeSlurm:
    """A folder of commands, first on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, script in (("squeue", "true"), ("sacct", "exit 1"), ("scancel", "true"), ("sacctmgr", "exit 1")):
            self.command(name, script)
        self.command("scontrol", f"printf '{CONFIG}'")
        self.command("sbatch", f'[ "$1" = --test-only ] && exit 0\necho x >>{folder}/count\necho 7')

    def command(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)

    @property
    def submitted(self) -> int:
        """How often sbatch was called for good."""
        count = self.folder / "count"
        return len(count.read_text().split()) if count.exists() else 0


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return FakeSlurm(folder)
