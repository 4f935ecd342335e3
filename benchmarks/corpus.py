"""Measure what a corpus costs: reading, encoding and sifting it once, and opening it again, against the tokenizer alone.

    python benchmarks/corpus.py                  2,000 and 20,000 rows of the shape of OpenR1-Math-220k
    python benchmarks/corpus.py --rows 500 5000 --pairs 5 1

The rows are made up: words in the proportions of a power law, numbers and LaTeX, two generations of some thousand tokens a
problem; the tokenizer is a byte-level BPE trained on such text. The share is that of the cache of ids and lengths, which is made
once for each tokenizer; sifting comes after it. Prints Markdown tables for docs/benchmarks.md. Seconds hold for this machine and
hour; what counts are the share of the tokenizer's own rate, the line through the sizes, and the memory. Where others use the
machine, the same work takes more or less time from one minute to the next, so two measurements one after the other say little:
tokenizer and corpus run in turn, two seconds each while the other is stopped, and each is given the time in which it ran. This is
done `--pairs` times at each size; the share is the median of the pairs, with the lowest and the highest beside it.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TYPES = (
    "Algebra",
    "Geometry",
    "Number Theory",
    "Combinatorics",
    "Calculus",
    "Inequalities",
    "Logic and Puzzles",
    "Other",
)
VOCABULARY = 8000
WORDS = 6000
ROW_GROUP = 1000
BOTH = ["tokenizer", "first"]
SLICE_S = 2.0
Span = tuple[float, float]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main() -> None:
    """Measure each size in a process of its own, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument(
        "--pairs", type=int, nargs="+", default=[3, 1], help="how often, at each size; the last for the rest"
    )
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "CORPUS", "MODEL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child[0], Path(given.child[1]), Path(given.child[2]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = make_tokenizer(Path(folder) / "model")
        pairs = [given.pairs[min(place, len(given.pairs) - 1)] for place in range(len(given.rows))]
        rows = [report(count, model, Path(folder), often) for count, often in zip(given.rows, pairs, strict=True)]
    print_tables(rows, given.rows)


def report(count: int, model: Path, folder: Path, pairs: int) -> dict[str, Any]:
    """Everything that is measured at one size."""
    path = make_corpus(folder / f"{count}.parquet", count)
    found: dict[str, list[dict[str, float]]] = {what: [] for what in BOTH}
    for pair in range(pairs):
        shutil.rmtree(path.with_suffix(".store"), ignore_errors=True)
        for what, one in in_turn(BOTH[:: 1 if pair % 2 == 0 else -1], path, model).items():
            found[what].append(one)
    again, megabytes = in_turn(["again"], path, model)["again"], path.stat().st_size / 1e6
    path.unlink()
    shares = {
        clock: sorted(one[clock] / two[clock] for one, two in zip(found["tokenizer"], found["first"], strict=True))
        for clock in ("wall_s", "cpu_s")
    }
    told = {
        f"{what}_{name}": statistics.median(one[name] for one in runs)
        for what, runs in found.items()
        for name in runs[0]
    }
    about = {"rows": count, "megabytes": megabytes, "pairs": pairs, "shares": shares}
    return {**told, **about, "again_wall_s": again["whole_wall_s"]}


def in_turn(whats: Sequence[str], path: Path, model: Path) -> dict[str, dict[str, float]]:
    """Each measurement in a process of its own, one running at a time, for SLICE_S seconds and then the next."""
    answers = {what: path.with_suffix(f".{what}.json") for what in whats}
    children = {what: started(what, path, model, answer) for what, answer in answers.items()}
    slices: dict[str, list[Span]] = {what: [] for what in whats}
    try:
        while running := [what for what, child in children.items() if child.poll() is None]:
            for what in running:
                slices[what].append(let_run(children[what]))
    finally:
        for child in children.values():
            child.kill()  # one that is left stopped would wait for ever
    if failed := [what for what, child in children.items() if child.returncode]:
        raise SystemExit(f"measuring failed: {', '.join(failed)}; what it said is above")
    return {what: seconds_of(json.loads(answer.read_text()), slices[what]) for what, answer in answers.items()}


def started(what: str, path: Path, model: Path, answer: Path) -> "subprocess.Popen[bytes]":
    """A process that measures, stopped; its answer goes to a file, since nobody reads a pipe meanwhile."""
    with answer.open("w") as stream:
        child = subprocess.Popen(
            [sys.executable, __file__, "--child", what, str(path), str(model)],
            stdout=stream, env={**os.environ, "TOKENIZERS_PARALLELISM": "true"},
        )  # fmt: skip
    child.send_signal(signal.SIGSTOP)
    return child


