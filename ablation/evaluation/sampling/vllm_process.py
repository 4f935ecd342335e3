"""The other end of `vllm_server`: a vLLM under its own interpreter that serves cell after cell of a warm worker."""

import atexit
import json
import os
import select
import subprocess
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ablation.config.environment import inherited
from ablation.errors import AblationError
from ablation.specs.base import canonical_json
from ablation.store.interrupt import StopRequest

_LOOK_S = 0.5


class EngineError(AblationError):
    """vLLM could not start, refused a request, or died; the text is its own, its trace is in the cell's log."""

    kind: ClassVar[str] = "engine_error"


@dataclass(frozen=True)
class Request:
    """One attempt: `id` is unique within a call, `seed` its stream (0 ≤ seed < 2**63)."""

    id: int
    prompt: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class EndedRequest:
    """What became of a request: the generated token ids, the end token included, and vLLM's finish reason."""

    id: int
    tokens: tuple[int, ...]
    finish_reason: str


@dataclass(frozen=True)
class EngineSettings:
    """What an engine is started with: arguments of vllm.LLM, and the digest of the architecture that its weights must have."""

    options: Mapping[str, Any]
    architecture: str = ""

    @property
    def key(self) -> str:
        """Engines of one key serve the same cells."""
        return canonical_json({"options": dict(self.options), "architecture": self.architecture})


class VllmProcess:
    """A running server with one engine in it. `engine` names vLLM's version once weights are loaded, `served` which ones."""

    def __init__(self, python: str, start: EngineSettings, gpus: str | None = None) -> None:
        self.python, self.start, self.gpus = python, start, gpus
        self.engine, self.served = "", ""
        script = str(Path(__file__).with_name("vllm_server.py"))
        try:
            self._process = subprocess.Popen(
                [python, "-s", script], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(gpus)
            )
        except OSError as error:
            raise EngineError(
                f"sample.python: {python!r} cannot be run ({error.strerror}); give the path of a Python that has vLLM"
            ) from error
        self._unread = b""
        atexit.register(self.close)

    def serve(self, model: str, halt: StopRequest) -> None:
        """Have these weights in the engine; after the first ones, others are read in place. Raises EngineError, Interrupted."""
        if self.ask_to_serve(model):
            self.await_served(halt)

    def ask_to_serve(self, model: str) -> bool:
        """Begin with that, and False when there is nothing to do. `await_served` must follow."""
        if self.served == model:
            return False
        first = {"do": "load", "model": model, "options": dict(self.start.options)}
        self.send({"do": "swap", "model": model} if self.engine else first)
        return True

    def await_served(self, halt: StopRequest) -> None:
        """Until the weights that were asked for are there."""
        told = self.answer(halt)
        self.engine, self.served = told.get("engine", self.engine), told["loaded"]

    def generate(
        self, requests: Sequence[Request], sampling: Mapping[str, Any], halt: StopRequest, adapter: str | None = None
    ) -> Generator[EndedRequest, None, None]:
        """As `generate_on` this one alone."""
        return generate_on([self], requests, sampling, halt, adapter)

    def close(self) -> None:
        """End the process at once; it holds nothing that is not on disk here."""
        if self.is_running:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        atexit.unregister(self.close)

    @property
    def is_running(self) -> bool:
        """False once it has died or was closed."""
        return self._process.poll() is None

    def fileno(self) -> int:
        """Where its answers come from, for `select`."""
        assert self._process.stdout
        return self._process.stdout.fileno()

    def send(self, command: Mapping[str, Any]) -> None:
        """Ask for something. Raises EngineError when nobody is there."""
        assert self._process.stdin
        text = memoryview((json.dumps(command) + "\n").encode())
        try:
            while text:
                text = text[self._process.stdin.write(text) :]
        except OSError as error:
            raise self._died() from error

    def answer(self, halt: StopRequest) -> dict[str, Any]:
        """The next answer. Raises EngineError for one that is an error, and Interrupted; the process ends with both."""
        while (found := self.answer_at_hand()) is None:
            _await([self], halt)
            self.read()
        return found

    def answer_at_hand(self) -> dict[str, Any] | None:
        """The next answer if it was read; None when the rest of it is still to come. Raises EngineError for an error."""
        line, end, rest = self._unread.partition(b"\n")
        if not end:
            return None
        self._unread = rest
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            self.close()
            raise EngineError(f"vLLM: {told['error']}")
        return told

    def read(self) -> None:
        """Take what has come; waits when nothing has. Raises EngineError at the end of the process."""
        read = os.read(self.fileno(), 1 << 20)
        if not read:
            raise self._died()
        self._unread += read

    def _died(self) -> EngineError:
        code = self._process.wait()
        self.close()
        return EngineError(
            f"vLLM's process ended (exit code {code}) before it answered; its last words are in the cell's log"
        )


