"""The origin of a result: the commit of the code and the versions of the packages."""

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The packages whose versions can change a number or the running of a cell.
PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "hydra-core",
    "submitit",
    "wandb",
    "numpy",
    "pandas",
)


@cache
def package_versions() -> dict[str, str]:
    """Return the version of each package that is installed, and of Python."""
    version_of = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            version_of[name] = version(name)
        except PackageNotFoundError:
            continue
    return version_of


def version_differences(recorded: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """Return one sentence for each package whose installed version is not the recorded one."""
    names = sorted({*recorded, *installed})
    return [
        f"{name} is {installed.get(name, 'absent')} here and {recorded.get(name, 'absent')} where this was submitted"
        for name in names
        if recorded.get(name) != installed.get(name)
    ]


def git_state() -> str | None:
    """Return the commit of the code, with ``+changes`` when the tree is not clean; None outside a checkout."""
    package = Path(__file__).resolve().parent
    try:
        commit, changes = [
            subprocess.run(
                ["git", *arguments], cwd=package, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changes else "")
