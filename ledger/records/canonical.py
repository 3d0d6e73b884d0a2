"""Canonical JSON: RFC 8785 bytes, and nothing that two readers could take in two ways.

Accepted is only what parses and writes again to the same bytes, with ASCII keys, no duplicate keys, no floats,
integers 0 … 2^53-1, at most 16 levels, and strings in NFC made of visible text assigned in Unicode 14.

    {"kind":"decision","title":"Penetapan ...","v":1}

orjson does the work. It agrees with RFC 8785 once floats, large integers and non-ASCII keys are refused (the tests
hold it against the ``rfc8785`` package). Nothing here trusts the bytes.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

import orjson

from ledger.errors import FormatError
from ledger.records.unicode14 import permitted_ranges

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "Json", "check_text", "dump", "parse"]

Json = Any
MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 16
_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


def parse(data: bytes, *, limit: int) -> Json:
    """Return the value of canonical JSON ``data`` of at most ``limit`` bytes.

    Raises:
        FormatError: too long, not JSON, or not the canonical form of what it says.
    """
    if len(data) > limit:
        raise FormatError(f"{len(data)} bytes, the limit is {limit}", code="too-long", size=len(data), limit=limit)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error}", code="not-json") from None
    _check(value, visible=_is_plain(data))
    if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != data:
        raise FormatError("not the canonical form (RFC 8785) of its content", code="not-canonical")
    return value


def dump(value: Json) -> bytes:
    """Return the canonical bytes of ``value``.

    Raises:
        FormatError: it holds something that has no canonical form here.
    """
    _check(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def check_text(text: str) -> None:
    """Accept ``text`` that is in NFC and holds only visible text assigned in Unicode 14.

    Raises:
        FormatError: with the offending code point.
    """
    if text.isascii():
        if text.isprintable():
            return
    elif not (found := _forbidden().search(text)):
        if unicodedata.is_normalized("NFC", text):
            return
        raise FormatError("text is not in Unicode normal form C", code="not-nfc", text=text[:80])
    found = _forbidden().search(text)
    point = f"U+{ord(found.group()):04X}" if found else "?"
    raise FormatError(f"text holds {point}, which is not visible text of Unicode 14", code="bad-character", point=point)


@functools.cache
def _forbidden() -> re.Pattern[str]:
    ranges = "".join(f"{re.escape(chr(start))}-{re.escape(chr(end))}" for start, end in permitted_ranges())
    return re.compile(f"[^{ranges}]")


def _is_plain(data: bytes) -> bool:
    """Tell whether every string in JSON ``data`` is visible ASCII: nothing escaped, no DEL, no byte above."""
    return data.isascii() and b"\\" not in data and b"\x7f" not in data


def _check(value: Json, *, visible: bool = False) -> None:
    """Check every value, level by level; ``visible``: strings are known to be visible ASCII.

    Raises:
        FormatError: something has no canonical form here.
    """
    level, depth = [value], 1
    while level:
        if depth > MAX_DEPTH:
            raise FormatError(f"nested deeper than {MAX_DEPTH}", code="too-deep", limit=MAX_DEPTH)
        below: list[Json] = []
        for part in level:
            kind = type(part)
            if kind is dict:
                for key in part:
                    _check_key(key)
                below += part.values()
            elif kind is list:
                below += part
            elif kind is not str or not visible:
                _check_part(part)
        level, depth = below, depth + 1


@functools.lru_cache(maxsize=4096)  # the same few keys come again and again
def _check_key(key: Any) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise FormatError(f"key {key!r} is not short ASCII", code="bad-key", key=str(key)[:80])


def _check_part(part: Json) -> None:
    kind = type(part)
    if kind is str:
        check_text(part)
    elif kind is int:
        if not 0 <= part <= MAX_INTEGER:
            raise FormatError(f"integer {part} is outside 0 … 2^53-1", code="bad-integer", value=part)
    elif kind is float:
        raise FormatError(f"{part!r}: numbers with a point or exponent are not allowed", code="float", value=part)
    elif part is not None and kind is not bool:
        raise FormatError(f"{kind.__name__} has no place in JSON", code="not-json")
