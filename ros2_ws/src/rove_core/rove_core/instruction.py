"""Instruction tokenizer: the one way from words to numbers, for the learner and for the robot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.errors import ConfigError

PAD = 0
"""Id of the places after the last word."""
UNKNOWN = 1
"""Id of every word that the vocabulary does not hold."""
FIRST_WORD = 2
"""Id of ``vocabulary[0]``."""

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> tuple[str, ...]:
    """Return the lower-case words of a text: runs of letters and digits, nothing else."""
    return tuple(_WORD.findall(text.lower()))


@dataclass(frozen=True)
class Tokenizer:
    """Turns an instruction into a fixed number of word ids.

    Attributes:
        vocabulary: the known words; the id of ``vocabulary[i]`` is ``i + 2``.
        length: L, number of ids of every instruction.
    """

    vocabulary: tuple[str, ...]
    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ConfigError("instruction length", self.length, "at least 1", "tokenizer")
        wrong = [w for w in self.vocabulary if words(w) != (w,)]
        if wrong or len(set(self.vocabulary)) != len(self.vocabulary):
            allowed = "different single lower-case words of letters and digits"
            raise ConfigError("vocabulary", wrong or self.vocabulary, allowed, "tokenizer")

    @classmethod
    def build(cls, texts: Iterable[str], length: int = 12) -> Tokenizer:
        """Return a tokenizer that knows every word of ``texts``, in alphabetical order."""
        return cls(tuple(sorted({word for text in texts for word in words(text)})), length)

    @property
    def size(self) -> int:
        """Number of ids, pad and unknown included."""
        return FIRST_WORD + len(self.vocabulary)

    def unknown(self, text: str) -> tuple[str, ...]:
        """Return the words of ``text`` that the vocabulary does not hold."""
        return tuple(word for word in words(text) if word not in self.vocabulary)

    def encode(self, text: str) -> npt.NDArray[np.int64]:
        """Return the ids of a text, (L,) int64, padded with 0 at the end.

        Raises:
            ConfigError: the text has more than L words; cutting it could lose the one that matters.
        """
        found = words(text)
        if len(found) > self.length:
            allowed = f"at most {self.length} words ({len(found)} given)"
            raise ConfigError("instruction", text, allowed, "tokenizer")
        ids = np.full(self.length, PAD, dtype=np.int64)
        known = {word: i + FIRST_WORD for i, word in enumerate(self.vocabulary)}
        ids[: len(found)] = [known.get(word, UNKNOWN) for word in found]
        return ids
