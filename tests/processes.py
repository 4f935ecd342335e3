"""Several processes that train one cell as one world, each a fork of the test's.

Walks through training.
"""

import json
import os
import signal
import socket
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ablation.config.cluster import RuntimeOptions
from ablation.specs.cell import Cell
from ablation.store.interrupt import StopRequest
from ablation.store.stage_run import StageRun
from ablation.training.distributed import VARIABLES, ProcessGroup
from ablation.training.train import follow, train
from tests.stage_runs import StageRuns

# Updates of 8 and 5 examples: among four processes that take two at a time, one has nothing of the last.
UNEVEN = ("count.size=13", "train.epochs=2", "train.batch=8")


class Processes(StageRuns):
    """Process 0 trains, the others follow; each is a fork of this one with the variables of a world."""

    def __init__(self, cell: Cell, chosen: tuple[Path, Path], folder: Path) -> None:
        super().__init__(folder)
        self.cell, self.chosen = cell, chosen

    def run(
        self,
        size: int,
        means: RuntimeOptions | None = None,
        halts: dict[int, StopRequest] | None = None,
        before: Callable[[int], object] = lambda rank: rank,
    ) -> list[str]:
        """How each process ended: "" or the name of its exception and its text. `before` runs in each of them."""
        run, port, halts = self.begin(), free_port(), halts or {}
        children = []
        for rank in range(size):
            answer = self.place / f"{run.out.parent.name}-{rank}.txt"
            environment = dict(zip(VARIABLES, (str(rank), str(size), str(rank), "127.0.0.1", str(port)), strict=True))
            work = partial(self._work, rank, run, means, halts, before)
            children.append(forked(work, environment, answer))
        return [child() for child in children]

    def _work(
        self,
        rank: int,
        run: StageRun,
        means: RuntimeOptions | None,
        halts: dict[int, StopRequest],
        before: Callable[[int], object],
    ) -> None:
        torch.set_num_threads(1)
        ProcessGroup.here.cache_clear()
        before(rank)
        halt = halts.get(rank, StopRequest())
        if rank:
            follow(halt)
            return
        try:
            train(
                self.cell,
                *self.chosen,
                StageRun(run.out, run.kept, run.earlier, halt),
                means or RuntimeOptions(),
            )
        finally:
            ProcessGroup.here().dismiss()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def forked(work: Callable[[], object], environment: dict[str, str], answer: Path) -> Callable[[], str]:
    """Run `work` in a child; the function that waits for it and says how it ended. It is killed after ten minutes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.environ.update(environment)
        try:
            work()
            answer.write_text("")
        except BaseException as error:  # noqa: BLE001 a child has no other way to tell
            traceback.print_exc()
            answer.write_text(f"{type(error).__name__}: {error}")
        finally:
            os._exit(0)

    def wait() -> str:
        deadline = time.monotonic() + 600
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.01)
        return answer.read_text() if answer.exists() else "killed"

    return wait


def results(run: StageRun) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    curve = [json.loads(line) for line in (run.out / "loss.jsonl").read_text().splitlines()]
    return load_file(run.out / "weights/model.safetensors"), curve


def read(run: StageRun, name: str) -> dict[str, float]:
    record: dict[str, float] = json.loads((run.out / name).read_text())
    return record


def assert_close(first: StageRun, second: StageRun) -> None:
    (weights, curve), (others, other_curve) = results(first), results(second)
    for update, other_update in zip(curve, other_curve, strict=True):
        assert update == pytest.approx(other_update, rel=1e-4)
    assert_near(weights, others)


def assert_near(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> None:
    """Each of these tensors among the others, within a thousandth of its norm.

    Not element by element: Adam divides by the root of the squared gradient, so an element whose gradient is no more
    than rounding moves a whole step either way, and which way is the processor's.
    """
    for name, tensor in weights.items():
        apart, size = (
            float(torch.linalg.vector_norm(difference.double())) for difference in (others[name] - tensor, tensor)
        )
        assert apart <= 1e-3 * size + 1e-6, f"{name}: {apart:.3g} apart at a norm of {size:.3g}"
