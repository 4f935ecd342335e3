"""The reference engine: `generate` of transformers, batched with a cache, each row drawing from its own stream."""

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from ablation.evaluation.sampling.planned_attempts import PlannedAttempt, SamplingRun, SamplingUnit
from ablation.evaluation.sampling.seeds import uniforms
from ablation.specs import Sample
from ablation.store.interrupt import StopRequest
from ablation.store.records import Completion

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SEGMENT_TOKENS = 24


class InverseCdf(LogitsProcessor):
    """Turns greedy decoding into seeded sampling: row r at step t takes the token where its CDF passes ``uniforms[r, t]``.

    Inverse transform sampling needs one uniform a token, so a row's stream does not depend on what else is in the batch.
    """

    def __init__(self, draws: torch.Tensor, prompt_tokens: int) -> None:
        self.draws, self.prompt_tokens = draws, prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] → the same shape with 0 at the drawn token and −inf elsewhere."""
        cdf = scores.double().softmax(dim=-1).cumsum(dim=-1)
        draw = self.draws[:, input_ids.shape[1] - self.prompt_tokens, None].to(cdf.device)
        token = torch.searchsorted(cdf, draw * cdf[:, -1:], right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)


def unit_rows(sample: Sample) -> int:
    """A batch: its rows reach each other's last bits."""
    return sample.batch_rows


def version(_sample: Sample) -> str:
    """Return the name and version of the library."""
    return f"transformers {transformers.__version__}"


def generate(
    sampling: SamplingRun, units: Sequence[SamplingUnit], halt: StopRequest
) -> Generator[list[Completion], None, None]:
    """The completions of each unit, which is one batch. Deterministic for equal weights, unit, spec and thread count.

    Loads nothing when there are no units. Raises Interrupted, looking at `halt` between segments of a batch.
    """
    if not units:
        return
    tokenizer = sampling.tokenizer
    dtype = torch.bfloat16 if sampling.sample.precision == "bf16" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(
        sampling.weights,
        revision=sampling.revision,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=sampling.trust_remote_code,
    )
    if sampling.adapter:
        model.load_adapter(sampling.adapter)
    model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
    model.eval()  # type: ignore[no-untyped-call]
    # What a model's folder suggests (repetition penalties, suppressed tokens) is not part of the cell, so it must not act.
    tokens = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    model.generation_config = GenerationConfig(**tokens)  # type: ignore[no-untyped-call]
    for unit in units:
        yield list(_generate_batch(model, sampling, unit, halt))


def _generate_batch(model: Any, sampling: SamplingRun, unit: SamplingUnit, halt: StopRequest) -> Iterator[Completion]:
    """One batch in segments: `generate` computes every row until the last one ends, so ended rows leave between segments."""
    sample, tokenizer = sampling.sample, sampling.tokenizer
    rows, batch = list(unit), _first_batch(model, tokenizer, unit)
    draws, width = _draws(rows, sample, sampling.seed), batch["input_ids"].shape[1]
    for start in range(0, sample.max_tokens, _SEGMENT_TOKENS):
        halt.check()
        with torch.inference_mode():
            output = model.generate(
                **batch,
                logits_processor=_processors(draws, sample, width),
                do_sample=False,
                max_new_tokens=min(_SEGMENT_TOKENS, sample.max_tokens - start),
                return_dict_in_generate=True,
            )
        generated = output.sequences[:, width:]
        going_on = ~(generated == tokenizer.eos_token_id).any(dim=1) & (generated.shape[1] < sample.max_tokens)
        ended = (~going_on).nonzero().flatten().tolist()
        yield from (_completion(rows[index], generated[index].tolist(), tokenizer) for index in ended)
        kept = going_on.nonzero().flatten()
        if not len(kept):
            return
        rows, draws = [rows[index] for index in kept.tolist()], draws[kept.cpu()]
        batch = _next_batch(batch, output, kept)


def _first_batch(model: Any, tokenizer: "PreTrainedTokenizerBase", rows: Sequence[PlannedAttempt]) -> dict[str, Any]:
    width = max(len(row.prompt) for row in rows)
    padding = [width - len(row.prompt) for row in rows]
    ids = [[tokenizer.pad_token_id] * pad + list(row.prompt) for pad, row in zip(padding, rows, strict=True)]
    mask = [[0] * pad + [1] * (width - pad) for pad in padding]
    return {
        "input_ids": torch.tensor(ids, device=model.device),
        "attention_mask": torch.tensor(mask, device=model.device),
        "past_key_values": DynamicCache(config=model.config),
    }


def _next_batch(batch: dict[str, Any], output: Any, kept: torch.Tensor) -> dict[str, Any]:
    mask, ids = batch["attention_mask"][kept], output.sequences[kept]
    seen = torch.ones((len(kept), ids.shape[1] - mask.shape[1]), dtype=mask.dtype, device=mask.device)
    output.past_key_values.batch_select_indices(kept)
    return {
        "input_ids": ids,
        "attention_mask": torch.cat([mask, seen], dim=1),
        "past_key_values": output.past_key_values,
    }


def _draws(rows: Sequence[PlannedAttempt], sample: Sample, seed: int) -> torch.Tensor:
    """The uniforms of each row, shape [rows, max_tokens]."""
    return torch.from_numpy(np.stack([uniforms(seed, row.question, row.attempt, sample.max_tokens) for row in rows]))


def _processors(draws: torch.Tensor, sample: Sample, width: int) -> LogitsProcessorList:
    if sample.temperature == 0:
        return LogitsProcessorList()
    warpers: list[LogitsProcessor] = [TemperatureLogitsWarper(sample.temperature)]
    if sample.top_p < 1:
        warpers.append(TopPLogitsWarper(sample.top_p))
    return LogitsProcessorList([*warpers, InverseCdf(draws, width)])


def _completion(row: PlannedAttempt, ids: list[int], tokenizer: "PreTrainedTokenizerBase") -> Completion:
    end = ids.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in ids else None
    text = tokenizer.decode(ids[:end], skip_special_tokens=True)
    tokens = len(ids) if end is None else end + 1
    reason = "length" if end is None else "stop"
    return Completion.model_validate(
        {"question": row.question, "attempt": row.attempt, "text": text, "tokens": tokens, "finish_reason": reason}
    )
