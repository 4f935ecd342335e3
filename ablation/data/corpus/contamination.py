"""Is a problem a question of a benchmark? By its normalised words: the same text, or much of it in common."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ablation.data.corpus.normalise import words
from ablation.errors import ConfigProblems

# A shorter question, as "factor x", would be found in anything; it counts only when a problem is nothing else.
_SHORTEST = 4


@dataclass(frozen=True)
class BenchmarkQuestion:
    """A question to hold a corpus against."""

    benchmark: str
    id: str
    problem: str


@dataclass(frozen=True)
class Hit:
    """A problem that gives a question away. `share` is 1 for the same text."""

    benchmark: str
    question: str
    kind: str
    share: float


class Contamination:
    """Finds the question that a problem gives away.

    A problem is a hit when its normalised words are a question's. With an `ngram` size it is one, too, when sequences of that
    many words that both have make up at least `share` of those of the shorter of the two (phrases that many questions have in
    common make up less), or when it holds all words of a question that is shorter than a sequence, in order.
    """

    def __init__(self, questions: Iterable[BenchmarkQuestion], ngram: int | None = None, share: float = 0.5) -> None:
        self._questions = list(questions)
        if ngram is not None and ngram < _SHORTEST:
            raise ConfigProblems([f"corpus.filters.ngram: given {ngram}; allowed: {_SHORTEST} and more"])
        self._ngram, self._share = ngram, share
        self._exact: dict[str, int] = {}
        self._by_gram: dict[str, list[int]] = {}
        self._sizes: list[int] = []
        self._short: dict[int, dict[str, int]] = {}
        for number, question in enumerate(self._questions):
            self._add(number, words(question.problem))

    def _add(self, number: int, found: list[str]) -> None:
        self._exact.setdefault(" ".join(found), number)
        grams = _grams(found, self._ngram) if self._ngram else set()
        self._sizes.append(len(grams))
        for gram in grams:
            self._by_gram.setdefault(gram, []).append(number)
        if self._ngram and _SHORTEST <= len(found) < self._ngram:
            self._short.setdefault(len(found), {}).setdefault(" ".join(found), number)

    def hit(self, problem: str) -> Hit | None:
        """What the problem gives away, or None."""
        found = words(problem)
        same = self._exact.get(" ".join(found))
        if same is not None and found:
            return self._told(same, "exact", 1.0)
        return self._overlap(found) or self._contained(found)

    def _overlap(self, found: list[str]) -> Hit | None:
        grams = _grams(found, self._ngram) if self._ngram else set()
        shared = Counter(number for gram in grams for number in self._by_gram.get(gram, ()))
        if not shared:
            return None
        shares = {number: count / min(len(grams), self._sizes[number]) for number, count in shared.items()}
        most = max(shares, key=lambda number: shares[number])
        return self._told(most, "ngrams", shares[most]) if shares[most] >= self._share else None

    def _contained(self, found: list[str]) -> Hit | None:
        for size, questions in self._short.items():
            for gram in _grams(found, size):
                if gram in questions:
                    return self._told(questions[gram], "ngrams", 1.0)
        return None

    def _told(self, number: int, kind: str, share: float) -> Hit:
        question = self._questions[number]
        return Hit(question.benchmark, question.id, kind, round(share, 3))


def _grams(found: Sequence[str], size: int) -> set[str]:
    return {" ".join(found[start : start + size]) for start in range(len(found) - size + 1)}
