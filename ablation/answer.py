"""Final answers in text: finding the one that counts, and comparing it with the reference."""

import re

_BOX = "\\boxed{"
_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")


def last_boxed(text: str) -> str | None:
    """The content of the last ``\\boxed{}`` whose braces balance, stripped of white space, or None. Linear in the text."""
    start = len(text)
    while (start := text.rfind(_BOX, 0, start)) >= 0:
        content = _balanced(text, start + len(_BOX))
        if content is not None:
            return "".join(content.split())
    return None


def _balanced(text: str, start: int, limit: int = 10_000) -> str | None:
    depth = 1
    for position in range(start, min(len(text), start + limit)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return None


def equal(given: str, reference: str) -> bool:
    """Equal as integers where both are integers, else equal as text without white space."""
    if _INTEGER.fullmatch(given) and _INTEGER.fullmatch(reference.strip()):
        return int(given) == int(reference)
    return given == "".join(reference.split())
