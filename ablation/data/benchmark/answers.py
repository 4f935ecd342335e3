"""Final answers in text: finding the one that counts, and comparing it with the reference as far as this needs no algebra."""

import re
import unicodedata
from typing import Literal

Comparison = Literal["equal", "different", "undecided"]

# An answer is short. What is longer is a text that was boxed by mistake, or an attack.
MAX_ANSWER_CHARS = 1_000

_BOX = re.compile(r"\\boxed\{")
_BRACE = re.compile(r"[{}]")
_STATED = re.compile(r"answer[ *]{0,4}:", re.IGNORECASE)
_INTEGER = re.compile(r"([+-]?)0*([0-9]+)")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")
_INVISIBLE = {"Cc", "Cf", "Cs"}


def final_answer(text: str) -> str | None:
    """What stands in the last balanced box, else behind the last ``Answer:``, or None. One pass over the text."""
    boxed = last_boxed(text)
    return stated_answer(text) if boxed is None else boxed


def last_boxed(text: str) -> str | None:
    """The content of the last ``\\boxed{}`` whose braces balance, without surrounding space, or None. One pass over the text."""
    boxes = {match.end() for match in _BOX.finditer(text)}
    opened: list[int] = []  # where the content of each open brace begins
    last, found = -1, None
    for brace in _BRACE.finditer(text):
        if brace.group() == "{":
            opened.append(brace.end())
        elif opened and (start := opened.pop()) in boxes and start > last:
            last, found = start, text[start : brace.start()].strip()
    return found


def stated_answer(text: str) -> str | None:
    """The line behind the last ``Answer:``, without Markdown's stars, or None."""
    end = None
    for match in _STATED.finditer(text):
        end = match.end()
    if end is None:
        return None
    return text[end:].lstrip("* \t\r\n").split("\n", 1)[0].strip("* \t\r") or None


def plain_answer(answer: str) -> str:
    """The answer without what changes nothing: invisible characters, outer space and dollar signs, a full stop at the end, commas
    between thousands.
    """
    visible = "".join(char for char in answer if char.isspace() or unicodedata.category(char) not in _INVISIBLE)
    bare = visible.strip().removesuffix(".").strip("$ \n\t")
    return bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else bare


def is_integer(answer: str) -> bool:
    """Whether the answer is an integer in ASCII digits, of any length, leading zeros allowed."""
    return _INTEGER.fullmatch(answer) is not None


def compare(given: str, reference: str) -> Comparison | None:
    """Whether an answer equals the reference; None where only algebra can tell.

    Integers compare as integers, so ``025`` is 25; otherwise texts that differ in white space are equal (but ``2 5`` is not 25);
    too long an answer is undecided.
    """
    given, reference = plain_answer(given), plain_answer(reference)
    numbers = [_INTEGER.fullmatch(text) for text in (given, reference)]
    if numbers[0] and numbers[1]:
        return "equal" if _value(numbers[0]) == _value(numbers[1]) else "different"
    if not numbers[1] and "".join(given.split()) == "".join(reference.split()):
        return "equal"
    return "undecided" if len(given) > MAX_ANSWER_CHARS else None


def canonical_answer(answer: str) -> str:
    """One text for answers that are the same integer, or the same but for white space: what a vote is counted for."""
    bare = plain_answer(answer)
    number = _INTEGER.fullmatch(bare)
    return ("-" if _value(number)[0] else "") + number[2] if number else "".join(bare.split())


def _value(number: re.Match[str]) -> tuple[bool, str]:
    """Sign and digits. They are compared as text, since Python refuses to convert thousands of digits."""
    sign, digits = number.groups()
    return sign == "-" and digits != "0", digits
