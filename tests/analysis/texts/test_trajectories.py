"""The measures of texts agree with counts by hand: phrases, repetition, and likeness by brute force over all pairs."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from ablation.analysis import Scores, analyse, load, trajectories
from ablation.analysis.records.load import Study
from ablation.analysis.texts.prose import sketches, traces
from ablation.analysis.texts.similarity import Sketches
from ablation.errors import RecordError
from tests.analysis.studies import BASE, Factors, build, factorial, name_of, row_of, save, trained

CELLS = [BASE, *factorial(category=["algebra", "diverse"], style=["r1", "gemini"], seed=[0, 1])]
Text = Callable[[Factors, int, int], str]


def _words(cell: Factors, q: int, attempt: int) -> str:
    """Forty words that depend on the style and the question, eight of them replaced at each attempt; r1 waits once."""
    fixed = np.random.default_rng([q, cell["style"] == "r1"]).integers(500, size=40)
    again = np.random.default_rng([q, attempt, CELLS.index(cell)])
    fixed[again.integers(40, size=8)] = again.integers(500, size=8)
    return " ".join(f"w{word}" for word in fixed) + (" Wait, no." if cell["style"] == "r1" else "")


def _study(folder: Path, text: Text = _words, tokens: int = 40) -> Study:
    study = build(CELLS, lambda _cell, q: q % 4)
    rows = [
        (name_of(cell), f"q{q:02}", attempt, text(cell, q, attempt))
        for cell in CELLS
        for q in range(12)
        for attempt in range(4)
    ]
    told = study.results.assign(tokens=tokens + study.results["attempt"], finish_reason="stop")
    save(replace(study, results=told), folder)
    frame = pd.DataFrame(rows, columns=["cell", "question", "attempt", "text"])
    frame.sample(frac=1, random_state=0).to_parquet(folder / "completions.parquet")
    return load(folder)


@pytest.mark.parametrize(
    ("text", "checks", "corrections"),
    [
        ("Okay, 3+4=8. Wait, 3+4=7. Check: 7-4=3. Indeed so.", 2, 1),
        ("No, that is wrong. Actually, let me double-check and verify", 2, 3),
        ("The checkerboard has no, or few, waiters; notwithstanding", 0, 0),
        ("Hold on. Let me redo this. LET ME RE-CHECK", 1, 2),
        ("", 0, 0),
    ],
)
def test_phrases_are_counted_as_a_reader_would(text: str, checks: int, corrections: int) -> None:
    found = traces(pa.array([text]))
    assert (found.self_checks[0], found.corrections[0]) == (checks, corrections)


def test_repetition_is_the_share_of_runs_of_four_that_came_before() -> None:
    texts = ["a b c d e f", "a b c d a b c d", "a " * 20, "a b", None]
    found = traces(pa.array(texts))
    assert found.repetition[:4] == pytest.approx([0, 1 / 5, 16 / 17, 0])
    assert found.words[:4] == pytest.approx([6, 8, 20, 2])
    assert np.isnan([found.repetition[4], found.words[4], found.self_checks[4]]).all()


def test_a_sketch_keeps_the_likeness_of_texts() -> None:
    rng = np.random.default_rng(0)
    long = [str(word) for word in rng.integers(10_000, size=400)]
    texts = [" ".join(long), " ".join(long[:200]), " ".join(long[200:]), "  " + "\n".join(long) + " ", "x y", "x y"]
    sets = [{tuple(text.split()[i : i + 3]) for i in range(max(len(text.split()) - 2, 1))} for text in texts]
    exact = [[len(a & b) / np.sqrt(len(a) * len(b)) for b in sets] for a in sets]
    found = sketches(pa.array(texts))
    np.testing.assert_allclose((found @ found.T).toarray(), exact, atol=0.06)


def test_likeness_is_the_mean_over_all_pairs_of_attempts(tmp_path: Path) -> None:
    study = _study(tmp_path)
    found = analyse(study).trajectories

    def sets(cell: Factors, q: int) -> list[set[tuple[str, ...]]]:
        words = [_words(cell, q, attempt).lower().split() for attempt in range(4)]
        return [{tuple(one[i : i + 3]) for i in range(len(one) - 2)} for one in words]

    def alike(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
        return float(len(a & b) / np.sqrt(len(a) * len(b)))

    one, other = trained("algebra"), trained("diverse")
    between = np.mean([alike(a, b) for q in range(12) for a, b in product(sets(one, q), sets(other, q))])
    within = np.mean([alike(a, b) for q in range(12) for a, b in combinations(sets(one, q), 2)])
    matrix = found.sketches.matrix()
    assert matrix.loc[name_of(one), name_of(other)] == pytest.approx(between, abs=0.02)
    assert matrix.loc[name_of(one), name_of(one)] == pytest.approx(within, abs=0.02)
    style = row_of(found.similarity, factor="style", tier="all")
    category = row_of(found.similarity, factor="category", tier="all")
    assert style["low"] > 0.2 and abs(style["between"]) < 0.05 and style["pairs"] == 4
    assert abs(category["difference"]) < 0.05 and category["between"] > 0.2 > category["chance"]
    assert row_of(found.similarity, factor="seed", tier="all")["pairs"] == 4
    assert row_of(found.similarity, factor="count", tier="all")["reason"] == "only one level in this study"


def test_an_embedding_may_stand_in_for_the_sketch(tmp_path: Path) -> None:
    study = _study(tmp_path)

    def one_way(texts: object) -> np.ndarray:
        return np.tile([1.0, 0.0], (len(texts), 1))  # type: ignore[arg-type]

    found = trajectories(study, Scores.of(study), one_way)
    assert found.similarity["between"].dropna().to_numpy() == pytest.approx(1)


def test_many_seeds_are_compared_as_every_two_of_them_would_be() -> None:
    """Three settings, one cell without a text at one question: what is computed in one go is the mean over all pairs."""
    cells = factorial(style=["r1", "gemini"], seed=range(5)) + factorial(length=["long"], seed=range(3))
    scores, rng = Scores.of(build(cells, lambda _cell, _q: 2)), np.random.default_rng(0)
    found = Sketches(scores, lambda texts: np.array([vectors[int(text)] for text in texts]))
    spoken = [(c, q) for c in range(len(cells)) for q in range(12) for _ in range(3) if (c, q) != (1, 4)]
    vectors = rng.normal(size=(len(spoken), 4)) + 1
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    for part in np.array_split(np.arange(len(spoken)), 3):
        where = np.array(spoken)[part]
        found.add(pa.array(map(str, part)), where[:, 0], where[:, 1])
    mean = np.array([[vectors[[at == (c, q) for at in spoken]].sum(axis=0) / 3 for q in range(12)] for c in range(13)])
    whole = [c for c in range(13) if c != 1]
    arms = [[c for c in whole if cells[c]["style"] == "gemini"], [10, 11, 12], [0, 2, 3, 4]]
    pairs = [pair for arm in arms for pair in combinations(arm, 2)]
    both = [*pairs, *((two, one) for one, two in pairs)]
    row = row_of(found.contrasts(), factor="seed", tier="all")
    assert row["pairs"] == len(pairs)
    assert row["between"] == pytest.approx(np.mean([mean[a, q] @ mean[b, q] for a, b in pairs for q in range(12)]))
    others = [mean[a, q] @ mean[b, r] for a, b in both for q in range(12) for r in range(12) if q != r]
    assert row["chance"] == pytest.approx(np.mean(others))
    within = np.array([[(9 * one @ one - 3) / 6 for one in mean_qd] for mean_qd in mean])
    assert row["within"] == pytest.approx(np.mean([within[c] for pair in pairs for c in pair]))


def test_rates_are_per_thousand_tokens_and_effects_are_paired(tmp_path: Path) -> None:
    found = analyse(_study(tmp_path)).trajectories
    assert len(found.attempts) == len(CELLS) * 48
    assert found.attempts.groupby("cell")["corrections"].sum()[name_of(trained())] == 48
    r1 = row_of(found.settings, category="algebra", style="r1", tier="hard", measure="corrections")
    assert r1["estimate"] == pytest.approx(1000 * 4 / (40 + 41 + 42 + 43)) and r1["runs"] == 2
    style = row_of(found.effects, factor="style", tier="all", measure="corrections")
    assert style["estimate"] == pytest.approx(-r1["estimate"]) and style["pairs"] == 4
    tokens = row_of(found.settings, category="algebra", style="r1", tier="all", measure="tokens")
    assert tokens["estimate"] == pytest.approx(41.5)
    assert row_of(found.settings, category="algebra", style="r1", tier="all", measure="finish_stop")["estimate"] == 1


def test_the_error_of_a_length_is_that_of_its_attempts_and_questions(tmp_path: Path) -> None:
    study = _study(tmp_path)
    lengths = np.random.default_rng(1).integers(20, 90, len(study.results))
    study = replace(study, results=study.results.assign(tokens=lengths))
    scores = Scores.of(study)
    one = row_of(trajectories(study, scores).settings, count=0, tier="all", measure="tokens")
    mine = study.results[study.results["cell"] == "base"].groupby("question")["tokens"]
    assert one["se_these"] == pytest.approx(np.sqrt((mine.var() / 4).sum()) / 12)
    assert one["se"] == pytest.approx(max(stats.sem(mine.mean()), one["se_these"]))


def test_what_was_not_recorded_has_a_reason_and_no_number(tmp_path: Path) -> None:
    study = _study(tmp_path)
    bare = replace(study, results=study.results.drop(columns=["tokens", "finish_reason"]), texts=None)
    found = trajectories(bare, Scores.of(bare))
    assert found.settings["estimate"].isna().all() and found.effects["estimate"].isna().all()
    assert set(found.settings["reason"]) == {"not recorded for every attempt"}
    assert found.similarity["between"].isna().all() and found.similarity["reason"].ne("").all()
    assert found.sketches.matrix().empty


def test_one_text_less_leaves_that_cell_out_of_the_measures_of_texts_alone(tmp_path: Path) -> None:
    study = _study(tmp_path)
    assert study.texts is not None
    texts = pd.read_parquet(study.texts)
    lost = (texts["cell"] == name_of(trained())) & (texts["question"] == "q00") & (texts["attempt"] == 0)
    texts[~lost].to_parquet(study.texts)
    found = trajectories(study, Scores.of(study)).settings
    mine = {"category": "algebra", "style": "r1", "tier": "all"}
    assert [row_of(found, **mine, measure=name)["runs"] for name in ("tokens", "repetition")] == [2, 1]


def test_a_damaged_file_of_texts_is_named(tmp_path: Path) -> None:
    study = _study(tmp_path)
    assert study.texts is not None
    study.texts.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(RecordError, match=r"completions\.parquet is not readable"):
        trajectories(study, Scores.of(study))
    pd.DataFrame({"cell": ["base"]}).to_parquet(study.texts)
    with pytest.raises(RecordError, match="lacks the columns question, attempt, text"):
        trajectories(study, Scores.of(study))
