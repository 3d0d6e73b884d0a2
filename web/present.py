"""How facts look to a reader: dates, times, money, sizes and codes, in a language and at the founding's time zone.

    2022-08-01              1 Agustus 2022                       1 August 2022
    2026-11-23T23:11:22Z    24 November 2026, 06.11 WIB     24 November 2026, 06:11 WIB
    IDR 187500000           Rp187.500.000                        Rp187,500,000
    48213                   48,2 kB                              48.2 kB

Nothing is rounded but sizes, and a value that does not have the form of its kind is shown as it stands.
"""

from __future__ import annotations

import datetime
import functools
import re
from dataclasses import dataclass

from ledger.records.refs import format_ref
from ledger.records.shapes import date_of
from ledger.words import say

__all__ = ["Present", "group_code"]

_ZONES = {"+07:00": "WIB", "+08:00": "WITA", "+09:00": "WIT"}
_MONEY = re.compile(r"([0-9]+)(?:\.([0-9]{1,2}))?", re.ASCII)
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Present:
    """Facts in the words and at the hour of one reader: ``lang`` and the ledger's ``utc_offset`` (``+07:00``)."""

    lang: str
    utc_offset: str = "+00:00"

    def date(self, text: str) -> str:
        """Return ``YYYY-MM-DD`` as a date with the month's name."""
        found = date_of(text)
        return f"{found.day} {_months(self.lang)[found.month - 1]} {found.year}" if found else text

    def time(self, text: str) -> str:
        """Return a UTC time ``YYYY-MM-DDTHH:MM:SSZ`` as local date and clock, with the zone's name."""
        moment = _local(text, self.utc_offset)
        clock = f"{moment:%H.%M}" if self.lang == "id" else f"{moment:%H:%M}"
        return say("page.moment", self.lang, date=self.date(f"{moment:%Y-%m-%d}"), clock=clock, zone=self.zone)

    def day(self, text: str) -> str:
        """Return the local date of a UTC time."""
        return self.date(f"{_local(text, self.utc_offset):%Y-%m-%d}")

    @property
    def zone(self) -> str:
        """The name of the ledger's time zone: WIB, WITA, WIT, or its distance from UTC."""
        return _ZONES.get(self.utc_offset, f"UTC{self.utc_offset}" if self.utc_offset[1:] != "00:00" else "UTC")

    def money(self, currency: str, value: str) -> str:
        """Return an amount as it is written on papers: ``Rp`` before rupiah, other currencies by their code."""
        found = _MONEY.fullmatch(value)
        if not found:
            return f"{currency} {value}"
        amount = self.count(int(found[1])) + (f"{self._decimal}{found[2].ljust(2, '0')}" if found[2] else "")
        return f"Rp{amount}" if currency == "IDR" else f"{currency}\N{NO-BREAK SPACE}{amount}"

    def count(self, number: int) -> str:
        """Return a number with the language's mark between thousands."""
        return f"{number:,}".replace(",", say("fact.thousands", self.lang))

    def number(self, value: float) -> str:
        """Return a number with at most one digit after the mark."""
        whole, _, part = f"{value:.1f}".partition(".")
        return self.count(int(whole)) + (f"{self._decimal}{part}" if part != "0" else "")

    def size(self, count: int) -> str:
        """Return a number of bytes in the unit (of 1000) that leaves at most three digits before the mark."""
        amount, unit = float(count), 0
        while amount >= 999.95 and unit < len(_UNITS) - 1:
            amount, unit = amount / 1000, unit + 1
        shown = f"{amount:.1f}".removesuffix(".0") if unit else str(count)
        return f"{shown.replace('.', self._decimal)}\N{NO-BREAK SPACE}{_UNITS[unit]}"

    def ref(self, ref: str) -> str:
        """Return a reference in the groups in which it is printed."""
        return format_ref(ref)

    def code(self, digest: str) -> str:
        """Return a hex digest in groups of eight."""
        return group_code(digest)

    @property
    def _decimal(self) -> str:
        return say("fact.decimal", self.lang)


def group_code(digest: str) -> str:
    """Return a hex digest in groups of eight, so that a person can compare it with another."""
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))


@functools.cache
def _months(lang: str) -> list[str]:
    return say("page.months", lang).split()


def _local(text: str, utc_offset: str) -> datetime.datetime:
    sign = -1 if utc_offset[0] == "-" else 1
    offset = datetime.timedelta(hours=int(utc_offset[1:3]), minutes=int(utc_offset[4:6])) * sign
    return datetime.datetime.fromisoformat(text) + offset
