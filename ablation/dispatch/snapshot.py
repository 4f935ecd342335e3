"""The code as it is now, copied for the jobs of a study: what runs is what was submitted, uncommitted changes included."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from ablation.store import partial_folder

_PACKAGES = ("ablation", "hydra_plugins")


_ROOT = Path(__file__).resolve().parent.parent.parent


def snapshot(folder: Path) -> Path:
    """Copy this installation's packages to ``FOLDER/DIGEST`` unless that copy exists; the copy's path."""
    final = snapshot_path(folder)
    if final.is_dir():
        return final
    with partial_folder(final) as beside:
        for name in _files(_ROOT):
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, beside / name)
        beside.rename(final)
    return final


def snapshot_path(folder: Path) -> Path:
    """Where the copy of the code as it is now is or would be, absolute; nothing is copied."""
    return (folder / _digest(_ROOT, _files(_ROOT))[:12]).resolve()


def _files(root: Path) -> list[str]:
    """What git tracks or would track below the packages; every file but caches where there is no git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_PACKAGES]
    listed = (
        subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if (root / ".git").exists()
        else None
    )
    if listed and listed.returncode == 0:
        return sorted({name for name in listed.stdout.split("\0") if name and (root / name).is_file()})
    found = [path for package in _PACKAGES for path in (root / package).rglob("*") if path.is_file()]
    return sorted(path.relative_to(root).as_posix() for path in found if "__pycache__" not in path.parts)


def _digest(root: Path, files: list[str]) -> str:
    state = hashlib.sha256()
    for name in files:
        state.update(f"{name}\0{hashlib.sha256((root / name).read_bytes()).hexdigest()}\n".encode())
    return state.hexdigest()
