"""Numbers of papers: one folded form to compare them by, and the pattern of a declared number book.

Offices spell one number in many ways (``Nomor 138/728 Tahun 2022``, ``138 / 728 tahun 2022``). Folding is for looking
up and for noticing duplicates; what is stored and shown is the number exactly as on the paper.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata

__all__ = ["fold_number", "folded_hash", "number_hash", "pattern_is_known", "serial_in"]

_PREFIX = re.compile(r"^(?:nomor|number|no)\b[\s.:]*")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_TOKENS = {"{serial}": "(?P<serial>[0-9]+)", "{year}": "(?P<year>[0-9]{4})", "{month}": "[IVX]+", "*": ".*?"}


@functools.lru_cache(maxsize=4096)
def fold_number(number: str) -> str:
    """Return the form by which two spellings of one number are the same.

    >>> fold_number("Nomor: 138 / 728 Tahun 2022")
    '138/728tahun2022'
    """
    plain = number.isascii()  # nothing to normalise, and no dash but one
    folded = number.lower() if plain else unicodedata.normalize("NFKC", number).casefold().translate(_DASHES)
    folded = folded.strip()
    return "".join((_PREFIX.sub("", folded) if folded.startswith(("no", "num")) else folded).split())


def number_hash(number: str) -> str:
    """Return the hex SHA-256 of the folded number: its name in the look-up buckets."""
    return folded_hash(fold_number(number))


@functools.lru_cache(maxsize=16)  # asked for twice in a row: as a key, and as a line
def folded_hash(folded: str) -> str:
    """Return the hex SHA-256 of a number that is folded already (folding it once more may give another)."""
    return hashlib.sha256(folded.encode("utf-8")).hexdigest()


def pattern_is_known(pattern: str) -> bool:
    """Tell whether ``pattern`` of a number book can be read: literal text, one {serial}, and {year}, {month}, *.

    Each ``*`` multiplies the work on a number that does not match by its length, so there are at most two.
    """
    if pattern.count("*") > 2 or pattern.count("{serial}") != 1:
        return False
    if pattern.count("{year}") > 1 or pattern.count("{month}") > 1:
        return False
    return not re.search(r"[{}]", re.sub(r"\{(serial|year|month)\}", "", pattern))


def serial_in(number: str, pattern: str) -> int | None:
    """Return the serial that ``number`` shows under the book's ``pattern``, or None where it does not follow it."""
    found = _compiled(pattern).fullmatch("".join(number.split()))
    if not found or len(found["serial"]) > 15:
        return None
    return int(found["serial"])


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{serial\}|\{year\}|\{month\}|\*)", "".join(pattern.split()))
    return re.compile("".join(_TOKENS.get(part) or re.escape(part) for part in parts), re.ASCII | re.IGNORECASE)
