"""Exact decimals and exact base64, the only two conversions that touch signed text.

Python's own are too friendly: ``int(" +4_2 ")`` and ``int("٤٢")`` are 42, and every base64 mode accepts ``AB==`` for
``AA==``. Here each value has one spelling.
"""

from __future__ import annotations

import binascii
import re

from ledger.errors import FormatError

__all__ = ["format_base64", "parse_base64", "parse_decimal"]

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def parse_decimal(text: str | bytes) -> int:
    """Return the number that ``text`` spells in ASCII digits without leading zeros, below 2**63.

    Raises:
        FormatError: any other spelling.
    """
    text = _ascii(text, "bad-decimal")
    if not _DECIMAL.fullmatch(text) or (number := int(text)) >= 2**63:
        raise FormatError(f"{text[:40]!r} is not a decimal number", code="bad-decimal")
    return number


def parse_base64(text: str | bytes) -> bytes:
    """Return the bytes of standard, padded base64 without spare bits (RFC 4648, section 4).

    Raises:
        FormatError: any other spelling.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise FormatError(f"{text[:40]!r} is not base64", code="bad-base64") from None
    rest = len(data) % 3
    last = binascii.b2a_base64(data[-rest:], newline=False) if rest else b""  # only the last group can have spare bits
    if len(text) != (len(data) + 2) // 3 * 4 or (rest and last != _bytes(text[-4:])):
        raise FormatError(f"{text[:40]!r} is not the one base64 of its bytes", code="bad-base64")
    return data


def format_base64(data: bytes) -> str:
    """Return standard, padded base64."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii")


def _ascii(text: str | bytes, code: str) -> str:
    try:
        return text.decode("ascii") if isinstance(text, bytes) else text.encode("ascii").decode("ascii")
    except UnicodeError:
        raise FormatError(f"{text[:40]!r} is not ASCII", code=code) from None
