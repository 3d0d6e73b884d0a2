"""Small shapes from which the tables of records and roster events are built; each finds every fault, not the first only.

A *shape* is called with a JSON value and its path and returns the reasons against it. Nearly every value fits, so a shape
first asks ``fits``, which only tells whether there are none, and looks for reasons where that says no. Any function from
value and path to reasons may stand for a shape. Shapes read values that ``canonical.parse`` has already accepted, so
strings are NFC and visible, and integers are in range.

A shape also has a *spelling*: a regular expression of canonical JSON. Whatever it matches fits, if nothing in it has 16 digits
in a row (``is_spelled`` asks for that). It need not match all that fits; it is how nearly every record is known to be sound
without looking at each of its values.
"""

from __future__ import annotations

import binascii
import datetime
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ledger.errors import Reason

__all__ = [
    "AnyShape",
    "Shape",
    "choice",
    "currency",
    "date",
    "date_of",
    "digest",
    "either",
    "identifier",
    "integer",
    "is_spelled",
    "listing",
    "mapping",
    "media_type",
    "money",
    "nullable",
    "pattern",
    "person_text",
    "spki",
    "text",
    "timestamp",
    "word",
]

NEVER = "(?!)"
TEXT = r"[ !#-\[\]-~]"  # visible ASCII that JSON writes as it is

Fits = Callable[[Any], bool]
Faults = Callable[[Any, str], Iterable[Reason]]


class Shape:
    """``fits`` tells whether ``faults`` would find nothing; the two must agree (a test holds them against each other)."""

    __slots__ = ("faults", "fits", "spelling")

    def __init__(self, faults: Faults, fits: Fits | None = None, spelling: str = NEVER) -> None:
        self.faults, self.spelling = faults, spelling
        self.fits: Fits = fits or (lambda value: not any(True for _ in faults(value, "")))

    def __call__(self, value: Any, path: str) -> Iterable[Reason]:
        """Return every reason against ``value``."""
        return () if self.fits(value) else self.faults(value, path)


AnyShape = Shape | Faults


def _fits(shape: AnyShape) -> Fits:
    return shape.fits if isinstance(shape, Shape) else Shape(shape).fits


def _spelling(shape: AnyShape) -> str:
    return shape.spelling if isinstance(shape, Shape) else NEVER


_DATE = re.compile(r"([12][0-9]{3})-([01][0-9])-([0-3][0-9])", re.ASCII)
_TIME = re.compile(r"([12][0-9]{3}-[01][0-9]-[0-3][0-9])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z", re.ASCII)
_SIXTEEN_DIGITS = re.compile(r"(?<!\d)\d{16}(?!\d)")
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_DAY = (
    "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"  # not 29 February
)
_SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")


def is_spelled(data: bytes, spelling: re.Pattern[bytes]) -> bool:
    """Tell whether ``data`` is canonical JSON of something that fits the shape with this (compiled) ``spelling``."""
    return spelling.fullmatch(data) is not None and b"0000000000000000" not in data.translate(_ZEROS)


def text(limit: int = 500) -> Shape:
    """A string of 1 … ``limit`` characters without outer spaces."""

    def check(value: Any, path: str) -> Iterator[Reason]:
        if type(value) is not str:
            yield Reason("not-text", path)
        elif not value or value != value.strip():
            yield Reason("empty-or-padded", path)
        elif len(value) > limit:
            yield Reason("text-too-long", path, {"length": len(value), "limit": limit})

    def fits(value: Any) -> bool:
        return type(value) is str and 0 < len(value) <= limit and value == value.strip()

    return Shape(check, fits, f'"(?! ){TEXT}{{1,{limit}}}(?<! )"')


def person_text(limit: int = 500) -> Shape:
    """Text that people read; a run of 16 digits, a citizen's number, is refused (NIK, and NPWP of residents)."""
    plain = text(limit)

    def check(value: Any, path: str) -> Iterator[Reason]:
        yield from plain(value, path)
        if type(value) is str and _SIXTEEN_DIGITS.search(value):
            yield Reason("citizen-number", path)

    def fits(value: Any) -> bool:
        return plain.fits(value) and (len(value) < 16 or not _SIXTEEN_DIGITS.search(value))

    return Shape(check, fits, plain.spelling)


