"""A Slurm that is only commands on the path: it answers what a healthy one would not.

Walks through no room: it stands in for Slurm.
"""

import os
import stat
from pathlib import Path

import pytest

CONFIG = "MaxArraySize            = 1001\nMaxJobCount             = 10000\nAccountingStorageType   = (null)\n"

_SBATCH = r"""[ "$1" = --test-only ] && exit 0
for script; do :; done
echo x >>FOLDER/count
id=$(wc -l <FOLDER/count)
name=$(sed -n 's/^#SBATCH --job-name=//p' "$script")
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$script")
for task in $(seq 0 "$last"); do echo "${id}_$task|PENDING|Priority|$name" >>FOLDER/queue; done
echo "$id"
"""
_SQUEUE = r"""for word; do case "$word" in --name=*) name=${word#--name=};; esac; done
[ -z "$name" ] && exec cat FOLDER/queue
sed -n "s/_.*|$name\$//p" FOLDER/queue | sort -u
"""
_SCANCEL = """for task; do sed -i "/^$task|/d" FOLDER/queue; done"""
_SCONTROL = """[ "$1" = show ] && printf 'CONFIG' || echo "$@" >>FOLDER/told"""


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

    def keep_jobs(self, most: int = 10000) -> None:
        """From now on sbatch puts tasks into a queue, which only scancel takes from; Slurm tells of room for `most`."""
        (self.folder / "queue").touch()
        for name, script in (("sbatch", _SBATCH), ("squeue", _SQUEUE), ("scancel", _SCANCEL), ("scontrol", _SCONTROL)):
            config = CONFIG.replace("10000", str(most))
            self.command(name, script.replace("FOLDER", str(self.folder)).replace("CONFIG", config))

    @property
    def told(self) -> list[str]:
        """What scontrol was told to do."""
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def queue(self) -> list[str]:
        """The tasks in the queue that `keep_jobs` made."""
        return [line.partition("|")[0] for line in (self.folder / "queue").read_text().splitlines()]

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
