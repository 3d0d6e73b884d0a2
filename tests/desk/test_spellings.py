"""Money and dates as people spell them: read exactly, or refused."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.desk.spellings import MONTHS, format_long_date, format_rupiah, parse_date, parse_money
from ledger.errors import FormatError
from ledger.records.shapes import money

_CENTS = st.sampled_from(["", ".5", ".50", ".07", ".00"])
_AMOUNTS = st.builds(lambda whole, cents: f"{whole}{cents}", st.integers(0, 10**18 - 1), _CENTS)
_DATES = st.dates(datetime.date(1000, 1, 1), datetime.date(2999, 12, 31))


@given(_AMOUNTS)
def test_an_amount_survives_its_indonesian_spelling(amount: str) -> None:
    """parse(format(x)) is x, digit by digit, trailing zeros too."""
    assert parse_money(format_rupiah(amount)) == amount
    assert parse_money(amount) == amount
    assert parse_money(Decimal(amount)) == amount


@given(st.one_of(st.text(), st.from_regex(r"(Rp ?)?[0-9.,]{1,20}", fullmatch=True)))
def test_what_is_read_is_an_amount_with_the_same_digits(text: str) -> None:
    """Whatever is accepted is an amount that a record may hold, and no digit was added, lost or moved."""
    try:
        found = parse_money(text)
    except FormatError:
        return
    assert not list(money(found, "value"))
    digits = [one for one in text if one.isdigit()]
    assert [one for one in found if one.isdigit()] == digits


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("Rp 1.234.567,50", "1234567.50"),
        ("Rp1.000.000,-", "1000000"),
        ("rp. 750.000", "750000"),
        ("IDR 161971200", "161971200"),
        ("52272397.5", "52272397.5"),
        ("52272397,53", "52272397.53"),
        ("Rp 52272397.50", "52272397.50"),
    ],
)
def test_usual_spellings(text: str, amount: str) -> None:
    """What clerks type."""
    assert parse_money(text) == amount


@pytest.mark.parametrize(
    "text",
    ["", "1,234", "1.23.456", "12.3456", "1.234,567", "1,234.50", "-5", "+5", "1e3", "٤٢", "007", "1 000", "Rp", "5,", "52272397.500", " 5"],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    """No rounding, no guessing, ASCII digits only."""
    with pytest.raises(FormatError):
        parse_money(text)


def test_numbers_are_not_rounded() -> None:
    """More than two decimals, negative amounts and booleans are no amounts; exponents are written out."""
    for value in (Decimal("1.005"), Decimal(-1), Decimal("NaN"), True, -3):
        with pytest.raises(FormatError):
            parse_money(value)
    assert parse_money(Decimal("1E+3")) == "1000"


def test_plain_money_takes_no_groups() -> None:
    """Where a map says plain, a point is a decimal point and nothing else."""
    assert parse_money("1234.5", rupiah=False) == "1234.5"
    with pytest.raises(FormatError):
        parse_money("1.234", rupiah=False)


@given(_DATES)
def test_a_date_survives_its_spellings(day: datetime.date) -> None:
    """Long Indonesian dates, ISO dates and, where asked for, day-month-year all give the same day."""
    date = day.isoformat()
    assert parse_date(format_long_date(date)) == date
    assert parse_date(date, ()) == date
    assert parse_date(f"{day.day}/{day.month}/{day.year:04d}", ("dmy",)) == date


@pytest.mark.parametrize("text", ["2 Januari 25", "31 Februari 2025", "2025-02-30", "1/2/2025", "2 Foo 2025", "2025-1-2", "", "02.01-2025"])
def test_an_unsure_date_is_refused(text: str) -> None:
    """A day that does not exist, a short year, or an order of day and month that nobody has stated."""
    with pytest.raises(FormatError) as error:
        parse_date(text)
    assert error.value.code == "unreadable-date"


def test_months_have_all_their_names() -> None:
    """Twelve months, and the other spellings in use."""
    assert len(MONTHS) == 12
    for text in ("5 Nopember 2025", "5-Nov-2025", "05 November 2025"):
        assert parse_date(text) == "2025-11-05"