def pattern(expression: str, code: str, spelling: str = NEVER) -> Shape:
    """A string that the ASCII ``expression`` matches whole; ``code`` names the fault."""
    compiled = re.compile(expression, re.ASCII)

    def check(value: Any, path: str) -> Iterator[Reason]:
        if type(value) is not str or not compiled.fullmatch(value):
            yield Reason(code, path, {"value": _shown(value)})

    matches = compiled.fullmatch
    return Shape(check, lambda value: type(value) is str and matches(value) is not None, spelling)


def word(expression: str, code: str) -> Shape:
    """A string that ``expression`` matches whole, which lets neither quotes, backslashes nor spaces through."""
    return pattern(expression, code, f'"(?:{expression})"')


def choice(*names: str) -> Shape:
    """One of ``names``. Another string may be a later version's."""

    def check(value: Any, path: str) -> Iterator[Reason]:
        if value not in names or type(value) is not str:
            allowed = ", ".join(names)
            yield Reason("not-a-choice", path, {"value": _shown(value), "allowed": allowed}, unknown=type(value) is str)

    return Shape(check, lambda value: type(value) is str and value in names, f'"(?:{"|".join(map(re.escape, names))})"')


def integer(low: int = 0, high: int = 2**53 - 1) -> Shape:
    """An integer in ``low … high``."""

    def check(value: Any, path: str) -> Iterator[Reason]:
        if type(value) is not int or not low <= value <= high:
            yield Reason("bad-number", path, {"value": _shown(value), "low": low, "high": high})

    return Shape(check, lambda value: type(value) is int and low <= value <= high, _integers(low, high))


def _integers(low: int, high: int) -> str:
    """Spell integers of the range: of a long one those of fewer digits than ``high``, and ``high`` itself."""
    if low > 1:
        return "|".join(map(str, range(low, high + 1))) if high - low < 1000 else NEVER
    if high < 10:
        return f"[{low}-{high}]"
    return ("0|" if low == 0 else "") + f"[1-9][0-9]{{0,{len(str(high)) - 2}}}|{high}"


def _date(value: Any, path: str) -> Iterator[Reason]:
    """A calendar date ``YYYY-MM-DD`` (1000 … 2999)."""
    if type(value) is not str or date_of(value) is None:
        yield Reason("bad-date", path, {"value": _shown(value)})


def _timestamp(value: Any, path: str) -> Iterator[Reason]:
    """A UTC time ``YYYY-MM-DDTHH:MM:SSZ``."""
    if type(value) is not str or not _is_time(value):
        yield Reason("bad-time", path, {"value": _shown(value)})


@functools.lru_cache(maxsize=1024)
def _is_time(value: str) -> bool:
    found = _TIME.fullmatch(value)
    return found is not None and date_of(found.group(1)) is not None


@functools.lru_cache(maxsize=4096)
def date_of(value: str) -> datetime.date | None:
    """Return the date that ``value`` spells in exact ASCII, or None."""
    found = _DATE.fullmatch(value)
    if not found:
        return None
    try:
        return datetime.date(int(found.group(1)), int(found.group(2)), int(found.group(3)))
    except ValueError:
        return None


def spki(value: Any, path: str) -> Iterator[Reason]:
    """Standard base64 of an Ed25519 public key as DER SubjectPublicKeyInfo (RFC 8410), 44 bytes."""
    try:
        der = binascii.a2b_base64(value, strict_mode=True) if type(value) is str and value.isascii() else b""
    except binascii.Error:
        der = b""
    canonical = binascii.b2a_base64(der, newline=False).decode("ascii") == value
    if len(der) != 44 or not der.startswith(_SPKI_ED25519) or not canonical:
        other_algorithm = canonical and der.startswith(b"\x30") and not der.startswith(_SPKI_ED25519)
        yield Reason("bad-key", path, unknown=other_algorithm)


