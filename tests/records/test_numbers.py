"""Numbers of papers: spellings that mean one number fold to one, others do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.records.numbers import fold_number, number_hash, pattern_is_known, serial_in


@pytest.mark.parametrize(
    "typed",
    [
        "138/728 Tahun 2022",
        "Nomor 138/728 Tahun 2022",
        "NOMOR : 138/728 TAHUN 2022",
        "Nomor: 138 / 728 tahun 2022",
        "No. 138/728 Tahun 2022",
        "  138/728\u00a0Tahun  2022 ",
        "１３８／７２８ Tahun 2022",
        "Number 138/728 Tahun 2022",
    ],
)
def test_one_number_many_spellings(typed: str) -> None:
    """Case, spaces, full-width digits and the word *Nomor* do not make another number."""
    assert fold_number(typed) == "138/728tahun2022"
    assert number_hash(typed) == number_hash("138/728 Tahun 2022")


@pytest.mark.parametrize("other", ["138/729 Tahun 2022", "138.728 Tahun 2022", "138/728 Tahun 2023", "138/0728 Tahun 2022", "A138/728 Tahun 2022"])
def test_other_numbers_stay_apart(other: str) -> None:
    """Another serial, year, separator or leading zero is another number."""
    assert fold_number(other) != fold_number("138/728 Tahun 2022")


def test_dashes_fold() -> None:
    """The dashes that word processors put in are one dash."""
    assert len({fold_number(f"600{dash}12") for dash in "-\u2010\u2011\u2012\u2013\u2014\u2212"}) == 1


def test_a_word_that_begins_like_nomor_stays() -> None:
    """Only the word itself is taken off: *NOTA/1* keeps its name, *Nomor* inside stays."""
    assert fold_number("NOTA/1") == "nota/1"
    assert fold_number("12/NOMOR/3") == "12/nomor/3"


@given(st.text(max_size=40))
def test_folding_never_fails(number: str) -> None:
    """Folding gives text without spaces for any text."""
    folded = fold_number(number)
    assert folded == "".join(folded.split())


@pytest.mark.parametrize(
    ("pattern", "number", "serial"),
    [
        ("138/{serial} Tahun {year}", "138/728 Tahun 2022", 728),
        ("138/{serial} Tahun {year}", "138 / 0728 tahun 2022", 728),
        ("138/{serial} Tahun {year}", "138/728 Tahun 22", None),
        ("138/{serial} Tahun {year}", "139/728 Tahun 2022", None),
        ("027/{serial}/*/{month}/{year}", "027/12/SPK/DISDIK/IX/2025", 12),
        ("027/{serial}/*/{month}/{year}", "027/12/SPK/DISDIK/9/2025", None),
        ("*{serial}", "SPK-123", 123),
        ("*{serial}/SPK", "7/123/SPK", 123),
        ("{serial}*", "123/SPK", 123),
        ("*/{serial}", "٧/٣", None),
        ("{serial}", "٣", None),
        ("{serial}", "1234567890123456", None),
        ("a.b/{serial}", "axb/1", None),
        ("(x)/{serial}", "(X)/9", 9),
    ],
)
def test_serial_in(pattern: str, number: str, serial: int | None) -> None:
    """A pattern reads the whole serial of the numbers that follow it, and nothing from others."""
    assert pattern_is_known(pattern)
    assert serial_in(number, pattern) == serial


@pytest.mark.parametrize("pattern", ["", "138", "{serial}{serial}", "{serial}/{Year}", "{serial}{year}{year}", "{", "{serial}}", "*{serial}**", "{serial}{month}{month}"])
def test_patterns_that_cannot_be_read(pattern: str) -> None:
    """A pattern has exactly one {serial}, at most one {year}, one {month} and two stars, and no other braces."""
    assert not pattern_is_known(pattern)


def test_no_number_takes_long() -> None:
    """The worst pattern on the longest number ends quickly: an office cannot hold up the ledger with a number."""
    started = time.perf_counter()
    assert pattern_is_known("*{serial}*1y")
    assert serial_in("1" * 199 + "x", "*{serial}*1y") is None
    assert time.perf_counter() - started < 1