def let_run(child: "subprocess.Popen[bytes]") -> Span:
    """Let a stopped process run for SLICE_S seconds, or until it ends; from when until when it ran."""
    began = time.monotonic()
    child.send_signal(signal.SIGCONT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(SLICE_S)
    child.send_signal(signal.SIGSTOP)
    return began, time.monotonic()


def seconds_of(found: dict[str, Any], slices: list[Span]) -> dict[str, float]:
    """What a process measured: its numbers, and of each of its spans the seconds in which it was not stopped."""
    inside = {
        f"{name}wall_s": sum(
            max(0.0, min(end, until) - max(start, since)) for start, end in spans for since, until in slices
        )
        for name, spans in found["spans"].items()
    }
    return {**found["numbers"], **inside}


def measured(what: str, path: Path, model: Path) -> dict[str, Any]:
    """One measurement in this process: the bare tokenizer, the first command on a corpus, or a later one."""
    if what == "tokenizer":
        return bare(path, model)
    from ablation.data.corpus.select import find_candidates, read_usable
    from ablation.data.source import pinned_cell
    from ablation.data.tokenizer import load_tokenizer
    from ablation.jobs.run.pipeline import run_cell
    from ablation.store.store import Store

    unpinned = cell_on(path, model)
    for module in ("datasets", "pandas", "sklearn.feature_extraction.text"):
        __import__(module)
    load_tokenizer(unpinned.model)  # and with it all that transformers imports
    started, started_cpu = time.monotonic(), time.process_time()
    cell = pinned_cell(unpinned)
    pinned = time.monotonic()
    began, worked, store = time.monotonic(), time.process_time(), Store(path.with_suffix(".store"))
    run_cell(cell, store, last="pool")
    encoded, encoded_cpu = time.monotonic(), time.process_time()
    paths = run_cell(cell, store, last="sift")
    find_candidates(read_usable(paths["sift"]), cell)
    spans = {"": [(began, encoded)], "whole_": [(started, pinned), (began, time.monotonic())]}
    numbers = {"cpu_s": encoded_cpu - worked, "whole_cpu_s": time.process_time() - started_cpu}
    return {"spans": spans, "numbers": {**numbers, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}}


def bare(path: Path, model: Path) -> dict[str, Any]:
    """The tokenizer alone on all cores, on the same generations, held in memory and given in the same batches."""
    from transformers import AutoTokenizer

    backend = AutoTokenizer.from_pretrained(model).backend_tokenizer
    tokens, cpu = 0, 0.0
    spans: list[Span] = []
    for group in pq.ParquetFile(path).iter_batches(128, columns=["generations"]):
        texts = [text for row in group.to_pylist() for text in row["generations"]]
        began, worked = time.monotonic(), time.process_time()
        encoded = backend.encode_batch_fast(texts, add_special_tokens=False)
        spans.append((began, time.monotonic()))
        cpu += time.process_time() - worked
        tokens += sum(len(one) for one in encoded)
    return {"spans": {"": spans}, "numbers": {"cpu_s": cpu, "tokens": tokens}}


def cell_on(path: Path, model: Path) -> Any:
    """A cell of the study's own configuration, on this corpus and tokenizer, held against a benchmark that is here."""
    from hydra import compose, initialize_config_dir

    from ablation.config.read import plain, read_cell
    from ablation.config.sweep.cells import CONFIG_DIR

    local = [f"{name}.source.{key}=null" for name in ("corpus", "model") for key in ("hub", "revision")]
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        content = compose(
            "config",
            overrides=["scale=paper", "benchmark=mini", "count=n100", "length=normal", *local,
                       f"corpus.source.path={path}", f"model.source.path={model}"],
        )  # fmt: skip
    return read_cell(plain(content))


def texts(seed: int, count: int) -> Iterator[str]:
    """Paragraphs of made-up words in the proportions of a power law, with numbers and LaTeX in between."""
    rng = random.Random(seed)
    syllables = ["an", "so", "the", "ing", "re", "ta", "er", "lo", "mi", "qu", "ex", "ion", "st", "ar", "ve", "un"]
    made = random.Random(0)
    words = ["".join(made.choices(syllables, k=made.randint(1, 4))) for _ in range(WORDS)]
    weights = [1 / (rank + 2) for rank in range(WORDS)]
    for _ in range(count):
        chosen = rng.choices(words, weights, k=rng.randint(500, 2000))
        for at in range(0, len(chosen), 9):
            number = rng.randint(1, 999)
            chosen[at] = (
                f"{number}" if at % 2 else rf"$x_{{{number % 10}}}^2 + \frac{{{number}}}{{7}} = {number % 97}$,"
            )
        yield " ".join(chosen)


def make_corpus(path: Path, count: int) -> Path:
    """Rows in the schema of OpenR1-Math-220k, two generations each, written in row groups of a thousand."""
    writer = None
    for start in range(0, count, ROW_GROUP):
        numbers = range(start, min(start + ROW_GROUP, count))
        generations = list(texts(start + 1, 2 * len(numbers)))
        rows = [row(number, generations[2 * at : 2 * at + 2]) for at, number in enumerate(numbers)]
        table = pa.Table.from_pylist(rows)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()
    return path


def row(number: int, generations: list[str]) -> dict[str, Any]:
    """One problem; in every tenth only the second checker marks the right generation."""
    problem = f"Problem {number}: {generations[0][:240]}"
    read = number % 10 != 0
    return {
        "problem": problem, "solution": generations[1][:800], "answer": str(number), "problem_type": TYPES[number % len(TYPES)],
        "question_type": "math-word-problem", "source": "made_up", "uuid": f"row-{number}",
        "is_reasoning_complete": [True, True], "generations": generations, "correctness_math_verify": [read, read],
        "correctness_llama": [True, True], "finish_reasons": ["stop", "stop"], "correctness_count": 2,
        "messages": [{"role": "user", "content": problem}, {"role": "assistant", "content": generations[0]}],
    }  # fmt: skip


def make_tokenizer(folder: Path) -> Path:
    """A byte-level BPE with ChatML, trained on text of the same kind."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(0, 300), trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=special[2], pad_token=special[0]
    )
    fast.chat_template = CHATML
    fast.save_pretrained(folder)
    return folder


def print_tables(found: list[dict[str, Any]], sizes: list[int]) -> None:
    """The Markdown tables."""
    command = "python benchmarks/corpus.py" + ("" if sizes == [2000, 20000] else f" --rows {' '.join(map(str, sizes))}")
    heads = " | ".join(f"{one['rows']:,.0f} rows" for one in found)
    print(f"\n`{command}`; in brackets the processor time of all threads\n\n| what | {heads} |")
    print("|---|" + "---|" * len(found))
    lines = [
        ("Parquet file", [f"{one['megabytes']:,.0f} MB" for one in found]),
        ("tokens of the generations", [f"{one['tokenizer_tokens'] / 1e6:,.1f} million" for one in found]),
        ("the tokenizer alone, all cores", [both(one, "tokenizer") for one in found]),
        ("read, encode and write: the cache", [both(one, "first") for one in found]),
        ("measured", [f"{one['pairs']} times" for one in found]),
        ("share of the tokenizer's rate", [share(one) for one in found]),
        (
            "the same, with the checksum, and sifted: duplicates, contamination",
            [both(one, "first_whole") for one in found],
        ),
        ("peak memory", [f"{one['first_peak_gb']:.2f} GB" for one in found]),
        (
            "opened again, in a new process, with the checksum of the file",
            [f"{one['again_wall_s']:.2f} s" for one in found],
        ),
    ]
    for name, values in lines:
        print(f"| {name} | {' | '.join(values)} |")
    if len(found) > 1:
        print(
            f"\nThe line through all of it: {line(found, 'first_whole_wall_s')}; in processor time: "
            f"{line(found, 'first_whole_cpu_s')}."
        )


def both(one: dict[str, Any], what: str) -> str:
    """Wall time, and processor time of all threads."""
    return f"{one[f'{what}_wall_s']:.1f} s ({one[f'{what}_cpu_s']:.1f} s)"


def share(one: dict[str, Any]) -> str:
    """How much of the whole is the tokenizer, by both clocks: the median of the pairs, with the lowest and the highest."""
    texts = [
        f"{100 * statistics.median(found):.0f} %"
        + (f", {100 * found[0]:.0f} to {100 * found[-1]:.0f}" if len(found) > 1 else "")
        for found in one["shares"].values()
    ]
    return f"{texts[0]} ({texts[1]})"


def line(found: list[dict[str, Any]], what: str) -> str:
    """The line through the first and the last size."""
    first, last = found[0], found[-1]
    slope = (last[what] - first[what]) / (last["rows"] - first["rows"])
    return f"{first[what] - slope * first['rows']:.1f} s + {1000 * slope:.2f} s for 1,000 rows"


if __name__ == "__main__":
    main()