def listing(item: AnyShape, *, least: int = 0, most: int = 64) -> Shape:
    """A list of ``least … most`` values of one shape."""

    def check(value: Any, path: str) -> Iterator[Reason]:
        if type(value) is not list:
            yield Reason("not-a-list", path)
        elif not least <= len(value) <= most:
            yield Reason("bad-count", path, {"count": len(value), "low": least, "high": most})
        else:
            for position, part in enumerate(value):
                yield from item(part, f"{path}[{position}]")

    one = _fits(item)

    def fits(value: Any) -> bool:
        return type(value) is list and least <= len(value) <= most and all(map(one, value))

    return Shape(check, fits, rf"\[(?:(?:{_spelling(item)})(?:,(?!\])|(?=\]))){{{least},{most}}}\]")


def mapping(required: Mapping[str, AnyShape], optional: Mapping[str, AnyShape] | None = None) -> Shape:
    """An object with all ``required`` and any ``optional`` keys; an unknown key may be a later version's."""
    known = {**required, **(optional or {})}

    def check(value: Any, path: str) -> Iterator[Reason]:
        if type(value) is not dict:
            yield Reason("not-an-object", path)
            return
        for key in required:
            if key not in value:
                yield Reason("missing", join(path, key))
        for key, part in value.items():
            if key in known:
                yield from known[key](part, join(path, key))
            else:
                yield Reason("unknown-key", join(path, key), unknown=True)

    parts, needed = {key: _fits(shape) for key, shape in known.items()}, required.keys()

    def fits(value: Any) -> bool:
        if type(value) is not dict or not needed <= value.keys():
            return False
        for key, part in value.items():
            one = parts.get(key)
            if one is None or not one(part):
                return False
        return True

    return Shape(check, fits, _object({key: (_spelling(known[key]), key in required) for key in sorted(known)}))


def _object(parts: Mapping[str, tuple[str, bool]]) -> str:
    """Spell an object of (spelling, required) by keys in their order; commas stand between what is there."""
    members = [(f'"{key}":(?:{part})', needed) for key, (part, needed) in parts.items()]
    first = next((at for at, (_, needed) in enumerate(members) if needed), None)
    if first is None:  # behind each is a comma and one more, or the end
        spelled = [rf'(?:{member}(?:,(?=")|(?=\}})))?' for member, _ in members]
    else:
        spelled = [f"(?:{member},)?" for member, _ in members[:first]] + [members[first][0]]
        spelled += [f",{member}" if needed else f"(?:,{member})?" for member, needed in members[first + 1 :]]
    return rf"\{{{''.join(spelled)}\}}"


def either(key: str, with_key: AnyShape, without: AnyShape) -> Shape:
    """One shape for objects that carry ``key``, another for those that do not."""

    def check(value: Any, path: str) -> Iterator[Reason]:
        yield from (with_key if type(value) is dict and key in value else without)(value, path)

    one, other = _fits(with_key), _fits(without)
    spelling = f"(?:{_spelling(with_key)}|{_spelling(without)})"
    return Shape(check, lambda value: (one if type(value) is dict and key in value else other)(value), spelling)


def nullable(shape: AnyShape) -> Shape:
    """``shape`` or null."""

    def check(value: Any, path: str) -> Iterator[Reason]:
        if value is not None:
            yield from shape(value, path)

    one = _fits(shape)
    return Shape(check, lambda value: value is None or one(value), f"(?:null|{_spelling(shape)})")


def join(path: str, key: str) -> str:
    """Return the path of ``key`` below ``path``."""
    return f"{path}.{key}" if path else key


def _shown(value: Any) -> str:
    shown = value if type(value) is str else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


date = Shape(_date, lambda value: type(value) is str and date_of(value) is not None, f'"[12][0-9]{{3}}-{_DAY}"')
timestamp = Shape(_timestamp, lambda value: type(value) is str and _is_time(value))
digest = word(r"[0-9a-f]{64}", "bad-digest")
identifier = word(r"[a-z0-9][a-z0-9.-]{0,63}", "bad-identifier")
money = word(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,2})?", "bad-money")
currency = word(r"[A-Z]{3}", "bad-currency")
media_type = word(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,126}", "bad-media-type")
