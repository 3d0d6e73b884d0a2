"""How facts look: dates, times, money, sizes and codes, in both languages and at the founding's offset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.present import Present, group_code

ID, EN = Present("id", "+07:00"), Present("en", "+07:00")


@pytest.mark.parametrize(
    ("day", "indonesian", "english"),
    [
        ("2022-08-01", "1 Agustus 2022", "1 August 2022"),
        ("2026-12-31", "31 Desember 2026", "31 December 2026"),
        ("2024-02-29", "29 Februari 2024", "29 February 2024"),
        ("2023-02-29", "2023-02-29", "2023-02-29"),
        ("kemarin", "kemarin", "kemarin"),
    ],
)
def test_dates(day, indonesian, english):
    """The month by name, no leading zero; what is no date stays as it is."""
    assert (ID.date(day), EN.date(day)) == (indonesian, english)


def test_every_month_has_a_name():
    """Twelve different names in each language."""
    for show in (ID, EN):
        assert len({show.date(f"2026-{month:02}-01").split()[1] for month in range(1, 13)}) == 12


@pytest.mark.parametrize(
    ("offset", "indonesian", "english"),
    [
        ("+07:00", "24 November 2026, 06.11 WIB", "24 November 2026, 06:11 WIB"),
        ("+08:00", "24 November 2026, 07.11 WITA", "24 November 2026, 07:11 WITA"),
        ("+09:00", "24 November 2026, 08.11 WIT", "24 November 2026, 08:11 WIT"),
        ("+00:00", "23 November 2026, 23.11 UTC", "23 November 2026, 23:11 UTC"),
        ("-03:30", "23 November 2026, 19.41 UTC-03:30", "23 November 2026, 19:41 UTC-03:30"),
    ],
)
def test_times_are_local(offset, indonesian, english):
    """A UTC time becomes the ledger's local date and clock, with the name of its zone."""
    time = "2026-11-23T23:11:22Z"
    assert Present("id", offset).time(time) == indonesian
    assert Present("en", offset).time(time) == english
    assert indonesian.startswith(Present("id", offset).day(time))


@pytest.mark.parametrize(
    ("currency", "value", "indonesian", "english"),
    [
        ("IDR", "187500000", "Rp187.500.000", "Rp187,500,000"),
        ("IDR", "188750000.5", "Rp188.750.000,50", "Rp188,750,000.50"),
        ("IDR", "0", "Rp0", "Rp0"),
        ("IDR", "999999999999999999.99", "Rp999.999.999.999.999.999,99", "Rp999,999,999,999,999,999.99"),
        ("USD", "1234.56", "USD\xa01.234,56", "USD\xa01,234.56"),
        ("IDR", "banyak", "IDR banyak", "IDR banyak"),
    ],
)
def test_money(currency, value, indonesian, english):
    """Exact to the last digit, never a float; what is no amount stays as it is."""
    assert ID.money(currency, value) == indonesian
    assert EN.money(currency, value) == english


@pytest.mark.parametrize(
    ("count", "indonesian"),
    [
        (0, "0\xa0B"), (999, "999\xa0B"), (1000, "1\xa0kB"), (48213, "48,2\xa0kB"), (999_949, "999,9\xa0kB"), (999_950, "1\xa0MB"),
        (187_500_000, "187,5\xa0MB"), (2**40, "1,1\xa0TB"), (10**16, "10000\xa0TB"),
    ],
)  # fmt: skip
def test_sizes(count, indonesian):
    """Bytes exactly, larger sizes with one digit after the mark."""
    assert ID.size(count) == indonesian
    assert EN.size(count) == indonesian.replace(",", ".")


def test_numbers():
    """Whole numbers with marks between thousands, halves with one digit."""
    assert (ID.count(1234567), EN.count(1234567)) == ("1.234.567", "1,234,567")
    assert (ID.number(3), ID.number(3.0), ID.number(1296.5), EN.number(1296.5)) == ("3", "3", "1.296,5", "1,296.5")


def test_codes_and_references_stand_in_groups():
    """Eight digits of a code, four symbols of a reference."""
    assert ID.ref("19JVNJXPQJS") == "19JV-NJXP-QJS"
    assert group_code("ab" * 32) == ID.code("ab" * 32) == " ".join(["abababab"] * 8)


@given(st.text(), st.text())
def test_no_text_breaks_the_presentation(one, other):
    """Whatever stands in a field of another form is shown as it stands, not raised."""
    if not one[:1].isdecimal():
        assert ID.money(other, one) == f"{other} {one}"
        assert ID.date(one) == one
