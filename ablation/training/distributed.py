"""Several processes that train one cell as one group.

Process 0 runs the cell as always. The others wait in `next_work` for its messages, and take part in the training alone. Messages
go through torch's key-value store as JSON: nothing is pickled, and waiting costs nothing however long process 0 prepares. The
variables RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT tell a process its number; without WORLD_SIZE it is alone.
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
# The time that process 0 may take to open the store, and that one process may keep the others waiting in training.
MEETING_S, TOGETHER_S = 600.0, 1800.0
# The time that a process which failed has to report why, before its silence is reported.
LAST_WORDS_S = 3.0
# The time that a process which failed waits for process 0 to have recorded it.
RECORDED_S = 30.0


class ProcessGroup:
    """This process's place among those that train a cell: number `rank` of `size`."""

    def __init__(self, rank: int = 0, size: int = 1, address: str = "", port: int = 0) -> None:
        self.rank, self.size, self.address, self.port = rank, size, address, port
        self.messages = 0
        """Number of messages that process 0 has sent, or that this process has received."""
        self.is_broken = False
        """True after a failure: the processes are no longer in step, and the group trains no more."""
        self._store: TCPStore | None = None

    @staticmethod
    @cache
    def here() -> "ProcessGroup":
        """Return the group that this process's environment describes, the same object at every call. Raises ConfigProblems."""
        return ProcessGroup.of(os.environ)

    @staticmethod
    def of(environment: Mapping[str, str]) -> "ProcessGroup":
        """Return the group that the variables describe. Raises ConfigProblems.

        >>> variables = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node3", "MASTER_PORT": "29500"}
        >>> group = ProcessGroup.of(variables)
        >>> group.rank, group.size
        (1, 4)
        >>> ProcessGroup.of({}).size
        1
        """
        if environment.get("WORLD_SIZE", "1") == "1":
            return ProcessGroup()
        try:
            rank, size, _, address, port = (environment[name] for name in VARIABLES)
            group = ProcessGroup(int(rank), int(size), address, int(port))
        except (KeyError, ValueError) as error:
            values = {name: environment.get(name) for name in VARIABLES}
            raise ConfigProblems([f"the variables of a world do not fit together: {values} ({error})"]) from error
        if not 0 <= group.rank < group.size:
            raise ConfigProblems([f"RANK: given {rank}; allowed: 0 to {group.size - 1}, since WORLD_SIZE is {size}"])
        return group

    def begin(self) -> None:
        """Open the store on process 0, and connect to it elsewhere. Raises AblationError when the processes cannot meet."""
        if self.size > 1 and self._store is None:
            self._store = self._connect()

    def start_work(self, message: Mapping[str, Any]) -> None:
        """Process 0: send the others their next work, and begin it with them. Raises AblationError in a broken group."""
        if self.size == 1:
            return
        if self.is_broken:
            raise AblationError(
                "a process of this world has failed, so nothing more can be trained in it; start the job again"
            )
        self._send(message)
        self.join()

    def next_work(self) -> dict[str, Any] | None:
        """Other processes: wait for the next work, and return it; None when there is no more.

        Raises AblationError when process 0 is gone.
        """
        store, key = self._connected_store(), f"word/{self.messages}"
        while not _has(store, key):
            pass
        self.messages += 1
        message: dict[str, Any] | None = json.loads(store.get(key))
        if message is None:
            store.add("left", 1)
        return message

    def dismiss(self, within_s: float = 30.0) -> None:
        """Process 0: tell the others that there is no more work, and wait until they have received it."""
        if self.size == 1 or self._store is None:
            return
        self._send(None)
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
            store=PrefixStore("group", self._connected_store()),
            rank=self.rank,
            world_size=self.size,
            timeout=timedelta(seconds=TOGETHER_S),
        )

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Return each flag as true where it is true in any process: the same answer in all of them."""
        if self.size == 1:
            return flags
        import torch
        from torch import distributed

        shared = torch.tensor(flags, dtype=torch.int32, device="cuda" if torch.cuda.is_available() else "cpu")
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        return tuple(bool(flag) for flag in shared.tolist())

    def barrier(self) -> None:
        """Wait for all processes."""
        self.any(False)

    def report_failure(self, error: Exception) -> None:
        """Other processes: report why this one ends, and wait until process 0 has recorded it.

        Process 0 is in the midst of an exchange with this one, and sees no more than a closed connection. It needs the reason
        from here before this process ends, since Slurm would then end process 0 too.
        """
        kind = error.kind if isinstance(error, AblationError) else "error"
        text = f"process {self.rank} of {self.size}: {error if isinstance(error, AblationError) else repr(error)}"
        with suppress(RuntimeError, AblationError):  # process 0 has gone before
            self._connected_store().set("failed", json.dumps({"kind": kind, "text": text}))
            _close_connections(error)
            deadline = time.monotonic() + RECORDED_S
            # Process 0 sends its next message, or that there is no more work, after the record.
            while not _has(self._connected_store(), f"word/{self.messages}", 0.5) and time.monotonic() < deadline:
                pass
            self._connected_store().add("left", 1)

    def failure(self) -> AblationError | None:
        """Process 0: return the error that another process reported before it ended. From now on the group is broken."""
        if self.size == 1:
            return None
        self.is_broken = True
        store, deadline = self._connected_store(), time.monotonic() + LAST_WORDS_S
        while not store.check(["failed"]):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        report = json.loads(store.get("failed"))
        return (OutOfMemory if report["kind"] == OutOfMemory.kind else AblationError)(report["text"])

    def _send(self, message: Mapping[str, Any] | None) -> None:
        self._connected_store().set(f"word/{self.messages}", json.dumps(message))
        self.messages += 1

    def _connected_store(self) -> "TCPStore":
        self.begin()
        assert self._store is not None
        return self._store

    def _connect(self) -> "TCPStore":
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
    """Return the name of torch's backend between the processes of a group."""
    import torch

    return "nccl" if torch.cuda.is_available() else "gloo"


def _close_connections(error: Exception) -> None:
    """Close this process's connections to the others. The frames of the error hold the model, which holds the connections."""
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
