"""The code as it is now, copied for the jobs of a study: what runs is what was submitted, uncommitted changes included."""

import hashlib
import shutil
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ablation.store.files import flush, partial_folder

_PACKAGES = ("ablation", "hydra_plugins")
_ROOT = Path(__file__).resolve().parents[3]
_FLUSHES_AT_ONCE = 8


def copy_code(folder: Path) -> Path:
    """Copy this installation's packages to ``FOLDER/DIGEST`` unless that copy exists; the copy's path.

    A copy that was edited or damaged since is moved aside: jobs that wait start from the code that their cells were frozen with.
    """
    final, files = code_copy_path(folder), _files(_ROOT)
    if final.is_dir():
        if _is_whole(final, files):
            return final
        final.rename(final.with_name(f"{final.name}.damaged-{uuid.uuid4().hex[:8]}"))
    with partial_folder(final) as beside:
        for name in files:
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, beside / name)
        with ThreadPoolExecutor(_FLUSHES_AT_ONCE) as pool:
            list(pool.map(lambda name: flush(beside / name), files))
        for inner in (beside, *(path for path in beside.rglob("*") if path.is_dir())):  # which hold the names
            flush(inner)
        beside.rename(final)
    flush(folder)
    return final


def code_copy_path(folder: Path) -> Path:
    """Where the copy of the code as it is now is or would be, absolute; nothing is copied."""
    return (folder / _digest(_ROOT, _files(_ROOT))[:12]).resolve()


def _is_whole(copy: Path, files: list[str]) -> bool:
    return all((copy / name).is_file() for name in files) and _digest(copy, files)[:12] == copy.name


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
