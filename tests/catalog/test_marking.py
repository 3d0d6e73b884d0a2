"""Marking: what is shown as a hit is what the search found it by, and the text stays whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.catalog.catalog import mark_hits
from ledger.catalog.folding import fold
from ledger.catalog.marking import snippet_of

TYPED = st.text(max_size=60) | st.text(alphabet="walikot 13/8\"½é\u0301", max_size=40)


@given(text=TYPED, q=TYPED)
def test_pieces_in_a_row_are_the_text(text: str, q: str) -> None:
    """Nothing is lost, added or empty, whatever text and query are."""
    pieces = mark_hits(text, q)
    assert "".join(piece for piece, _ in pieces) == text
    assert all(piece for piece, _ in pieces)


@given(text=st.text(min_size=1, max_size=60))
def test_a_text_is_a_hit_of_itself(text: str) -> None:
    """Whoever types a whole text sees something marked in it, if it has any word."""
    plain = text.replace('"', " ")
    assert any(hit for _, hit in mark_hits(plain, plain)) == any(map(str.isalnum, "".join(c for c in fold(plain) if c.isdecimal() or c.isalpha())))


@pytest.mark.parametrize(
    ("text", "q", "hits"),
    [
        ("Keputusan Wali Kota", "walikota", ["Wali Kota"]),
        ("Keputusan Walikota", "wali kota", ["Walikota"]),
        ("Keputusan Walikota Lama", '"walikota lama"', ["Walikota Lama"]),
        ("WÁLI-KOTA", "wali kota", ["WÁLI", "KOTA"]),
        ("Trotoar jalan", "trot", ["Trotoar"]),
        ("Jalan trotoar", "jalan trot", ["Jalan", "trotoar"]),
        ("No. 138/728 Tahun 2022", "138/728", ["138/728"]),
        ("No. 13/8728", "138/728", []),
        ("No. 138/7281", "138/728 tahun", []),
        ("19JV-NJXP-QJS", "19jvnjxpqjs", ["19JV-NJXP-QJS"]),
        ("Rp 187.500.000", "187.500.000", ["187.500.000"]),
        ("a kota", "kota", ["kota"]),
        ("kotak", "kota lama", []),
        ("Ⅷ ½", "1 2", ["½"]),
        ("nothing", "", []),
    ],
)
def test_examples(text: str, q: str, hits: list[str]) -> None:
    """Spellings that the search takes as the same are marked as the same; others are not."""
    found = [piece for piece, hit in mark_hits(text, q) if hit]
    assert [one.strip() for one in found] == hits


def test_a_snippet_shows_the_first_hit_and_its_surroundings() -> None:
    """A long text is cut at words around the first hit, and says that it was cut."""
    text = "Awal. " * 500 + "Di sini berdiri Wali Kota Contoh.\nBaris lain. " + "Akhir. " * 500
    found = snippet_of(text, "walikota")
    assert found is not None
    shown = "".join(piece for piece, _ in found)
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert "berdiri Wali Kota Contoh. Baris lain" in shown
    assert [piece for piece, hit in found if hit] == ["Wali Kota"]
    assert len(shown) < 320
    assert snippet_of("Wali Kota", "walikota") == [("Wali Kota", True)]
    assert snippet_of(text, "gubernur") is None
    assert snippet_of(text, "") is None


@given(text=st.text(max_size=300), q=TYPED)
def test_a_snippet_never_fails(text: str, q: str) -> None:
    """Whatever text and query are, a snippet has a hit in it or is none."""
    found = snippet_of(text, q)
    assert found is None or any(hit for _, hit in found)


def test_the_largest_text_without_a_space_takes_a_moment() -> None:
    """A text of 256 KiB that is one run of characters is gone through in well under two seconds."""
    begun = time.monotonic()
    assert snippet_of("x1" * (128 * 1024), "nowhere") is None
    assert snippet_of("é" * (256 * 1024), '"a b c"') is None
    assert time.monotonic() - begun < 2
