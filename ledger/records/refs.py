"""References: the short name of an act that is printed on the paper, with its QR code, before the paper is hashed.

Ten random Crockford base32 symbols and Crockford's check symbol (value modulo 37), drawn again until the check symbol
is one of the 32, so that every reference matches ``[0-9A-HJKMNP-TV-Z]{11}``. 50 random bits: a reference cannot be
guessed from another, and two clerks do not meet.

    stored  19JVNJXPQJS      printed  19JV-NJXP-QJS      accepted from a person  19jv njxp qjs, with I L O read as 1 1 0
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from ledger.errors import FormatError

__all__ = ["SYMBOLS", "draw_ref", "format_ref", "has_check_symbol", "is_ref", "parse_ref"]

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SPELLED = re.compile("[0-9A-HJKMNP-TV-Z]{11}")
_BASE_32 = bytes.maketrans(b"ABCDEFGHJKMNPQRSTVWXYZ", b"abcdefghijklmnopqrstuv")  # as int() reads base 32
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


def draw_ref(random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """Return a new reference."""
    while True:
        value = random_bits(50)
        check = value % 37
        if check < len(SYMBOLS):
            return "".join(SYMBOLS[value >> shift & 31] for shift in range(45, -5, -5)) + SYMBOLS[check]


def is_ref(text: object) -> bool:
    """Tell whether ``text`` is a reference exactly as stored, its check symbol included."""
    return type(text) is str and _SPELLED.fullmatch(text) is not None and has_check_symbol(text)


def has_check_symbol(spelled: str) -> bool:
    """Tell whether eleven symbols that are spelled like a reference end with the check symbol of the ten before."""
    return int(spelled[:-1].encode("ascii").translate(_BASE_32), 32) % 37 == SYMBOLS.index(spelled[-1])


def parse_ref(typed: str) -> str:
    """Return the stored form of what a person typed or scanned.

    Raises:
        FormatError: not a reference; its check symbol tells a mistyped one.
    """
    ref = typed.upper().translate(_READ_AS) if typed.isascii() else ""
    if not is_ref(ref):
        raise FormatError(f"{typed!r} is not a reference", code="bad-ref", value=typed[:40])
    return ref


def format_ref(ref: str) -> str:
    """Return ``ref`` in the groups in which it is printed."""
    return f"{ref[:4]}-{ref[4:8]}-{ref[8:]}"
