"""Several processes that train one cell as one world.

Process 0 runs the cell as always. The others wait for its word in `hear`, and take part in the training alone. The word goes
through torch's key-value store as JSON: nothing is pickled, and waiting costs nothing however long process 0 prepares. Which
process this is stands in RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; without WORLD_SIZE it is alone.
"""

import gc
import json
import os
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from ablation.errors import AblationError, ConfigProblems, OutOfMemory

if TYPE_CHECKING:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
# How long process 0 may take to open the meeting place, and one process may keep the others waiting in training.
MEETING_S, TOGETHER_S = 600.0, 1800.0
# How long a process that failed has to say why, before its silence is reported.
LAST_WORDS_S = 3.0
# How long a process that failed waits for process 0 to have recorded it.
RECORDED_S = 30.0


class ProcessGroup:
    """This process's place among those that train a cell: number `rank` of `size`."""

    def __init__(self, rank: int = 0, size: int = 1, address: str = "", port: int = 0) -> None:
        self.rank, self.size, self.address, self.port = rank, size, address, port
        self.words = 0
        self.is_broken = False
        self._store: TCPStore | None = None

    @staticmethod
    @cache
    def here() -> "ProcessGroup":
        """The world that the environment describes. Raises ConfigProblems."""
        return ProcessGroup.of(os.environ)

    @staticmethod
    def of(environment: Mapping[str, str]) -> "ProcessGroup":
        """The world described by the variables. Raises ConfigProblems."""
        if environment.get("WORLD_SIZE", "1") == "1":
            return ProcessGroup()
        try:
            rank, size, _, address, port = (environment[name] for name in VARIABLES)
            world = ProcessGroup(int(rank), int(size), address, int(port))
        except (KeyError, ValueError) as error:
            given = {name: environment.get(name) for name in VARIABLES}
            raise ConfigProblems([f"the variables of a world do not fit together: {given} ({error})"]) from error
        if not 0 <= world.rank < world.size:
            raise ConfigProblems([f"RANK: given {rank}; allowed: 0 to {world.size - 1}, since WORLD_SIZE is {size}"])
        return world

    def begin(self) -> None:
        """Process 0 opens the meeting place, the others come to it. Raises AblationError when they cannot meet."""
        if self.size > 1 and self._store is None:
            self._store = self._meet()

    def call(self, message: Mapping[str, Any]) -> None:
        """Process 0: give the others their next work, and begin it with them."""
        if self.size == 1:
            return
        if self.is_broken:
            raise AblationError(
                "a process of this world has failed, so nothing more can be trained in it; start the job again"
            )
        self._say(message)
        self.join()

    def hear(self) -> dict[str, Any] | None:
        """Other processes: wait for the next work; None when there is no more. Raises AblationError when process 0 is gone."""
        store, key = self._met(), f"word/{self.words}"
        while not _has(store, key):
            pass
        self.words += 1
        message: dict[str, Any] | None = json.loads(store.get(key))
        if message is None:
            store.add("left", 1)
        return message

    def dismiss(self, within_s: float = 30.0) -> None:
        """Process 0: tell the others that there is no more work, and wait until they have heard it."""
        if self.size == 1 or self._store is None:
            return
        self._say(None)
        deadline = time.monotonic() + (LAST_WORDS_S if self.is_broken else within_s)
        while self._store.add("left", 0) < self.size - 1 and time.monotonic() < deadline:
            time.sleep(0.05)

    def join(self) -> None:
        """Make torch's process group, once in the life of a process."""
        import torch
        from torch import distributed
        from torch.distributed.distributed_c10d import PrefixStore

        if distributed.is_initialized():
            return
        os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())  # else accelerate chooses another number
        distributed.init_process_group(
            backend(),
            store=PrefixStore("group", self._met()),
            rank=self.rank,
            world_size=self.size,
            timeout=timedelta(seconds=TOGETHER_S),
        )

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, true where any process says so: the same answer everywhere."""
        if self.size == 1:
            return flags
        import torch
        from torch import distributed

        said = torch.tensor(flags, dtype=torch.int32, device="cuda" if torch.cuda.is_available() else "cpu")
        distributed.all_reduce(said, op=distributed.ReduceOp.MAX)
        return tuple(bool(flag) for flag in said.tolist())

    def barrier(self) -> None:
        """Wait for all processes."""
        self.any(False)

    def tell_failure(self, error: Exception) -> None:
        """Other processes: say why this one ends, and wait until process 0 has recorded it.

        Process 0 is in the midst of an exchange with this one, and sees no more than a closed connection; the end of this process
        would make Slurm end it too.
        """
        kind = error.kind if isinstance(error, AblationError) else "error"
        text = f"process {self.rank} of {self.size}: {error if isinstance(error, AblationError) else repr(error)}"
        with suppress(RuntimeError, AblationError):  # process 0 has gone before
            self._met().set("failed", json.dumps({"kind": kind, "text": text}))
            _close_group(error)
            deadline = time.monotonic() + RECORDED_S
            while not _has(self._met(), f"word/{self.words}", 0.5) and time.monotonic() < deadline:
                pass
            self._met().add("left", 1)

    def failure(self) -> AblationError | None:
        """What another process said before it ended; from then on this world trains no more."""
        if self.size == 1:
            return None
        self.is_broken = True
        store, deadline = self._met(), time.monotonic() + LAST_WORDS_S
        while not store.check(["failed"]):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        told = json.loads(store.get("failed"))
        return (OutOfMemory if told["kind"] == OutOfMemory.kind else AblationError)(told["text"])

    def _say(self, message: Mapping[str, Any] | None) -> None:
        self._met().set(f"word/{self.words}", json.dumps(message))
        self.words += 1

    def _met(self) -> "TCPStore":
        self.begin()
        assert self._store is not None
        return self._store

    def _meet(self) -> "TCPStore":
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        try:
            return TCPStore(
                self.address,
                self.port,
                self.size,
                is_master=self.rank == 0,
                timeout=timedelta(seconds=MEETING_S),
                wait_for_workers=False,
            )
        except RuntimeError as error:
            raise AblationError(
                f"process {self.rank} of {self.size} did not meet the others at {self.address}:{self.port} ({error})"
            ) from error


def backend() -> str:
    """What the processes of a world talk through."""
    import torch

    return "nccl" if torch.cuda.is_available() else "gloo"


def _close_group(error: Exception) -> None:
    """Close this process's connections to the others; the frames of the error hold the model, which holds them."""
    from torch import distributed

    traceback.clear_frames(error.__traceback__)
    gc.collect()
    distributed.destroy_process_group()
    gc.collect()


def _has(store: "TCPStore", key: str, within_s: float = 5.0) -> bool:
    """Wait a while for a key. Raises AblationError when process 0 is gone."""
    from torch.distributed import DistNetworkError, DistStoreError

    try:
        store.wait([key], timedelta(seconds=within_s))
    except DistStoreError:
        return False
    except DistNetworkError as error:
        raise AblationError(f"process 0 of this world has ended without a word ({error})") from error
    return True
