"""Measure a corpus: reading, encoding and sifting it once, and opening it again, against the tokenizer alone.

    python benchmarks/corpus.py                  2,000 and 20,000 rows of the shape of OpenR1-Math-220k
    python benchmarks/corpus.py --rows 500 5000 --pairs 5 1

The rows are made up: words in the proportions of a power law, numbers and LaTeX, two generations of some thousand tokens a
problem; the tokenizer is a byte-level BPE trained on such text. The share is that of the cache of ids and lengths, which is made
once for each tokenizer; sifting comes after it. Prints Markdown tables for docs/benchmarks.md. Seconds hold for this machine and
hour; what carries over are the share of the tokenizer's own rate, the line through the sizes, and the memory. Where others use
the machine, the same work takes more or less time from one minute to the next, so two measurements in a row say little:
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
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measured(arguments.child[0], Path(arguments.child[1]), Path(arguments.child[2]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = make_tokenizer(Path(folder) / "model")
        pairs = [arguments.pairs[min(index, len(arguments.pairs) - 1)] for index in range(len(arguments.rows))]
        rows = [report(count, model, Path(folder), often) for count, often in zip(arguments.rows, pairs, strict=True)]
    print_tables(rows, arguments.rows)


def report(count: int, model: Path, folder: Path, pairs: int) -> dict[str, Any]:
    """Measure everything at one size and return the medians."""
    path = make_corpus(folder / f"{count}.parquet", count)
    measurements: dict[str, list[dict[str, float]]] = {name: [] for name in BOTH}
    for pair in range(pairs):
        shutil.rmtree(path.with_suffix(".store"), ignore_errors=True)
        for name, measurement in in_turn(BOTH[:: 1 if pair % 2 == 0 else -1], path, model).items():
            measurements[name].append(measurement)
    again, megabytes = in_turn(["again"], path, model)["again"], path.stat().st_size / 1e6
    path.unlink()
    shares = {
        clock: sorted(
            alone[clock] / whole[clock]
            for alone, whole in zip(measurements["tokenizer"], measurements["first"], strict=True)
        )
        for clock in ("wall_s", "cpu_s")
    }
    medians = {
        f"{name}_{number}": statistics.median(run[number] for run in runs)
        for name, runs in measurements.items()
        for number in runs[0]
    }
    about = {"rows": count, "megabytes": megabytes, "pairs": pairs, "shares": shares}
    return {**medians, **about, "again_wall_s": again["whole_wall_s"]}


def in_turn(whats: Sequence[str], path: Path, model: Path) -> dict[str, dict[str, float]]:
    """Run each measurement in a process of its own, one at a time for SLICE_S seconds and then the next."""
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
    """Start a process that measures, and stop it; its answer goes to a file, since nobody reads a pipe meanwhile."""
    with answer.open("w") as stream:
        child = subprocess.Popen(
            [sys.executable, __file__, "--child", what, str(path), str(model)],
            stdout=stream, env={**os.environ, "TOKENIZERS_PARALLELISM": "true"},
        )  # fmt: skip
    child.send_signal(signal.SIGSTOP)
    return child


def let_run(child: "subprocess.Popen[bytes]") -> Span:
    """Let a stopped process run for SLICE_S seconds, or until it ends; return the moments of start and end."""
    began = time.monotonic()
    child.send_signal(signal.SIGCONT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(SLICE_S)
    child.send_signal(signal.SIGSTOP)
    return began, time.monotonic()


def seconds_of(record: dict[str, Any], slices: list[Span]) -> dict[str, float]:
    """Return the numbers of a process, and of each of its spans the seconds in which it was not stopped."""
    inside = {
        f"{name}wall_s": sum(
            max(0.0, min(end, until) - max(start, since)) for start, end in spans for since, until in slices
        )
        for name, spans in record["spans"].items()
    }
    return {**record["numbers"], **inside}


def measured(what: str, path: Path, model: Path) -> dict[str, Any]:
    """Measure in this process: the bare tokenizer, the first command on a corpus, or a later one."""
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
    """Measure the tokenizer alone on all cores, on the same generations, held in memory and passed in the same batches."""
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
        tokens += sum(len(encoding) for encoding in encoded)
    return {"spans": {"": spans}, "numbers": {"cpu_s": cpu, "tokens": tokens}}


def cell_on(path: Path, model: Path) -> Any:
    """Return a cell of the study's configuration, on this corpus and tokenizer, held against the embedded benchmark."""
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
    """Yield paragraphs of made-up words in the proportions of a power law, with numbers and LaTeX in between."""
    rng = random.Random(seed)
    syllables = ["an", "so", "the", "ing", "re", "ta", "er", "lo", "mi", "qu", "ex", "ion", "st", "ar", "ve", "un"]
    syllable_rng = random.Random(0)
    words = ["".join(syllable_rng.choices(syllables, k=syllable_rng.randint(1, 4))) for _ in range(WORDS)]
    weights = [1 / (rank + 2) for rank in range(WORDS)]
    for _ in range(count):
        chosen = rng.choices(words, weights, k=rng.randint(500, 2000))
        for index in range(0, len(chosen), 9):
            number = rng.randint(1, 999)
            chosen[index] = (
                f"{number}" if index % 2 else rf"$x_{{{number % 10}}}^2 + \frac{{{number}}}{{7}} = {number % 97}$,"
            )
        yield " ".join(chosen)


