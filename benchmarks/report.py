"""Measure a report: made-up records of a large study, its page, and the time until it is interactive in a browser.

    python -m benchmarks.report                      # 192 cells × 30 questions × 64 attempts
    python -m benchmarks.report --seeds 1 --attempts 8 --keep FOLDER

Prints a Markdown table. The time in the browser is from the start of navigation to the end of the page's script and its first
idle moment, in a headless Chromium, the median of five loads from the disk.
"""

import argparse
import json
import math
import resource
import statistics
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TIERS = {"easy": 4, "medium": 10, "hard": 12, "exh": 4}
LEVELS: dict[str, list[Any]] = {
    "category": ["algebra", "geometry", "number_theory", "diverse"],
    "count": [100, 500, 1000],
    "length": ["normal", "long"],
    "style": ["r1", "gemini"],
}
_PROSE = "let us consider the triangle so that x equals check wait therefore we find 12 hence the sum is prime"
WORDS = tuple(_PROSE.split())


def made_up(folder: Path, seeds: int, n: int, words: int) -> None:
    """Write manifest, results, completions and cells of a study whose solve rates rise with N and fall with the tier."""
    rng = np.random.default_rng(0)
    tiers = [tier for tier, size in TIERS.items() for _ in range(size)]
    ease_q = np.repeat([2.5, 0.8, -0.8, -4.0], list(TIERS.values())) + rng.normal(0, 0.7, len(tiers))
    results, texts, cells = [], [], []
    for seed, *levels in product(range(seeds), *LEVELS.values()):
        setting = dict(zip(LEVELS, levels, strict=True))
        name = f"{setting['category']}-n{setting['count']}-{setting['length']}-{setting['style']}-s{seed}"
        skill = 0.5 * np.log2(setting["count"] / 500) + 0.4 * (setting["style"] == "r1") + rng.normal(0, 0.2)
        right_qa = rng.random((len(tiers), n)) < 1 / (1 + np.exp(-(ease_q + skill)))[:, None]
        ids = {f"seed_{part}": seed for part in ("data", "train", "sample")}
        cells.append({"cell": name, "state": "done", **setting, **ids, "train_seconds": 1.0, "sample_seconds": 1.0})
        frame = pd.DataFrame({
            "cell": name, "question": np.repeat([f"q{q:02}" for q in range(len(tiers))], n),
            "tier": np.repeat(tiers, n), "attempt": np.tile(np.arange(n), len(tiers)),
            "verdict": np.where(right_qa.ravel(), "correct", "wrong"), "finish_reason": "stop",
            "tokens": rng.integers(50, 9000, right_qa.size), "extracted": rng.integers(0, 999, right_qa.size).astype(str),
        })  # fmt: skip
        results.append(frame)
        chosen = rng.choice(WORDS, (right_qa.size, words))
        texts.append(frame[["cell", "question", "attempt"]].assign(text=[" ".join(row) for row in chosen]))
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(results, ignore_index=True).to_parquet(folder / "results.parquet")
    pd.concat(texts, ignore_index=True).to_parquet(folder / "completions.parquet", row_group_size=n * len(tiers))
    pd.DataFrame(cells).to_parquet(folder / "cells.parquet")
    planned = [{"cell": cell["cell"], "planned_attempts": n * len(tiers), "key": "0" * 64} for cell in cells]
    head = {"format": 1, "study": "made-up", "n": n, "tiers": list(TIERS), "cells": planned}
    (folder / "manifest.json").write_text(json.dumps(head))


def in_browser(page: Path) -> dict[str, float]:
    """Return the milliseconds until the page can be used, medians over five loads."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        loads = []
        for _ in range(5):
            driver.get(page.as_uri())
            idle = driver.execute_async_script(
                "const done = arguments[0]; requestIdleCallback(() => done(performance.now()), {timeout: 9000});"
            )
            ready = driver.execute_script("return performance.getEntriesByType('navigation')[0].domComplete")
            loads.append((ready, idle))
        return {
            "ready": statistics.median(ready for ready, _ in loads),
            "idle": statistics.median(idle for _, idle in loads),
        }
    finally:
        driver.quit()


def main() -> None:
    """Make the study and its report, load it, and print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--attempts", type=int, default=64)
    parser.add_argument("--words", type=int, default=60, help="of each completion")
    parser.add_argument("--keep", type=Path, help="where to leave the study")
    arguments = parser.parse_args()
    from ablation.report.page import write_report

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        made_up(folder, arguments.seeds, arguments.attempts, arguments.words)
        cells = arguments.seeds * math.prod(len(levels) for levels in LEVELS.values())
        rows = []
        for name in ("first", "again, texts unchanged"):
            wall, cpu = time.monotonic(), time.process_time()
            page = write_report(folder)
            rows.append((name, time.monotonic() - wall, time.process_time() - cpu))
        texts = sum(path.stat().st_size for path in (page.parent / "texts").iterdir())
        browser = in_browser(page)
        print(
            f"| {cells} cells × {sum(TIERS.values())} questions × {arguments.attempts} attempts | measured |\n|---|---|"
        )
        for name, wall, cpu in rows:
            print(f"| analysis and report, {name} | {wall:.0f} s ({cpu:.0f} s of processor time) |")
        print(f"| peak memory | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB |")
        print(f"| page | {page.stat().st_size / 1e6:.2f} MB |")
        print(f"| texts beside it | {texts / 1e6:.0f} MB in {len(list((page.parent / 'texts').iterdir()))} files |")
        print(f"| Chromium: document complete | {browser['ready'] / 1000:.2f} s |")
        print(f"| Chromium: first idle moment after it | {browser['idle'] / 1000:.2f} s |")


if __name__ == "__main__":
    main()
