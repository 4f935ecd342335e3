"""Python, packages and devices."""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from ablation.planning.doctor.check import Check, fail, ok, warn

_REINSTALL = "install into a fresh environment: pip install -e ."


def checks(gpus: int) -> Iterator[Check]:
    """Check the interpreter, the pinned packages, and the devices where a cell asks for `gpus`."""
    yield _python()
    yield from packages("ablation")
    yield _devices(gpus)


def _python() -> Check:
    python = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return ok("python", python)
    return fail("python", python, "use Python 3.11 or 3.12")


def packages(distribution: str) -> Iterator[Check]:
    """Check every requirement of a distribution against the installed version; all that fit are one check."""
    try:
        requirements = [Requirement(text) for text in requires(distribution) or ()]
    except PackageNotFoundError:
        yield warn("packages", f"{distribution} is not installed, so its pins are not known", _REINSTALL)
        return
    # Those of an extra count only where it was asked for, which the metadata do not tell.
    needed = [
        requirement
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]
    wrong = [problem for requirement in needed if (problem := _problem(requirement))]
    yield from (fail("packages", problem, _REINSTALL) for problem in wrong)
    if not wrong:
        versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "trl"))
        yield ok("packages", f"{len(needed)} as pinned; {versions}")


def _problem(requirement: Requirement) -> str | None:
    """Return a sentence where a requirement is not met."""
    name, specifier = requirement.name, requirement.specifier
    try:
        installed = version(name)
    except PackageNotFoundError:
        return f"{name} is missing ({specifier or 'any version'})"
    return None if specifier.contains(installed, prereleases=True) else f"{name} {installed}, not {specifier}"


def _devices(gpus: int) -> Check:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return ok("GPUs here", f"{count} × {torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    if gpus and torch.version.cuda is None:
        fix = "the jobs ask for GPUs: install the CUDA build of torch (https://pytorch.org/get-started/locally/)"
        return fail("GPUs here", f"torch {torch.__version__} is built for CPUs alone", fix)
    return ok("GPUs here", "none visible, none needed here" if gpus else "none: cells run on CPUs")
