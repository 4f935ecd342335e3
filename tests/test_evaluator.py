"""What makes rates of two cells comparable, and what does not matter."""

from collections.abc import Callable
from pathlib import Path

from ablation.cell import Cell
from ablation.evaluator import EVALUATOR_FILE, evaluator
from ablation.records import write_json


def test_only_what_decides_an_attempts_chances_makes_another_evaluator(
    cell_of: Callable[..., Cell], tmp_path: Path
) -> None:
    plain = evaluator(cell_of(), tmp_path)
    assert plain.startswith("transformers-float32-")
    for same in ("sample.n=64", "sample.batch_rows=3", "count=n50", "seed.sample=4", "seed.train=1"):
        assert evaluator(cell_of(same), tmp_path) == plain
    for other in ("sample.temperature=1.0", "sample.top_p=0.9", "sample.max_tokens=99", "sample.precision=bf16"):
        assert evaluator(cell_of(other), tmp_path) != plain


def test_the_engines_own_word_counts(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    before = evaluator(cell_of(), tmp_path)
    write_json(tmp_path / EVALUATOR_FILE, {"engine": "1.0", "template": "a"})
    first = evaluator(cell_of(), tmp_path)
    write_json(tmp_path / EVALUATOR_FILE, {"engine": "1.1", "template": "a"})
    assert len({before, first, evaluator(cell_of(), tmp_path)}) == 3
