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

from ablation.environment import inherited
from ablation.errors import AblationError
from ablation.halt import Halt
from ablation.spec import canonical_json

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
class Ended:
    """What became of a request: the generated token ids, the end token included, and vLLM's finish reason."""

    id: int
    tokens: tuple[int, ...]
    finish_reason: str


class VllmProcess:
    """A running server with one engine in it. `engine` names vLLM's version once weights are loaded."""

    def __init__(self, python: str, options: Mapping[str, Any]) -> None:
        self.python, self.options, self.engine = python, dict(options), ""
        script = str(Path(__file__).with_name("vllm_server.py"))
        try:
            self._process = subprocess.Popen(
                [python, "-s", script],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=inherited(os.environ),
            )
        except OSError as error:
            raise EngineError(
                f"sample.python: {python!r} cannot be run ({error.strerror}); give the path of a Python that has vLLM"
            ) from error
        self._unread = b""
        atexit.register(self.close)

    def serve(self, model: str, halt: Halt) -> None:
        """Have these weights in the engine; after the first ones, others are read in place. Raises EngineError, Interrupted."""
        first = {"do": "load", "model": model, "options": self.options}
        self._send({"do": "swap", "model": model} if self.engine else first)
        self.engine = self._answer(halt).get("engine", self.engine)

    def generate(
        self, requests: Sequence[Request], sampling: Mapping[str, Any], halt: Halt
    ) -> Generator[Ended, None, None]:
        """The requests as they end. Raises EngineError, and Interrupted when `halt` is requested; the process ends with both."""
        asked = [{"id": one.id, "prompt": one.prompt, "seed": one.seed} for one in requests]
        self._send({"do": "generate", "sampling": dict(sampling), "requests": asked})
        over = False
        try:
            while "over" not in (answer := self._answer(halt)):
                yield Ended(answer["id"], tuple(answer["tokens"]), answer["finish_reason"])
            over = True
        finally:
            if not over:  # what is still running in there is of no use to anybody
                self.close()

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

    def _send(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin
        text = memoryview((json.dumps(command) + "\n").encode())
        try:
            while text:
                text = text[self._process.stdin.write(text) :]
        except OSError as error:
            raise self._died() from error

    def _answer(self, halt: Halt) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line(halt))
        if "error" in answer:
            self.close()
            raise EngineError(f"vLLM: {answer['error']}")
        return answer

    def _line(self, halt: Halt) -> bytes:
        """The next line; looks at `halt` while it waits."""
        assert self._process.stdout
        while b"\n" not in self._unread:
            if halt.reason is not None:
                self.close()
                halt.check()
            if select.select([self._process.stdout], [], [], _LOOK_S)[0]:
                read = os.read(self._process.stdout.fileno(), 1 << 20)
                if not read:
                    raise self._died()
                self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _died(self) -> EngineError:
        code = self._process.wait()
        self.close()
        return EngineError(
            f"vLLM's process ended (exit code {code}) before it answered; its last words are in the cell's log"
        )


_warm: list[VllmProcess] = []


def warm_process(python: str, options: Mapping[str, Any]) -> VllmProcess:
    """The worker's engine: the one that runs when it was started alike, else a new one in its place."""
    for one in list(_warm):
        if one.is_running and (one.python, canonical_json(one.options)) == (python, canonical_json(dict(options))):
            return one
        _warm.remove(one)
        one.close()
    _warm.append(VllmProcess(python, options))
    return _warm[0]
