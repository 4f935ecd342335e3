"""Training on the test: found however it is written, and not seen where it is not."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablation.data.corpus.contamination import BenchmarkQuestion, Contamination
from ablation.data.corpus.normalise import problem_key, words
from tests.conftest import ROOT

AIME = ROOT.parent / "shared/data/aime24.jsonl"
ASKED = (
    r"Let $x$, $y$ and $z$ be positive real numbers with $\log_2\left(\dfrac{x}{yz}\right) = \frac{1}{2}$ and $x \leq 1{,}000$. "
    r"Find $x^4 + y$."
)
SAME = "let x, y and z be POSITIVE real numbers with log_2( x/(yz) ) = 1/2, and x ≤ 1000; find x^{4}+y"


def check(*problems: str, ngram: int | None = 8, share: float = 0.5) -> Contamination:
    return Contamination(
        [BenchmarkQuestion("b", str(number), text) for number, text in enumerate(problems)], ngram, share
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ASKED, SAME),
        (r"$\tfrac{\frac{a}{b}}{c}$", "a / b / c"),
        ("a right-angled triangle", "A right angled\n\ttriangle."),
        (r"$2\times3$", "2 · 3"),
        (r"$\text{if } n \ne 0$", "If n ≠ 0"),
        ("the angle is 30°", r"the angle is $30^{\circ}$"),
        (r"\frac12 + \frac{x}3 + \frac a b + \frac\pi2", "1/2 + x/3 + a/b + π/2"),
        (r"$\sin\theta + \varphi\lambda$", "sin θ + φλ"),
        (r"as $x \to \infty$, $x\in\mathbb{R}\setminus\emptyset$", "As x → ∞, x ∈ ℝ ∖ ∅"),
        (r"$\lfloor x\rfloor$ in $\triangle ABC$, $\angle A = 90^\circ$", "⌊x⌋ in △ABC, ∠A = 90°"),
        ("Cauchy–Schwarz, non–zero, pages 3–4", "Cauchy-Schwarz, non-zero, pages 3-4"),
        (r"$\frac\alpha 2$, ½ of ∆ABC", r"$\frac{\alpha}{2}$, $\frac12$ of $\triangle ABC$"),
        (r"\begin{align*} x &= 1 \\ y &\equiv 2 \pmod{7} \end{align*}", r"\[x = 1, y ≡ 2 (mod 7)\]"),
        (r"\begin{array}{|cc|}\hline 1 & 2\end{array}", "1 2"),
        (r"$\lvert x\rvert \le \displaystyle\sum a_i \pm \ell$", "|x| ≤ ∑ a_i ± l"),
    ],
)
def test_one_problem_written_in_two_ways_has_the_same_words(one: str, other: str) -> None:
    assert words(one) == words(other)
    assert problem_key(one) == problem_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2 + 3", "2 - 3"),
        ("2 * 3", "2 / 3"),
        ("5!", "5"),
        ("12 3", "1 23"),
        ("2^{10}", "210"),
        ("x < y", "x > y"),
        ("sin α", "sin β"),
        (r"\frac12", r"\frac21"),
        ("x ∈ A", "x ∉ A"),
        (r"\lfloor x", r"\lceil x"),
        (r"\begin{vmatrix} 1 \end{vmatrix}", r"\begin{pmatrix} 1 \end{pmatrix}"),
    ],
)
def test_two_problems_keep_two_keys(one: str, other: str) -> None:
    assert problem_key(one) != problem_key(other)


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0315\u0300" * 100_000,
        "a" + "\u05c2\u05b0" * 100_000,
        "a" + "\U0001e944\U0001e94a" * 100_000,
        r"\frac{" * 20_000 + "1" + "}{2}" * 20_000,
        r"\frac" * 100_000,
        r"\begin{" + "a" * 500_000,
        "1,000" * 100_000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_problems_cost_no_time(text: str) -> None:
    began = time.process_time()
    words(text)
    assert time.process_time() - began < 3


def test_the_same_text_is_exact_and_a_wrapped_one_is_found_by_its_words() -> None:
    exact, wrapped = (
        check(ASKED).hit(SAME),
        check(ASKED).hit(f"A problem for today. {SAME} Show all your work, please."),
    )
    assert exact is not None
    assert (exact.question, exact.kind, exact.share) == ("0", "exact", 1.0)
    assert wrapped is not None
    assert (wrapped.question, wrapped.kind) == ("0", "ngrams")
    assert check(ASKED, ngram=None).hit(f"{SAME} Please.") is None


def test_a_phrase_in_common_is_no_contamination() -> None:
    ending = "can be written in the form m / n where m and n are relatively prime positive integers find m + n"
    asked = (
        f"Eight circles of radius 34 are tangent to each other and to two sides of a triangle; its inradius {ending}"
    )
    other = (
        f"Alice and Bob roll a die until one has seen every face at least twice; the expected number of rolls {ending}"
    )
    assert check(asked).hit(other) is None
    assert check(asked, share=0.2).hit(other) is not None


def test_short_questions_are_found_whole_and_only_whole() -> None:
    checked = check("Compute 17 * 23.", "Factor x")
    assert checked.hit("compute 17 × 23") is not None
    assert checked.hit("Warm up: compute 17 * 23. Then write the digits of the product backwards.") is not None
    assert checked.hit("compute 17 * 24") is None
    assert checked.hit("Factor x squared minus one over the integers") is None
    assert checked.hit("factor x!") is not None or checked.hit("Factor X.") is not None
    assert checked.hit("") is None


@pytest.mark.skipif(not AIME.exists(), reason="needs ../shared/data/aime24.jsonl")
def test_no_aime_question_is_taken_for_another() -> None:
    asked = [
        BenchmarkQuestion("aime", str(row["id"]), row["problem"])
        for row in map(json.loads, AIME.read_text().splitlines())
    ]
    for one in asked:
        others = Contamination([other for other in asked if other.id != one.id], 8, 0.5)
        assert others.hit(one.problem) is None, one.id
        hit = Contamination(asked, 8, 0.5).hit(f"Solve this: {one.problem.replace('$', '')}")
        assert hit is not None
        assert hit.question == one.id


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_has_words_and_hits_itself(text: str, other: str) -> None:
    assert words(text) == words(f"  {text} ")
    checked = check(text)
    if words(text):
        hit = checked.hit(text)
        assert hit is not None
        assert hit.kind == "exact"
    found = checked.hit(other)
    assert found is None or 0.5 <= found.share <= 1


def test_the_data_of_the_embedded_study_is_clean() -> None:
    import pandas as pd

    lines = (ROOT / "ablation/mini/data/benchmark.jsonl").read_text().splitlines()
    asked = check(*[json.loads(line)["problem"] for line in lines])
    problems = pd.read_parquet(ROOT / "ablation/mini/data/corpus.parquet", columns=["problem"])["problem"]
    assert not [text for text in problems if asked.hit(text)]
