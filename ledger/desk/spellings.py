"""How people spell money and dates, read exactly or not at all.

    Rp 1.234.567,50 → 1234567.50        1.234.567 → 1234567        52272397.5 → 52272397.5
    2 Januari 2025  → 2025-01-02        02/01/2025 (only where days are said to come first) → 2025-01-02

Nothing is rounded, completed or guessed. What could be read in two ways is refused: ``1,234`` is, ``1.234`` is not, since
an amount has at most two decimals and Indonesian groups of three stand between points.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from decimal import Decimal

from ledger.errors import FormatError
from ledger.records.shapes import date_of

__all__ = ["DATE_FORMS", "MONTHS", "format_long_date", "format_rupiah", "parse_date", "parse_money"]

DATE_FORMS = ("iso", "long", "dmy")
MONTHS = (
    "januari", "februari", "maret", "april", "mei", "juni",
    "juli", "agustus", "september", "oktober", "november", "desember",
)  # fmt: skip
_OTHER_NAMES = {
    "january": 1, "february": 2, "march": 3, "may": 5, "june": 6, "july": 7, "august": 8, "october": 10, "december": 12,
    "pebruari": 2, "nopember": 11,
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "jun": 6, "jul": 7, "agu": 8, "agt": 8, "ags": 8, "aug": 8,
    "sep": 9, "sept": 9, "okt": 10, "oct": 10, "nov": 11, "nop": 11, "des": 12, "dec": 12,
}  # fmt: skip
_PLAIN = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,2})?", re.ASCII)
_RUPIAH = re.compile(r"(?P<whole>[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,(?P<cents>[0-9]{1,2}|-))?", re.ASCII)
_PREFIX = re.compile(r"(?:Rp|IDR)\.?[ \u00a0]*", re.ASCII | re.IGNORECASE)
_LONG = re.compile(r"([0-9]{1,2})[ -]([A-Za-z]{3,9})\.?[ -]([12][0-9]{3})", re.ASCII)
_DMY = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([12][0-9]{3})", re.ASCII)


def parse_money(value: str | int | Decimal, *, rupiah: bool = True) -> str:
    """Return an amount as records state it; ``rupiah`` also accepts Indonesian spellings of text.

    Raises:
        FormatError: ``unreadable-money``: no amount, more than two decimals, or readable in two ways.
    """
    if isinstance(value, (int, Decimal)):
        plain = format(Decimal(value), "f") if not isinstance(value, bool) else ""
    else:
        plain = value if _PLAIN.fullmatch(value) or not rupiah else _plain_of(value)
    if not _PLAIN.fullmatch(plain):
        raise FormatError(f"{value!r} is not an amount", code="unreadable-money", value=str(value)[:60])
    return plain


def format_rupiah(plain: str) -> str:
    """Return an amount of a record as Indonesians write it: ``Rp 1.234.567,50``."""
    whole, _, cents = plain.partition(".")
    grouped = f"{int(whole):,}".replace(",", ".")
    return f"Rp {grouped}" + (f",{cents}" if cents else "")


def parse_date(text: str, forms: Collection[str] = ("iso", "long")) -> str:
    """Return the date ``YYYY-MM-DD`` that ``text`` spells in one of ``forms`` (of ``DATE_FORMS``; ISO always).

    Raises:
        FormatError: ``unreadable-date``.
    """
    found = None
    if date_of(text) is not None:
        return text
    if "long" in forms and (match := _LONG.fullmatch(text)):
        found = (match[3], _month(match[2]), match[1])
    elif "dmy" in forms and (match := _DMY.fullmatch(text)):
        found = (match[4], int(match[3]), match[1])
    spelled = f"{found[0]}-{found[1]:02d}-{int(found[2]):02d}" if found else ""
    if date_of(spelled) is None:
        raise FormatError(f"{text!r} is not a date", code="unreadable-date", value=text[:60])
    return spelled


def format_long_date(date: str) -> str:
    """Return a date of a record as Indonesians write it: ``2 Januari 2025``."""
    day = datetime.date.fromisoformat(date)
    return f"{day.day} {MONTHS[day.month - 1].capitalize()} {day.year}"


def _plain_of(text: str) -> str:
    """Return the plain form of an Indonesian spelling, or an empty text."""
    bare = text[prefix.end() :] if (prefix := _PREFIX.match(text)) else text
    if _PLAIN.fullmatch(bare):
        return bare
    match = _RUPIAH.fullmatch(bare)
    if not match:
        return ""
    cents = match["cents"] or "-"
    return match["whole"].replace(".", "") + ("" if cents == "-" else f".{cents}")


def _month(name: str) -> int:
    lower = name.lower()
    return MONTHS.index(lower) + 1 if lower in MONTHS else _OTHER_NAMES.get(lower, 0)
