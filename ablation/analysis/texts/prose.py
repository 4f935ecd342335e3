"""Measures of a text that need no understanding: phrases that match, repetition, and a sketch to compare texts by."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ablation.analysis.records.scores import Floats, Ints

# Phrases that go with checking a result and with taking one back (the behaviours verification and backtracking of Gandhi et
# al. 2025, arXiv 2503.01307). A phrase is a trace of the behaviour, no proof: "check" may also name a pattern on a board.
SELF_CHECK = (
    r"(?i)\b(?:(?:double|re)-?check\w*|check(?:s|ed|ing)?|verif(?:y|ies|ied|ying|ication)|confirm(?:s|ed|ing)?|"
    r"sanity|make sure|plug(?:ging)? (?:it|this|that|them) back|indeed)\b"
)
CORRECTION = (
    r"(?i)\b(?:wait|hold on|oops|actually|on second thought|scratch that|correction|my mistake|made an? (?:mistake|error)|"
    r"(?:is|was|'s|’s) (?:wrong|incorrect|not right)|let me (?:redo|correct|reconsider|rethink|try again|start over))\b|"
    r"(?:^|[.!?]\s+)no,"
)
REPEATED_WORDS = 4  # words in a span that counts as repeated
SHARED_WORDS = 3  # words in a span that two texts may share
DIMENSIONS = 4096  # of a sketch
# The odd constant of SplitMix: 2**64 divided by the golden ratio.
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Traces:
    """The measures of some texts: one value per text, NaN for a text that is null."""

    words: Floats
    """The number of words."""
    self_checks: Floats
    """The number of matches of `SELF_CHECK`."""
    corrections: Floats
    """The number of matches of `CORRECTION`."""
    repetition: Floats
    """The share of repeated spans; see the function `repetition`."""


def traces(texts: pa.Array) -> Traces:
    """Measure the texts."""
    split = _Words.of(texts)
    valid_t = texts.is_valid().to_numpy(zero_copy_only=False)
    measures = (
        split.size_t.astype(np.float64),
        *(_matches(texts, pattern) for pattern in (SELF_CHECK, CORRECTION)),
        repetition(split),
    )
    return Traces(*(np.where(valid_t, values_t, np.nan) for values_t in measures))


def repetition(split: "_Words") -> Floats:
    """Return the share of a text's spans of four words that occurred in it before.

    This is seq-rep-4 of Welleck et al. 2020 (arXiv 1908.04319), 1 − distinct / all. 0 for a text too short to repeat itself.

    >>> repetition(_Words.of(pa.array(["a b c d e", "a b c d a b c d"])))
    array([0. , 0.2])
    """
    span_s, text_s = split.spans(REPEATED_WORDS)
    all_t = np.bincount(text_s, minlength=len(split.size_t))
    distinct_t = np.bincount(text_s[_first(span_s, text_s)], minlength=len(split.size_t))
    return np.where(all_t > 0, 1 - distinct_t / np.maximum(all_t, 1), 0.0)


def sketches(texts: pa.Array, dimensions: int = DIMENSIONS) -> csr_array:
    """Return one row per text; the inner product of two rows is the likeness of the texts.

    The likeness is |A ∩ B| / √(|A| |B|) of their sets of spans of three words (Ochiai 1957; the cosine of the sets), from 0
    (nothing shared) to 1. Signed feature hashing keeps inner products unbiased, with an error of about 1 / √dimensions
    (Weinberger et al. 2009, arXiv 0902.2206). A text of fewer than three words is compared by its words together.
    """
    split = _Words.of(texts)
    span_s, text_s = split.spans(SHARED_WORDS, shorter=True)
    first_s = _first(span_s, text_s)
    span_s, text_s = span_s[first_s], text_s[first_s]
    size_t = np.bincount(text_s, minlength=len(split.size_t))
    sign_s = np.where(span_s >> np.uint64(63), 1.0, -1.0)
    column_s = ((span_s >> np.uint64(20)) % np.uint64(dimensions)).astype(np.int64)
    values_s = (sign_s / np.sqrt(size_t[text_s])).astype(np.float32)
    return csr_array((values_s, (text_s, column_s)), shape=(len(split.size_t), dimensions))


@dataclass(frozen=True)
class _Words:
    """The words of all texts, one after the other."""

    word_w: NDArray[np.uint64]
    """Hashes, equal wherever a word occurs again."""
    text_w: Ints
    """The text that each word belongs to."""
    size_t: Ints
    """The number of words of each text."""

    @classmethod
    def of(cls, texts: pa.Array) -> "_Words":
        """Split texts at blanks, in lower case; a null text has no words."""
        lists = pc.utf8_split_whitespace(pc.utf8_lower(pc.fill_null(texts, "")))
        flat = lists.flatten().dictionary_encode()
        names = flat.dictionary.to_numpy(zero_copy_only=False)
        # Each distinct word is hashed once; pandas' hash depends on the text alone, so likenesses are reproducible.
        hash_of = pd.util.hash_array(names, categorize=False) if len(names) else np.empty(0, np.uint64)
        size_t = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
        word_w = hash_of[flat.indices.to_numpy(zero_copy_only=False)]
        text_w: Ints = np.repeat(np.arange(len(size_t)), size_t)
        # Splitting leaves an empty word where a text begins or ends with a blank.
        empty_w = word_w == (pd.util.hash_array(np.array([""], dtype=object), categorize=False)[0])
        word_w, text_w = word_w[~empty_w], text_w[~empty_w]
        return cls(word_w, text_w, np.bincount(text_w, minlength=len(size_t)).astype(np.int64))

    def spans(self, length: int, shorter: bool = False) -> tuple[NDArray[np.uint64], Ints]:
        """Return (hash, text) of each span of `length` words; with `shorter` also a text of fewer words, as one span."""
        n = max(len(self.word_w) - length + 1, 0)
        span_s = np.zeros(n, dtype=np.uint64)
        # Mixed after every word, so that the order of the words matters.
        for offset in range(length):
            span_s = _mixed(span_s + self.word_w[offset : offset + n])
        # A span that begins in one text and ends in the next is none.
        text_s = self.text_w[:n]
        inside_s = text_s == self.text_w[length - 1 : length - 1 + n]
        span_s, text_s = span_s[inside_s], text_s[inside_s]
        if not shorter:
            return span_s, text_s
        # The sum of its words' hashes stands for a text that is shorter than a span: there the order does not matter.
        short_t = np.flatnonzero((self.size_t > 0) & (self.size_t < length))
        inside_w = np.isin(self.text_w, short_t)
        summed_t = np.zeros(len(self.size_t), dtype=np.uint64)
        np.add.at(summed_t, self.text_w[inside_w], self.word_w[inside_w])
        return np.concatenate([span_s, _mixed(summed_t[short_t])]), np.concatenate([text_s, short_t])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes of which every bit depends on every bit of the value (Steele, Lea & Flood 2014, SplitMix)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9) + _ODD
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _first(span_s: NDArray[np.uint64], text_s: Ints) -> Ints:
    """Return the positions at which a span occurs in its text for the first time."""
    _, first = np.unique(_mixed(span_s + _mixed(text_s.astype(np.uint64) * _ODD)), return_index=True)
    return first.astype(np.int64)


def _matches(texts: pa.Array, pattern: str) -> Floats:
    counts = pc.fill_null(pc.count_substring_regex(texts, pattern), 0)
    count_t: Floats = counts.to_numpy(zero_copy_only=False).astype(np.float64)
    return count_t
