"""GSM8K (Cobbe et al. 2021): a row is a question, and a solution that people wrote, line by line, ending in ``#### 72``."""

import re

from ablation.data.corpus.columns import Generation
from ablation.data.rows import TableRow
from ablation.errors import DataError

STYLE = "worked"
_NOTE = re.compile(r"<<[^<>]*>>")
_MARK = "####"


def read_gsm8k(row: TableRow, number: int, where: str) -> list[Generation]:
    """The one trajectory of a row. Raises DataError naming the column."""
    question, answer = (_text(row, column, where) for column in ("question", "answer"))
    text = trajectory(answer, where)
    return [Generation(f"gsm8k-{number}", question, None, None, text, STYLE, right=True, complete=True)]


def trajectory(answer: str, where: str) -> str:
    r"""The solution without its notes for a calculator (``<<48/2=24>>``), the final answer in a ``\boxed{}``."""
    worked, mark, final = answer.rpartition(_MARK)
    if not (mark and worked.strip() and final.strip()):
        raise DataError(f"{where}, column answer: a solution, {_MARK} and the final answer are expected in it")
    return f"{_NOTE.sub('', worked).strip()}\nThe answer is \\boxed{{{final.strip()}}}."


def _text(row: TableRow, column: str, where: str) -> str:
    value = row.get(column)
    if not isinstance(value, str):
        raise DataError(f"{where}, column {column}: missing or no text; GSM8K has question and answer")
    return value
