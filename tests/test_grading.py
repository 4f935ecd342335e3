import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.answer import equal, last_boxed
from ablation.grading import judge
from ablation.records import Completion


def completion(text: str, finish_reason: str = "stop") -> Completion:
    return Completion.model_validate(
        {"question": "1", "attempt": 0, "text": text, "tokens": 3, "finish_reason": finish_reason}
    )


@pytest.mark.parametrize(
    ("text", "verdict", "extracted"),
    [
        (r"so \boxed{25}", "correct", "25"),
        (r"so \boxed{025}.", "correct", "025"),
        (r"so \boxed{ 25 }", "correct", "25"),
        (r"\boxed{24}. Wait. \boxed{25}", "correct", "25"),
        (r"\boxed{25}. Wait. \boxed{24}", "wrong", "24"),
        (r"\boxed{25} and then \boxed{2", "correct", "25"),
        (r"\boxed{\frac{50}{2}}", "wrong", r"\frac{50}{2}"),
        (r"\boxed{+25}", "correct", "+25"),
        (r"\boxed{-25}", "wrong", "-25"),
        (r"\boxed{２５}", "wrong", "２５"),
        (r"\boxed{2 5}", "wrong", "2 5"),
        (r"\boxed{\boxed{25}}", "correct", "25"),
        (r"\boxed{24 and \boxed{25}", "correct", "25"),
        (r"\boxed{2_5}", "wrong", "2_5"),
        (r"\boxed{" + "9" * 9000 + "}", "wrong", "9" * 9000),
        (r"\boxed{}", "no_answer", ""),
        ("the answer is 25", "no_answer", None),
        ("", "no_answer", None),
    ],
)
def test_the_last_balanced_box_is_the_answer(text: str, verdict: str, extracted: str | None) -> None:
    found = judge(completion(text), "025")
    assert (found.verdict, found.extracted) == (verdict, extracted)


def test_a_truncated_completion_is_never_parsed() -> None:
    found = judge(completion(r"\boxed{25} but", "length"), "25")
    assert (found.verdict, found.extracted) == ("truncated", None)


@given(st.integers(0, 999))
def test_integers_compare_as_integers(value: int) -> None:
    assert equal(f"{value:03d}", str(value))
    assert not equal(str(value + 1), str(value))


@given(st.text(alphabet="\\boxed{}1 "))
def test_any_text_is_judged(text: str) -> None:
    found = last_boxed(text)
    assert found is None or found.count("{") == found.count("}")


def test_hostile_braces_are_judged_at_once() -> None:
    assert last_boxed("\\boxed{" * 200_000) is None
    assert last_boxed("\\boxed{" * 100_000 + "1" + "}" * 100_000) == "1"
    assert last_boxed("\\boxed{1}" + "{" * 200_000) == "1"
