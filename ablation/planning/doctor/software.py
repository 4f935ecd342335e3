"""Python, packages and devices."""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from ablation.planning.doctor.check import Check, fail, ok, warn

_REINSTALL = "install into a fresh environment: pip install -e ."


def checks(gpus: int) -> Iterator[Check]:
    """The interpreter, the pinned packages, and the devices when a cell asks for `gpus`."""
    yield _python()
    yield from packages("ablation")
    yield _devices(gpus)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return ok("python", found)
    return fail("python", found, "use Python 3.11 or 3.12")


def packages(distribution: str) -> Iterator[Check]:
    """Every requirement of a distribution against what is installed; one line for all that fit."""
    try:
        wanted = [Requirement(text) for text in requires(distribution) or ()]
    except PackageNotFoundError:
        yield warn("packages", f"{distribution} is not installed, so its pins are not known", _REINSTALL)
        return
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [problem for one in needed if (problem := _problem(one))]
    yield from (fail("packages", problem, _REINSTALL) for problem in wrong)
    if not wrong:
        told = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "trl"))
        yield ok("packages", f"{len(needed)} as pinned; {told}")


def _problem(wanted: Requirement) -> str | None:
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is missing ({wanted.specifier or 'any version'})"
    return (
        None if wanted.specifier.contains(found, prereleases=True) else f"{wanted.name} {found}, not {wanted.specifier}"
    )


def _devices(gpus: int) -> Check:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return ok("GPUs here", f"{count} × {torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    if gpus and torch.version.cuda is None:
        fix = "the jobs ask for GPUs: install the CUDA build of torch (https://pytorch.org/get-started/locally/)"
        return fail("GPUs here", f"torch {torch.__version__} is built for CPUs alone", fix)
    return ok("GPUs here", "none visible, none needed here" if gpus else "none: cells run on CPUs")
