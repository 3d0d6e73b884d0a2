"""Folding: one form for every spelling, and never more than was said."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.catalog.folding import fold, join, terms_of, words_in, words_of

TEXTS = st.text(max_size=80)


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    """What is folded is folded."""
    assert fold(fold(text)) == fold(text)


def test_every_character_folds_once_and_for_all() -> None:
    """No character of Unicode needs a second folding, and none keeps a mark."""
    for character in map(chr, range(sys.maxunicode + 1)):
        folded = fold(character)
        assert fold(folded) == folded
        assert not any(unicodedata.category(one)[0] == "M" for one in folded)


@pytest.mark.parametrize(
    ("one", "other"),
    [("WALIKOTA", "walikota"), ("Kóta", "kota"), ("Ｋｏｔａ", "kota"), ("STRASSE", "straße"), ("ﬁsik", "fisik"), ("m²", "m2"), ("e\u0301", "é")],
)
def test_spellings_of_one_word(one: str, other: str) -> None:
    """Case, diacritics, widths and ligatures do not tell words apart."""
    assert words_of(one) == words_of(other)


@given(TEXTS)
def test_folding_does_not_depend_on_composition(text: str) -> None:
    """Composed and decomposed spellings of a text have the same words."""
    assert words_of(unicodedata.normalize("NFC", text)) == words_of(unicodedata.normalize("NFD", text))


@given(TEXTS)
def test_words_stand_where_they_are_said_to(text: str) -> None:
    """Each word's place in the original text folds to that word, places follow each other, and none is left out."""
    found = list(words_in(text))
    assert [word for word, _, _ in found] == words_of(text)
    before = 0
    for word, start, end in found:
        assert before <= start < end <= len(text) or (start == before - 1 and start < end)
        assert word in fold(text[start:end])
        before = end


@given(TEXTS)
def test_terms_are_harmless_tokens(text: str) -> None:
    """A term has no space, quote or character of FTS5's language in it, and is one token there."""
    for term in terms_of([text]):
        assert term
        assert re.fullmatch(r"[+^]?[^\W_]+(/[^\W_]+)?", term)


@given(TEXTS, TEXTS)
def test_two_texts_have_the_terms_of_both(one: str, other: str) -> None:
    """Texts do not run into each other."""
    assert terms_of([one, other]) == terms_of([one]) | terms_of([other])


def test_neighbours() -> None:
    """Letters are joined without a seam, so that Wali Kota meets Walikota; digits keep theirs."""
    assert join("wali", "kota") == "+walikota"
    assert join("13", "8728") != join("138", "728")
    assert {"+walikota", "wali", "kota", "^wal", "^kota"} <= terms_of(["Wali Kota"])
