"""Laws of the tokenizer: the same words give the same ids, of one length, on both sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_core.instruction import FIRST_WORD, PAD, UNKNOWN, Tokenizer, words

TEXTS = st.lists(st.text(alphabet="abcXYZ019 -,.!", max_size=20), max_size=5)


@given(TEXTS, st.text(max_size=40))
def test_words_are_the_same_whatever_stands_between(texts: list[str], other: str) -> None:
    """Case and punctuation do not matter, and splitting twice changes nothing."""
    found = words(other)
    assert words(" ".join(found)) == found
    assert words(other.lower()) == found


@given(TEXTS)
def test_known_words_have_their_own_ids(texts: list[str]) -> None:
    """A vocabulary of the texts knows all of their words, each under one id of its own."""
    tokenizer = Tokenizer.build(texts, length=64)
    for text in texts:
        ids = tokenizer.encode(text)
        n = len(words(text))
        assert (ids[:n] >= FIRST_WORD).all()
        assert (ids[n:] == PAD).all()
        assert ids.shape == (64,)
        assert ids.max(initial=0) < tokenizer.size
        assert [tokenizer.vocabulary[i - FIRST_WORD] for i in ids[:n]] == list(words(text))
        assert tokenizer.unknown(text) == ()


def test_unknown_words_are_told_apart_from_padding() -> None:
    """A new word is id 1 in its place; the rest is id 0."""
    tokenizer = Tokenizer.build(["erase the red stroke"], length=6)
    ids = tokenizer.encode("Erase the GREEN stroke!")
    assert ids[2] == UNKNOWN
    assert (ids == UNKNOWN).sum() == 1
    assert list(ids[4:]) == [PAD, PAD]
    assert tokenizer.unknown("Erase the GREEN stroke!") == ("green",)


def test_too_many_words_are_refused_and_not_cut() -> None:
    """Cutting could lose the word that matters: the message says how many are allowed."""
    tokenizer = Tokenizer.build(["a b c"], length=3)
    with pytest.raises(ConfigError, match=r"at most 3 words \(4 given\)"):
        tokenizer.encode("a b c a")


@pytest.mark.parametrize("vocabulary", [("a", "a"), ("A",), ("two words",), ("",)])
def test_a_vocabulary_of_anything_but_words_is_refused(vocabulary: tuple[str, ...]) -> None:
    """Each entry is one lower-case word, once."""
    with pytest.raises(ConfigError):
        Tokenizer(vocabulary, 4)