def generate_on(
    processes: Sequence[VllmProcess],
    requests: Sequence[Request],
    sampling: Mapping[str, Any],
    halt: StopRequest,
    adapter: str | None = None,
) -> Generator[EndedRequest, None, None]:
    """The requests as they end, dealt to the processes in turn; `adapter` is a folder that answers beside their weights.

    Closing it has the processes leave off and stay. Raises EngineError, and Interrupted when `halt` is requested; all of the
    processes end with both.
    """
    fixed = {"do": "generate", "sampling": dict(sampling), "adapter": adapter}
    busy = list(processes)
    try:
        for place, process in enumerate(processes):
            share = requests[place :: len(processes)]
            process.send({**fixed, "requests": [{"id": r.id, "prompt": r.prompt, "seed": r.seed} for r in share]})
        try:
            yield from _ended(busy, halt)
        except GeneratorExit:  # enough is known; the engines are of use to the next cell
            for process in busy:
                process.send({"do": "stop"})
            for _ in _ended(busy, halt):
                pass
            raise
    finally:
        if busy:  # what is still running in there is of no use to anybody
            for process in processes:
                process.close()


def _ended(busy: list[VllmProcess], halt: StopRequest) -> Generator[EndedRequest, None, None]:
    """What the processes that are `busy` answer; each leaves the list when it is through."""
    while busy:
        for process in list(busy):
            while (told := process.answer_at_hand()) is not None:
                if "over" in told:
                    busy.remove(process)
                    break
                yield EndedRequest(told["id"], tuple(told["tokens"]), told["finish_reason"])
        for process in _await(busy, halt) if busy else []:
            process.read()


def _await(processes: Sequence[VllmProcess], halt: StopRequest) -> list[VllmProcess]:
    """Those that have something to say, once there are any. Raises Interrupted, and ends them all."""
    while True:
        if halt.reason is not None:
            for process in processes:
                process.close()
            halt.check()
        if found := select.select(processes, [], [], _LOOK_S)[0]:
            return found


_warm: list[VllmProcess] = []


def warm_processes(python: str, start: EngineSettings, count: int = 1, gpus_each: int = 1) -> list[VllmProcess]:
    """The worker's engines: those that run when they were started alike, else new ones in their place."""
    alike = [one.is_running and (one.python, one.start.key) == (python, start.key) for one in _warm]
    if not (len(alike) == count and all(alike)):
        while _warm:
            _warm.pop().close()
        shares = gpu_shares(os.environ.get("CUDA_VISIBLE_DEVICES"), count, gpus_each)
        _warm.extend(VllmProcess(python, start, gpus) for gpus in shares)
    return list(_warm)


def gpu_shares(visible: str | None, count: int, each: int) -> list[str | None]:
    """The GPUs of each of `count` engines that take `each`, out of those that are visible (None: all, by number).

    One engine sees what this process sees. Raises EngineError when there are too few.
    """
    if count == 1 or visible == "":
        return [None] * count
    known = visible.split(",") if visible else [str(number) for number in range(count * each)]
    if len(known) < count * each:
        raise EngineError(
            f"sample.data_parallel={count} × sample.tensor_parallel={each} need {count * each} GPUs; visible: {visible}"
        )
    return [",".join(known[place * each : (place + 1) * each]) for place in range(count)]


def _environment(gpus: str | None) -> dict[str, str]:
    told = inherited(os.environ)
    return told if gpus is None else {**told, "CUDA_VISIBLE_DEVICES": gpus}
