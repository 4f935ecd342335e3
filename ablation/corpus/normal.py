r"""The words of a problem, the same for the same problem written otherwise: case, punctuation, LaTeX or plain text.

``$\dfrac{1}{2}$`` and ``1/2`` become ``1 / 2``; ``\leq`` and ``≤`` become ``<=``; ``1{,}000`` becomes ``1000``.
Operators are words, since ``2 + 3`` and ``2 * 3`` are two problems.
"""

import hashlib
import re
import unicodedata

_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,)(?=\d{3}(?!\d))")
_SILENT = re.compile(
    r"\\(?:left|right|[bB]ig+[lr]?|displaystyle|limits|quad|qquad|text(?:bf|it|rm)?|mathrm|mathbf|mathit|mathbb|mathcal|"
    r"operatorname|mbox|boxed|emph|begin|end|[ld]?dots|cdots)(?![a-z])|\\[,;:! ]"
)
_SYMBOLS = {
    r"\cdot": "*", r"\times": "*", "×": "*", "·": "*", "⋅": "*", r"\div": "/", "÷": "/", r"\leqslant": "<=", r"\leq": "<=",
    r"\le": "<=", "≤": "<=", r"\geqslant": ">=", r"\geq": ">=", r"\ge": ">=", "≥": ">=", r"\neq": "!=", r"\ne": "!=", "≠": "!=",
    "−": "-", "–": "-", "—": " ", r"\circ": " degrees ", "°": " degrees ", "π": " pi ", "√": " sqrt ", "∠": " angle ",
    "…": " ", "′": "'",
}  # fmt: skip
_SYMBOL = re.compile("|".join(rf"{re.escape(key)}(?![a-z])" if key[0] == "\\" else key for key in _SYMBOLS))
_HYPHEN = re.compile(r"(?<=[a-z]{2})-(?=[a-z]{2})")
# Chinese and Japanese are written without spaces, so each character is a word.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_])+|\d+(?:\.\d+)?|[<>!]=|(?<=[\w)])!|[-+*/=<>%|]"
)


def words(text: str) -> list[str]:
    """The normalised words of a problem."""
    # A raised 2 would otherwise become an ordinary 2, and stand beside what it is the power of; both are written apart here.
    plain = unicodedata.normalize("NFKC", text).lower().replace("−", "-")
    plain = _THOUSANDS.sub("", plain)
    while "frac" in plain and (shorter := _FRACTION.sub(r" \1 / \2 ", plain)) != plain:
        plain = shorter
    plain = _SILENT.sub(" ", plain)
    plain = _SYMBOL.sub(lambda match: _SYMBOLS[match[0]], plain)
    return _WORD.findall(_HYPHEN.sub(" ", plain))


def problem_key(text: str) -> str:
    """16 hexadecimal digits, equal for equal normalised problems."""
    return _digest(_encoded(" ".join(words(text)) or text))


def text_key(text: str) -> str:
    """16 hexadecimal digits, equal for texts that differ in case and in ASCII white space alone."""
    return _digest(_encoded(text.lower()).translate(None, b" \t\n\v\f\r"))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
