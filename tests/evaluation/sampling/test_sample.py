"""Every planned attempt has one completion, drawn from a random stream of its own that nothing else decides."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from ablation.data.benchmark import read_questions
from ablation.data.source import local_path
from ablation.data.tokenizer import load_tokenizer, prompt_ids
from ablation.errors import ConfigProblems, RecordError
from ablation.evaluation.sampling.adapter import adapter_rank, holds_adapter
from ablation.evaluation.sampling.planned_attempts import SamplingRun, plan_attempts, split_into_units
from ablation.evaluation.sampling.sample import _units
from ablation.evaluation.sampling.seeds import stream_seed, uniforms
from ablation.evaluation.sampling.transformers_engine import InverseCdf, generate
from ablation.evaluation.sampling.vllm_process import EngineError, gpu_shares
from ablation.specs.cell import Cell
from ablation.store.interrupt import StopRequest
from ablation.store.records import Completion
from tests.conftest import ROOT

CellOf = Callable[..., Cell]


def test_no_two_attempts_share_a_stream() -> None:
    keys = [(seed, question, attempt) for seed in range(4) for question in ("1", "11", "111") for attempt in range(64)]
    assert len({stream_seed(*key) for key in keys}) == len(keys)
    assert len({stream_seed(*key) % 2**32 for key in keys}) == len(keys)  # what vLLM on a CPU takes of it


def test_an_engine_that_takes_single_requests_is_asked_every_question_before_any_twice(cell_of: CellOf) -> None:
    cell = cell_of("sample.n=3")
    tokenizer, questions = load_tokenizer(cell.model), read_questions(cell.benchmark)
    units = _units(cell, tokenizer, questions, range(3), rows=1)
    asked = [row.question for (row,) in units]
    assert all(set(asked[start : start + 40]) == {one.id for one in questions} for start in (0, 40, 80))


@given(st.sets(st.tuples(st.integers(0, 2**31), st.text(max_size=9), st.integers(0, 2**20)), min_size=2, max_size=40))
def test_no_two_of_any_attempts_share_a_stream(attempts: set[tuple[int, str, int]]) -> None:
    """Of a cell, its replicate seeds, and questions of whatever name: seeds and numbers that run together are told apart."""
    assert len({stream_seed(*one) for one in attempts}) == len(attempts)
    assert len({stream_seed(*one) % 2**63 for one in attempts}) == len(attempts)  # what vLLM is given


@given(st.integers(0, 9), st.text(max_size=5), st.integers(0, 99))
def test_a_stream_is_a_function_of_its_attempt_alone(seed: int, question: str, attempt: int) -> None:
    assert np.array_equal(uniforms(seed, question, attempt, 8), uniforms(seed, question, attempt, 16)[:8])


def test_inverse_cdf_draws_from_the_softmax() -> None:
    rows = 20_000
    draws = torch.from_numpy(np.random.default_rng(0).random((rows, 1)))
    scores = torch.tensor([[0.0, 1.0, 2.0, -torch.inf]]).expand(rows, -1)
    token = InverseCdf(draws, prompt_tokens=3)(torch.zeros((rows, 3), dtype=torch.long), scores).argmax(dim=-1)
    observed = torch.bincount(token, minlength=4) / rows
    # Four standard errors of a proportion of one half.
    torch.testing.assert_close(observed, scores[0].softmax(dim=-1), atol=4 * 0.5 / rows**0.5, rtol=0)
    assert observed[3] == 0


def test_an_extreme_draw_still_names_a_possible_token() -> None:
    scores = torch.tensor([[0.0, 0.0, -torch.inf], [0.0, 0.0, -torch.inf]])
    drawn = InverseCdf(torch.tensor([[0.0], [np.nextafter(1, 0)]]), 0)(torch.zeros((2, 0), dtype=torch.long), scores)
    assert drawn.argmax(dim=-1).tolist() == [0, 1]


@pytest.fixture
def sampled(cell_of: CellOf) -> Callable[..., list[Completion]]:
    """Completions of the base model on the first questions."""

    def run(*overrides: str) -> list[Completion]:
        torch.set_num_threads(1)
        cell = cell_of("sample.max_tokens=40", "sample.n=3", "sample.temperature=1.0", *overrides)
        place = local_path(cell.model.source)
        questions = read_questions(cell.benchmark)[-6:]
        tokenizer = load_tokenizer(cell.model)
        units = split_into_units(plan_attempts(tokenizer, questions, range(cell.sample.n)), cell.sample.batch_rows)
        batches = generate(
            SamplingRun(str(place), None, tokenizer, cell.sample, cell.seed.sample), units, StopRequest()
        )
        return sorted((row for batch in batches for row in batch), key=lambda row: (row.question, row.attempt))

    return run


def test_every_planned_attempt_has_one_completion(sampled: Callable[..., list[Completion]]) -> None:
    rows = sampled()
    assert len({(row.question, row.attempt) for row in rows}) == len(rows) == 18
    assert all(1 <= row.tokens <= 40 for row in rows)
    assert {row.tokens for row in rows if row.finish_reason == "length"} <= {40}


def test_the_same_seed_gives_the_same_text_and_another_seed_another(sampled: Callable[..., list[Completion]]) -> None:
    assert sampled() == sampled()
    assert sampled() != sampled("seed.sample=1")


def test_the_batch_does_not_choose_the_text(sampled: Callable[..., list[Completion]]) -> None:
    """Ended rows leave, rows are padded to their neighbours: none of it may reach the sampling."""
    assert [row.text for row in sampled("sample.batch_rows=1")] == [row.text for row in sampled("sample.batch_rows=18")]


def test_what_the_model_folder_suggests_does_not_act(
    cell_of: CellOf, sampled: Callable[..., list[Completion]], tmp_path: Path
) -> None:
    base = local_path(cell_of().model.source)
    assert base is not None
    shutil.copytree(base, tmp_path / "base")
    hostile = {
        "eos_token_id": 0,
        "repetition_penalty": 3.0,
        "min_new_tokens": 30,
        "suppress_tokens": [5, 6],
        "temperature": 9.0,
        "do_sample": True,
    }
    (tmp_path / "base/generation_config.json").write_text(json.dumps(hostile))
    assert sampled(f"model.source.path={tmp_path}/base") == sampled()


def test_temperature_zero_is_greedy_decoding(cell_of: CellOf, sampled: Callable[..., list[Completion]]) -> None:
    cell = cell_of()
    place, tokenizer = local_path(cell.model.source), load_tokenizer(cell.model)
    model = AutoModelForCausalLM.from_pretrained(str(place), dtype=torch.float32)
    question = read_questions(cell.benchmark)[-1]
    ids = prompt_ids(tokenizer, question.problem)
    for _ in range(40):  # a loop without a cache, as a reference
        token = int(model(torch.tensor([ids])).logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            break
        ids.append(token)
    wanted = tokenizer.decode(ids[len(prompt_ids(tokenizer, question.problem)) :], skip_special_tokens=True)
    assert {row.text for row in sampled("sample.temperature=0") if row.question == question.id} == {wanted}


@pytest.mark.parametrize(
    ("visible", "shares"),
    [(None, ["0,1", "2,3"]), ("4,5,6,7", ["4,5", "6,7"]), ("GPU-a,GPU-b,GPU-c,GPU-d", ["GPU-a,GPU-b", "GPU-c,GPU-d"])],
)
def test_engines_that_share_the_attempts_have_gpus_of_their_own(visible: str | None, shares: list[str]) -> None:
    assert gpu_shares(visible, 2, 2) == shares
    assert gpu_shares(visible, 1, 2) == [None]  # sees what there is
    assert gpu_shares("", 3, 1) == [None] * 3  # none are to be seen, as on a CPU
    with pytest.raises(EngineError, match="need 4 GPUs; visible: 0,1,2"):
        gpu_shares("0,1,2", 2, 2)


def test_rounds_ask_every_question_before_any_again(cell_of: CellOf) -> None:
    cell = cell_of()
    questions, tokenizer = read_questions(cell.benchmark), load_tokenizer(cell.model)
    rows = plan_attempts(tokenizer, questions, range(3), in_rounds=True)
    assert [row.attempt for row in rows] == sorted([0, 1, 2] * len(questions))
    assert set(rows) == set(plan_attempts(tokenizer, questions, range(3)))


@pytest.mark.parametrize(
    ("change", "is_alike"),
    [({}, True), ({"dtype": "bfloat16", "pad_token_id": 1, "use_cache": True}, True), ({"rope_theta": 5000.0}, False),
     ({"num_hidden_layers": 2, "layer_types": ["full_attention"] * 2}, False), ({"hidden_size": 48}, False)],
)  # fmt: skip
def test_an_engine_serves_weights_of_its_own_architecture_alone(
    change: dict[str, Any], is_alike: bool, tmp_path: Path
) -> None:
    from ablation.evaluation.sampling.vllm_engine import _architecture

    base = ROOT / "ablation/mini/data/base"
    one = AutoConfig.from_pretrained(base)
    if "rope_theta" in change:
        change = {"rope_parameters": {**one.rope_parameters, **change}}
    AutoConfig.from_pretrained(base, **change).save_pretrained(tmp_path)
    other = AutoConfig.from_pretrained(tmp_path)
    assert (_architecture(one) == _architecture(other)) == is_alike


@pytest.mark.parametrize("asked", ["sample.tensor_parallel=2", "sample.data_parallel=2", "sample.kv_cache=fp8"])
def test_what_only_vllm_can_is_refused_of_the_other_engine(cell_of: CellOf, asked: str) -> None:
    with pytest.raises(ConfigProblems, match="of engine=vllm"):
        cell_of(asked)


def test_a_folder_with_half_an_adapter_is_refused(tmp_path: Path) -> None:
    assert not holds_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "rank_pattern": {"q_proj": 12}}))
    with pytest.raises(RecordError, match=r"no adapter_model\.safetensors"):
        holds_adapter(tmp_path)
    assert adapter_rank(tmp_path) == 12
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(RecordError, match="damaged"):
        adapter_rank(tmp_path)


def test_vllm_is_not_asked_for_more_positions_than_the_model_has(cell_of: CellOf) -> None:
    """The study's 32,768 new tokens are all that its model has, prompt included."""
    from ablation.evaluation.sampling.vllm_engine import _config, _options

    def room(max_tokens: int, questions: slice) -> int:
        cell = cell_of(f"sample.max_tokens={max_tokens}")
        place, tokenizer = local_path(cell.model.source), load_tokenizer(cell.model)
        rows = plan_attempts(tokenizer, read_questions(cell.benchmark)[questions], range(1))
        sampling = SamplingRun(str(place), None, tokenizer, cell.sample, 0)
        found = _options(sampling, rows, _config(sampling))["max_model_len"]
        return int(found)

    positions = json.loads((ROOT / "ablation/mini/data/base/config.json").read_text())["max_position_embeddings"]
    assert room(positions, slice(None)) == positions
    assert room(100, slice(None)) == room(100, slice(1)) == 228  # so one engine serves both
