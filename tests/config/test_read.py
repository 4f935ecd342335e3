"""A wrong configuration is refused with every problem at once, each with what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from ablation.config.overrides import preflight
from ablation.config.read import read_cell, read_execution
from ablation.errors import ConfigProblems
from tests.conftest import ROOT

Composed = Callable[..., dict[str, Any]]
CONF = ROOT / "conf"


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("count.size=1e3", "count.size: given 1000.0"),
        ("count.size='500'", "count.size: given '500'"),
        ("count.size=-5", "count.size: given -5"),
        ("count.size=true", "count.size: given True"),
        ("train.epochs=0", "train.epochs: given 0"),
        ("train.learning_rate=x", "train.learning_rate: given 'x'"),
        ("train.learning_rate=nan", "train.learning_rate"),
        (
            "length.name=Normal",
            "length.name: given 'Normal'; allowed: short, normal, long, quantiles, matched; did you mean 'normal'?",
        ),
        ("length.band=0", "length.band"),
        ("sample.temperature=-1", "sample.temperature: given -1"),
        ("train.method=lora", "describe the adapter"),
        ("+train.epoch=3", "train.epoch: unknown key; allowed: method"),
        ("+trian.epochs=3", "trian: unknown section"),
        ("category.name='a b'", "category.name: given 'a b'"),
        ("category.name='../up'", "category.name: given '../up'"),
        ("seed.data=-1", "seed.data: given -1"),
        ("corpus.source.hub=x/y", "exactly one of path and hub"),
        ("length.band=0.6", "length.band"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(composed: Composed, override: str, named: str) -> None:
    with pytest.raises(ConfigProblems) as refusal:
        read_cell(composed(override))
    assert named in str(refusal.value)


def test_all_problems_are_listed_at_once(composed: Composed) -> None:
    with pytest.raises(ConfigProblems) as refusal:
        read_cell(composed("count.size=-5", "train.epochs=0", "length.name=middle"))
    assert len(refusal.value.problems) == 3


@pytest.mark.parametrize(
    "override",
    [
        "study='a;b'",
        "study=../up",
        "study=store",
        "cluster.kind=slurm",
        "cluster.workers=0",
        "tracker.mode=loud",
        "cluster.kind=cloud",
    ],
)
def test_execution_is_validated_too(composed: Composed, override: str) -> None:
    with pytest.raises(ConfigProblems):
        read_execution(composed(override))


def test_the_command_line_is_checked_as_a_whole() -> None:
    with pytest.raises(ConfigProblems) as refusal:
        preflight(["-m", "sweep=cnlz", "category=algebra,geometri", "train.epoch=3", "cluter=local"], CONF)
    told = "\n".join(refusal.value.problems)
    assert len(refusal.value.problems) == 4
    for hint in ("'cnls'", "'geometry'", "'epochs'", "'cluster'"):
        assert f"did you mean {hint}" in told


@pytest.mark.parametrize("arguments", [["sweep=cnls"], ["count=n25,n50"], ["seed=0,1"]])
def test_several_cells_need_multirun(arguments: list[str]) -> None:
    with pytest.raises(ConfigProblems, match="add -m"):
        preflight(arguments, CONF)
    assert preflight(["-m", *arguments], CONF) == ["-m", *arguments]
    assert preflight([*arguments, "--help"], CONF)[-1] == "--help"


@pytest.mark.parametrize(
    "argument", ["train.lora.rank=8", "count=n7,n25", "train.epochs", "count.size=interval(1,5)", "seed=[1,2]"]
)
def test_what_hydra_refuses_is_taught(argument: str) -> None:
    from ablation.config.sweep.cells import compose_sweep

    with pytest.raises(ConfigProblems):
        compose_sweep(["sweep=smoke", argument])


def test_one_seed_can_be_set_apart_from_the_rest() -> None:
    assert preflight(["seed.data=5", "seed=3"], CONF)[:3] == ["seed.data=3", "seed.train=3", "seed.sample=3"]
    assert preflight(["seed.data=5", "seed=3"], CONF)[-1] == "seed.data=5"
    assert preflight(["-m", "seed=1,2"], CONF) == ["-m", "seed=1,2"]


def test_a_key_is_looked_up_in_the_chosen_group() -> None:
    assert preflight(["cluster=slurm", "cluster.partition=main"], CONF) == ["cluster=slurm", "cluster.partition=main"]
    with pytest.raises(ConfigProblems, match=r"cluster.partition: unknown key; cluster has: kind, in_process, workers"):
        preflight(["cluster=local", "cluster.partition=main"], CONF)


def test_a_key_of_one_level_below_is_named() -> None:
    with pytest.raises(ConfigProblems, match=r"model.path: unknown key; model has: .*did you mean model.source.path\?"):
        preflight(["model.path=/models/qwen"], CONF)


HOSTILE = ["a\nrm -rf x", "a;b", "$(id)", "`id`", "a'b", 'a"b', "a b", "#x", "\0", "x" * 10_000, "-x", ""]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("key", ["partition", "account", "qos", "constraint"])
def test_nothing_hostile_reaches_an_sbatch_file(composed: Composed, key: str, text: str) -> None:
    content = composed("cluster=slurm")
    content["cluster"][key] = text
    with pytest.raises(ConfigProblems, match=f"cluster.{key}"):
        read_execution(content)


@pytest.mark.parametrize(
    "arguments", [["--cfg", "job"], ["--help"], ["+extra.key=1"], ["category=glob(geo*)", "-m"], []]
)
def test_what_hydra_understands_passes(arguments: list[str]) -> None:
    assert preflight(arguments, CONF) == arguments


def test_the_paper_scale_holds_the_values_of_the_study(composed: Composed) -> None:
    cell = read_cell(composed("scale=paper"))
    assert cell.train is not None
    assert cell.corpus is not None
    assert (cell.model.source.hub, cell.corpus.source.hub) == ("Qwen/Qwen2.5-32B-Instruct", "open-r1/OpenR1-Math-220k")
    assert (cell.train.learning_rate, cell.train.weight_decay, cell.train.batch, cell.train.epochs) == (
        1e-5,
        1e-4,
        32,
        5,
    )
    assert (cell.sample.n, cell.sample.temperature, cell.sample.top_p, cell.sample.max_tokens) == (8, 1.0, 1.0, 32768)
    assert (cell.train.block_tokens, cell.train.adam_beta2, cell.train.warmup_share) == (32768, 0.95, 0.05)
    assert cell.slug == "diverse-n1000-long-r1-s0"
