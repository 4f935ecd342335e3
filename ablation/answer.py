"""Final answers in text: finding the one that counts, and comparing it with the reference."""

import re

_BOX = re.compile(r"\\boxed\{")
_BRACE = re.compile(r"[{}]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")


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


def equal(given: str, reference: str) -> bool:
    """Equal as integers where the reference is one, else equal as text without white space."""
    if _INTEGER.fullmatch(reference.strip()):
        return _INTEGER.fullmatch(given) is not None and int(given) == int(reference)
    return "".join(given.split()) == "".join(reference.split())
