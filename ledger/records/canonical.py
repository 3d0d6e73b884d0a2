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
from collections.abc import Iterator
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
    if dump(value) != data:
        raise FormatError("not the canonical form (RFC 8785) of its content", code="not-canonical")
    return value


def dump(value: Json) -> bytes:
    """Return the canonical bytes of ``value``.

    Raises:
        FormatError: it holds something that has no canonical form here.
    """
    for part, depth in _walk(value):
        _check_part(part, depth)
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


def _walk(value: Json) -> Iterator[tuple[Json, int]]:
    """Yield every value with its depth, and every key as a ``Key``."""
    stack = [(value, 1)]
    while stack:
        part, depth = stack.pop()
        yield part, depth
        if depth > MAX_DEPTH:
            raise FormatError(f"nested deeper than {MAX_DEPTH}", code="too-deep", limit=MAX_DEPTH)
        if type(part) is dict:
            stack.extend((inner, depth + 1) for inner in part.values())
        elif type(part) is list:
            stack.extend((inner, depth + 1) for inner in part)


def _check_part(part: Json, depth: int) -> None:
    kind = type(part)
    if kind is str:
        check_text(part)
    elif kind is int:
        if not 0 <= part <= MAX_INTEGER:
            raise FormatError(f"integer {part} is outside 0 … 2^53-1", code="bad-integer", value=part)
    elif kind is dict:
        for key in part:
            if type(key) is not str or not _KEY.fullmatch(key):
                raise FormatError(f"key {key!r} is not short ASCII", code="bad-key", key=str(key)[:80])
    elif kind is float:
        raise FormatError(f"{part!r}: numbers with a point or exponent are not allowed", code="float", value=part)
    elif part is not None and kind is not bool and kind is not list:
        raise FormatError(f"{kind.__name__} has no place in JSON", code="not-json")
