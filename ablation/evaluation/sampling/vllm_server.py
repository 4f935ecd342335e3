"""vLLM as a process of its own: one JSON object a line on standard input, one a line back on standard output.

Run by an interpreter that has vLLM and need not have anything else of this project's, so this file imports nothing of it.
vLLM's pins clash with the trainer's; its memory and its threads go when this process ends.

Commands and their answers:
  {"do": "load", "model": FOLDER, "options": {…}}  start an engine; options are arguments of vllm.LLM
      → {"loaded": FOLDER, "engine": "vllm 0.32.0", "seconds": …}
  {"do": "swap", "model": FOLDER}                  read other weights of the same architecture into it
      → {"loaded": FOLDER}
  {"do": "generate", "sampling": {…}, "adapter": FOLDER or null, "requests": [{"id": …, "prompt": [token, …], "seed": …}, …]}
      → {"id": …, "tokens": […], "finish_reason": …} for each request as it ends, then {"over": how many}
  {"do": "stop"}                                   leave off, while it generates; nothing otherwise
An error is answered as {"error": text} and ends the process.
"""

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO


class Server:
    """One engine and the commands it takes."""

    def __init__(self, is_called_off: Callable[[], bool]) -> None:
        self.llm: Any = None
        self.is_called_off = is_called_off
        self.adapters: list[str] = []
        self.on_cpu = False

    def answers(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The answers to one command, as they come."""
        if command["do"] == "load":
            yield self.load(command["model"], command["options"])
        elif command["do"] == "swap":
            yield self.swap(command["model"])
        elif command["do"] == "generate":
            yield from self.generate(command["sampling"], command["requests"], command["adapter"])
        elif command["do"] != "stop":  # that came when all was over
            raise ValueError(f"unknown command {command['do']!r}")

    def load(self, model: str, options: dict[str, Any]) -> dict[str, Any]:
        """Start the engine."""
        import torch

        began, self.on_cpu = time.perf_counter(), not torch.cuda.is_available()
        if self.on_cpu:
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # `swap` reaches into the model
            # A seeded request whose prompt is read in parts rewinds its generator, which a CPU generator cannot do (0.32.0).
            whole = {"enable_chunked_prefill": False, "max_num_batched_tokens": max(4096, options["max_model_len"])}
            options = {**options, **whole}
        import vllm

        self.llm = vllm.LLM(model=model, skip_tokenizer_init=True, **options)
        return {"loaded": model, "engine": f"vllm {vllm.__version__}", "seconds": time.perf_counter() - began}

    def swap(self, model: str) -> dict[str, Any]:
        """Read other weights in place. Cached prefixes hold keys and values of the old ones, so they go."""
        self.llm.collective_rpc("reload_weights", kwargs={"weights_path": model})
        if self.on_cpu:
            self.llm.apply_model(_repack_head)
        if not self.llm.reset_prefix_cache():
            raise RuntimeError("the prefix cache could not be emptied; results would mix two sets of weights")
        return {"loaded": model}

    def generate(
        self, sampling: dict[str, Any], requests: list[dict[str, Any]], adapter: str | None
    ) -> Iterator[dict[str, Any]]:
        """One request an attempt (n = 1), each with its own seed: vLLM would give child i of n samples seed + i."""
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        engine = self.llm.llm_engine
        fixed, lora = {**sampling, **_repetition(sampling)}, self.lora(adapter)
        for request in requests:
            prompt = TokensPrompt(prompt_token_ids=request["prompt"])
            params = SamplingParams(
                n=1, seed=request["seed"], detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY, **fixed
            )
            engine.add_request(str(request["id"]), prompt, params, lora_request=lora)
        left = {str(request["id"]) for request in requests}
        while engine.has_unfinished_requests():
            if self.is_called_off():
                engine.abort_request(sorted(left))
                break
            for output in engine.step():
                if output.finished:
                    ended = output.outputs[0]
                    left.discard(output.request_id)
                    yield {
                        "id": int(output.request_id),
                        "tokens": list(ended.token_ids),
                        "finish_reason": str(ended.finish_reason),
                    }
        yield {"over": len(requests)}

    def lora(self, adapter: str | None) -> Any:
        """The request's name for an adapter: a number of its own for each folder, by which vLLM keeps cached prefixes apart."""
        if adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        if adapter not in self.adapters:
            self.adapters.append(adapter)
        return LoRARequest(adapter, self.adapters.index(adapter) + 1, adapter)


def _repack_head(model: Any) -> None:
    """On the CPU a head that is tied to the embedding works on a packed copy, which reloading leaves as it was (0.32.0)."""
    head = getattr(model, "lm_head", None)
    if head is not None and hasattr(head, "cpu_linear"):
        head.quant_method.process_weights_after_loading(head)


def _repetition(sampling: dict[str, Any]) -> dict[str, Any]:
    """vLLM's parameters for stopping a loop early, from plain values."""
    told = sampling.get("repetition_detection")
    if told is None:
        return {}
    from vllm.sampling_params import RepetitionDetectionParams

    return {"repetition_detection": RepetitionDetectionParams(**told)}


def serve(lines: TextIO, out: TextIO) -> int:
    """Answer commands until the input ends; the exit code."""

    def is_called_off() -> bool:
        """Whether there is another command while one is carried out, which can only be `stop`, or nobody is left to give one."""
        if not select.select([lines], [], [], 0)[0]:
            return False
        lines.readline()
        return True

    server = Server(is_called_off)
    for line in lines:
        try:
            for answer in server.answers(json.loads(line)):
                print(json.dumps(answer), file=out, flush=True)
        except Exception as error:  # whatever vLLM raises, the one who asked must hear of it
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=out, flush=True)
            raise
    return 0


def main() -> int:
    """Keep standard output for answers: vLLM and what it starts print to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return serve(sys.stdin, answers)


if __name__ == "__main__":
    sys.exit(main())
