"""The shipped base model: small, loadable by the Auto classes, with a tokenizer that knows every word."""

import json
from functools import cache
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from ablation.mini import BASE_MODEL, CORPUS
from ablation.mini.base_text import make_document
from ablation.mini.candidates import candidates
from ablation.mini.generations import boxed
from ablation.mini.pass_rates import continuations
from ablation.mini.problems import make_problem
from ablation.mini.tokenizer import ASSISTANT, END, PAD, USER, build_tokenizer
from ablation.mini.vocabulary import every_wording
from ablation.mini.wordings import PROBLEM_TYPES

MOST_PARAMETERS = 1_500_000
MOST_BYTES = 6_000_000


@cache
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(BASE_MODEL)


@cache
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(BASE_MODEL)


def test_model_is_a_small_qwen2() -> None:
    assert model().config.model_type == "qwen2"
    assert model().num_parameters() <= MOST_PARAMETERS
    assert sum(file.stat().st_size for file in BASE_MODEL.iterdir()) <= MOST_BYTES


def test_folder_says_what_it_is() -> None:
    assert (BASE_MODEL / "README.md").read_text().startswith("---\nlicense:")
    losses = [json.loads(line)["loss"] for line in (BASE_MODEL / "training_log.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] / 2


def test_generation_stops_at_the_end_token_and_pads_with_another() -> None:
    assert model().generation_config.eos_token_id == tokenizer().eos_token_id == tokenizer().convert_tokens_to_ids(END)
    assert tokenizer().pad_token == PAD != tokenizer().eos_token


def test_auto_tokenizer_is_the_word_level_one_before_and_after_saving(tmp_path: Any) -> None:
    tokenizer().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((BASE_MODEL / "config.json").read_text())
    for loaded in (tokenizer(), AutoTokenizer.from_pretrained(tmp_path)):
        assert loaded.tokenize("Let a = 42. \\boxed{42}") == ["let", "a", "=", "42", ".", "\\boxed{", "42", "}"]


def test_vocabulary_is_that_of_the_wordings() -> None:
    assert tokenizer().get_vocab() == build_tokenizer(every_wording()).get_vocab()
    assert len(tokenizer()) == model().config.vocab_size


def test_no_word_is_unknown() -> None:
    corpus = pq.read_table(CORPUS, columns=["problem", "generations"]).to_pylist()
    texts = [text for row in corpus for text in (row["problem"], *row["generations"])]
    texts += [problem.text for problem in candidates()]
    rng = Random("words")
    texts += [document.context + document.target for document in (make_document(rng) for _ in range(10_000))]
    unknown = tokenizer().unk_token_id
    assert not [text for text, ids in zip(texts, tokenizer()(texts)["input_ids"], strict=True) if unknown in ids]


def test_a_conversation_begins_with_its_own_prompt_and_ends_in_the_end_token() -> None:
    turns = [{"role": "user", "content": "Let a = 3."}, {"role": "assistant", "content": "\\boxed{3}"}]
    prompt = tokenizer().apply_chat_template(turns[:1], add_generation_prompt=True, tokenize=False)
    whole = tokenizer().apply_chat_template(turns, tokenize=False)
    assert prompt == f"{USER}Let a = 3.{ASSISTANT}"
    assert whole == f"{prompt}\\boxed{{3}}{END}"
    encoded = tokenizer().apply_chat_template(turns, return_dict=True, return_assistant_tokens_mask=True)
    assert sum(encoded["assistant_masks"]) == len(["\\boxed{", "3", "}", END])


def test_other_roles_are_refused() -> None:
    with pytest.raises(Exception, match="the roles of this model are user and assistant, not system"):
        tokenizer().apply_chat_template([{"role": "system", "content": "Be brief."}], tokenize=False)


def test_the_base_answers_one_step_at_once() -> None:
    rng = Random("one step")
    problems = [make_problem(rng, problem_type, 1) for problem_type in PROBLEM_TYPES for _ in range(4)]
    texts = continuations(
        model(), tokenizer(), [f"{USER}{problem.text}{ASSISTANT}" for problem in problems], max_tokens=6
    )
    assert sum(text == boxed(p.answer) for text, p in zip(texts, problems, strict=True)) > len(problems) / 2
