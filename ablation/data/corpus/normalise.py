r"""The words of a problem, the same for the same problem written otherwise: case, punctuation, LaTeX or plain text.

``$\dfrac{1}{2}$``, ``\frac12`` and ``1/2`` become ``1 / 2``; ``\leq`` and ``≤`` become ``<=``; ``\theta`` and ``θ`` become
``theta``; ``1{,}000`` becomes ``1000``. Operators are words, since ``2 + 3`` and ``2 * 3`` are two problems.
"""

import hashlib
import re
import sys
import unicodedata

# What LaTeX takes for an argument: a group, one character, or a command.
_PART = r"(?:\{([^{}]*)\}|(\d|[a-z]|\\[a-z]++))"
_FRACTION = re.compile(rf"\\[dtc]?frac\s*{_PART}\s*{_PART}")
_NESTED = 20  # fractions within fractions; each takes a pass over the text, so hostile depths would take a square of its length
# Marks on one letter beyond what any writing has, which normalising would sort in a square of their number.
_MARK = "".join(map(re.escape, filter(unicodedata.combining, map(chr, range(sys.maxunicode + 1)))))
_MARKS = re.compile(f"(?<=[{_MARK}]{{30}})[{_MARK}]+")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,)(?=\d{3}(?!\d))")
_SILENT = re.compile(
    r"\\(?:begin|end)\s*\{(?![a-z]*matrix)[a-z]+\*?\}(?:\{[lcr|]+\})?|"
    r"\\(?:left|right|[bB]ig+[lr]?|(?:display|text|script)style|limits|quad|qquad|text(?:bf|it|rm)?|mathrm|mathbf|mathit|"
    r"mathbb|mathcal|operatorname|mbox|boxed|emph|[ld]?dots|cdots|hline)(?![a-z])|\\[,;:! ]"
)
_COMMANDS = {
    "cdot": "*", "times": "*", "div": "/", "leqslant": "<=", "leq": "<=", "le": "<=", "geqslant": ">=", "geq": ">=", "ge": ">=",
    "neq": "!=", "ne": "!=", "circ": "degrees", "degree": "degrees", "pmod": "mod", "bmod": "mod", "ell": "l", "to": "rightarrow",
    "mid": "|", "vert": "|", "lvert": "|", "rvert": "|", "varnothing": "emptyset", "land": "wedge", "lor": "vee",
    **{f"var{name}": name for name in ("epsilon", "theta", "phi", "rho", "sigma", "pi", "kappa")},
}  # fmt: skip
_COMMAND = re.compile(rf"\\({'|'.join(_COMMANDS)})(?![a-z])")
_GREEK = [chr(code) for code in range(ord("α"), ord("ω") + 1)]
# Signs by the name that LaTeX has for them, so that both are the same word; and those that are operators here.
_SIGNS = {
    "×": "*", "·": "*", "⋅": "*", "∙": "*", "∗": "*", "∕": "/", "⁄": "/", "÷": "/", "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=",
    "≠": "!=", "—": " ", "…": " ", "⋯": " ", "′": "'", "°": "degrees", "√": "sqrt", "∠": "angle", "△": "triangle",
    "∆": "triangle", "∞": "infty", "∈": "in", "∉": "notin", "∪": "cup", "∩": "cap", "⊂": "subset", "⊆": "subseteq",
    "∅": "emptyset", "∑": "sum", "∏": "prod", "∫": "int", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil",
    "≡": "equiv", "≈": "approx", "≅": "cong", "∼": "sim", "±": "pm", "⊥": "perp", "∥": "parallel", "→": "rightarrow",
    "⇒": "rightarrow", "∀": "forall", "∃": "exists", "∣": "|", "‖": "|", "∂": "partial", "∖": "setminus", "∧": "wedge",
    "∨": "vee", "⊕": "oplus", "★": "star", "⋆": "star",
    **{letter: unicodedata.name(letter).split()[-1].lower() for letter in _GREEK}, "λ": "lambda",
}  # fmt: skip
_SIGN = str.maketrans({sign: f" {word} " for sign, word in _SIGNS.items()})
_HYPHEN = re.compile(r"(?<=[a-z]{2})-(?=[a-z]{2})")
# Chinese and Japanese are written without spaces, so each character is a word.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_])+|\d+(?:\.\d+)?|[<>!]=|(?<=[\w)])!|[-+*/=<>%|]"
)


def words(text: str) -> list[str]:
    """The normalised words of a problem."""
    # A raised 2 would otherwise become an ordinary 2, and stand beside what it is the power of; both are written apart here.
    bare = text if text.isascii() else _MARKS.sub("", text)
    plain = unicodedata.normalize("NFKC", bare).lower().replace("−", "-").replace("–", "-")
    plain = _THOUSANDS.sub("", plain)
    for _ in range(_NESTED):
        if "frac" not in plain or (shorter := _FRACTION.sub(_divided, plain)) == plain:
            break
        plain = shorter
    plain = _SILENT.sub(" ", plain.translate(_SIGN))
    plain = _COMMAND.sub(lambda match: f" {_COMMANDS[match[1]]} ", plain)
    return _WORD.findall(_HYPHEN.sub(" ", plain))


def _divided(fraction: re.Match[str]) -> str:
    above, one_above, below, one_below = fraction.groups(default="")
    return f" {above or one_above} / {below or one_below} "


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
