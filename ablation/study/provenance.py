"""What made a result: the commit of the code, the versions of the packages, the machine."""

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
    """Version by package, of those that are installed; python too."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def version_differences(recorded: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """One sentence for each package that is another one here than where it was recorded."""
    names = sorted({*recorded, *here})
    return [
        f"{name} is {here.get(name, 'absent')} here and {recorded.get(name, 'absent')} where this was submitted"
        for name in names
        if recorded.get(name) != here.get(name)
    ]


def git_state() -> str | None:
    """The commit of the code, with ``+changes`` when the tree is not clean; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        told = [
            subprocess.run(
                ["git", *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return told[0] + ("+changes" if told[1] else "")
