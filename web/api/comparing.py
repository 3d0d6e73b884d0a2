"""Comparing what a payer holds with what a record states: names of suppliers by their words, amounts as decimals.

    "CV. Karya Contoh"  "Karya Contoh, CV"  "cv karya  contoh"    the same words: a match, and said when not letter by letter
    "Karya Contoh"                                                a match without its legal form, and said
    "PT Karya Contoh"   against  "CV Karya Contoh"                another legal person: no match

What is close is never passed off as equal: a match that is not letter by letter says what the record has.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.errors import UsageError

__all__ = ["Match", "amount_of", "compare_amount", "compare_supplier"]

# Legal forms of Indonesia by their usual spellings, as one word each once punctuation is gone.
_FORMS = {
    "pt": "pt", "perseroanterbatas": "pt", "cv": "cv", "ud": "ud", "pd": "pd", "fa": "fa", "firma": "fa", "nv": "nv", "pb": "pb",
    "koperasi": "koperasi", "kop": "koperasi", "yayasan": "yayasan", "perum": "perum", "persero": "persero",
}  # fmt: skip
_FORM = re.compile(r"(?<!\w)(?:(p)\.\s?([tdb])|(c|n)\.\s?(v)|(u)\.\s?(d)|(f)\.\s?(a))(?:\.|(?!\w))")
_INITIALS = re.compile(r"(?<!\w)(?:\w\.)+\w(?!\w)")
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Match:
    """Whether what was asked is what the record ``stated``; ``exact``: letter by letter."""

    holds: bool
    exact: bool
    stated: str | None


def compare_supplier(asked: str, party: Any) -> Match:
    """Return how ``asked`` compares with the ``supplier`` field of a record (None where it has none)."""
    if not isinstance(party, dict) or "name" not in party:
        return Match(holds=False, exact=False, stated=None)
    name, words, asked_words = str(party["name"]), _words(str(party["name"])), _words(asked)
    theirs = _forms(words) | {_FORMS[one] for one in _words(str(party.get("form", ""))) if one in _FORMS}
    ours = _forms(asked_words)
    same = bool(words) and _core(asked_words) == _core(words) and (not ours or not theirs or bool(ours & theirs))
    return Match(holds=same or asked == name, exact=asked == name, stated=name)


def compare_amount(asked: Decimal, stated: object) -> Match:
    """Return how an amount compares with one that a record states as text."""
    text = stated if isinstance(stated, str) else None
    if text is None or not _AMOUNT.fullmatch(text):
        return Match(holds=False, exact=False, stated=text)
    return Match(holds=Decimal(text) == asked, exact=Decimal(text) == asked, stated=text)


def amount_of(text: str) -> Decimal:
    """Return an amount as the API takes it: digits, and cents after a point.

    Raises:
        UsageError: ``bad-amount``: other signs, which could be read in two ways.
    """
    if not _AMOUNT.fullmatch(text):
        raise UsageError(f"value={text[:60]!r}", code="bad-amount", value=text[:60])
    return Decimal(text)


def _words(text: str) -> list[str]:
    """Return the words of a name: folded, without marks and punctuation; ``P.T.`` is one word."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    joined = _FORM.sub(lambda found: "".join(filter(None, found.groups())) + " ", folded)
    joined = _INITIALS.sub(lambda found: found[0].replace(".", ""), joined)
    plain = unicodedata.normalize("NFKD", joined)
    return re.findall(r"\w+", "".join(one for one in plain if not unicodedata.combining(one)))


def _forms(words: list[str]) -> set[str]:
    """Return the legal form that stands first or last in a name, as a set of one or none."""
    ends = (words[0], words[-1]) if len(words) > 1 else ()
    return {_FORMS[one] for one in ends if one in _FORMS}


def _core(words: list[str]) -> list[str]:
    """Return a name's words without the legal form before or behind them."""
    core = list(words)
    if len(core) > 1 and core[0] in _FORMS:
        core = core[1:]
    if len(core) > 1 and core[-1] in _FORMS:
        core = core[:-1]
    return core