def make_corpus(path: Path, count: int) -> Path:
    """Write rows in the schema of OpenR1-Math-220k, two generations each, in row groups of a thousand."""
    writer = None
    for start in range(0, count, ROW_GROUP):
        numbers = range(start, min(start + ROW_GROUP, count))
        generations = list(texts(start + 1, 2 * len(numbers)))
        rows = [row(number, generations[2 * index : 2 * index + 2]) for index, number in enumerate(numbers)]
        table = pa.Table.from_pylist(rows)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()
    return path


def row(number: int, generations: list[str]) -> dict[str, Any]:
    """Return one problem; in every tenth only the second checker marks the right generation."""
    problem = f"Problem {number}: {generations[0][:240]}"
    is_marked = number % 10 != 0
    return {
        "problem": problem, "solution": generations[1][:800], "answer": str(number), "problem_type": TYPES[number % len(TYPES)],
        "question_type": "math-word-problem", "source": "made_up", "uuid": f"row-{number}",
        "is_reasoning_complete": [True, True], "generations": generations, "correctness_math_verify": [is_marked, is_marked],
        "correctness_llama": [True, True], "finish_reasons": ["stop", "stop"], "correctness_count": 2,
        "messages": [{"role": "user", "content": problem}, {"role": "assistant", "content": generations[0]}],
    }  # fmt: skip


def make_tokenizer(folder: Path) -> Path:
    """Train a byte-level BPE with ChatML on text of the same kind and save it."""
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


def print_tables(results: list[dict[str, Any]], sizes: list[int]) -> None:
    """Print the Markdown tables."""
    command = "python benchmarks/corpus.py" + ("" if sizes == [2000, 20000] else f" --rows {' '.join(map(str, sizes))}")
    heads = " | ".join(f"{result['rows']:,.0f} rows" for result in results)
    print(f"\n`{command}`; in brackets the processor time of all threads\n\n| what | {heads} |")
    print("|---|" + "---|" * len(results))
    lines = [
        ("Parquet file", [f"{result['megabytes']:,.0f} MB" for result in results]),
        ("tokens of the generations", [f"{result['tokenizer_tokens'] / 1e6:,.1f} million" for result in results]),
        ("the tokenizer alone, all cores", [both(result, "tokenizer") for result in results]),
        ("read, encode and write: the cache", [both(result, "first") for result in results]),
        ("measured", [f"{result['pairs']} times" for result in results]),
        ("share of the tokenizer's rate", [share(result) for result in results]),
        (
            "the same, with the checksum, and sifted: duplicates, contamination",
            [both(result, "first_whole") for result in results],
        ),
        ("peak memory", [f"{result['first_peak_gb']:.2f} GB" for result in results]),
        (
            "opened again, in a new process, with the checksum of the file",
            [f"{result['again_wall_s']:.2f} s" for result in results],
        ),
    ]
    for name, values in lines:
        print(f"| {name} | {' | '.join(values)} |")
    if len(results) > 1:
        print(
            f"\nThe line through all of it: {line(results, 'first_whole_wall_s')}; in processor time: "
            f"{line(results, 'first_whole_cpu_s')}."
        )


def both(result: dict[str, Any], what: str) -> str:
    """Return wall time, and processor time of all threads, in words."""
    return f"{result[f'{what}_wall_s']:.1f} s ({result[f'{what}_cpu_s']:.1f} s)"


def share(result: dict[str, Any]) -> str:
    """Return the tokenizer's share of the whole, by both clocks: the median of the pairs, with the lowest and the highest."""
    texts = [
        f"{100 * statistics.median(values):.0f} %"
        + (f", {100 * values[0]:.0f} to {100 * values[-1]:.0f}" if len(values) > 1 else "")
        for values in result["shares"].values()
    ]
    return f"{texts[0]} ({texts[1]})"


def line(results: list[dict[str, Any]], what: str) -> str:
    """Return the line through the first and the last size, in words."""
    first, last = results[0], results[-1]
    slope = (last[what] - first[what]) / (last["rows"] - first["rows"])
    return f"{first[what] - slope * first['rows']:.1f} s + {1000 * slope:.2f} s for 1,000 rows"


if __name__ == "__main__":
    main()
