r"""The entry: a leaf of the tree and a link of the chain, at most 49,000 bytes of canonical JSON.

    {"envelope":{…},"prev":"<hex>","roster":"<hex>","time":"2026-11-23T02:14:07Z","v":1}

``prev`` is the leaf hash of the entry before, so that a person can follow the chain with
``(printf '\000'; cat entry) | sha256sum``. ``roster`` is the SHA-256 of the newest roster payload before this entry:
an entry says by which roster it was judged. ``time`` never runs backwards.
"""

from __future__ import annotations

import binascii
import datetime
import functools
import hashlib
import re
from dataclasses import dataclass

from ledger.errors import FormatError, NewerFormatError
from ledger.records import canonical
from ledger.records.envelope import MAX_ENVELOPE, Envelope, Signature, envelope_of, value_of
from ledger.records.shapes import digest, timestamp

__all__ = [
    "MAX_ENTRY",
    "NO_ROSTER",
    "Entry",
    "dump_entry",
    "entry_around",
    "first_prev",
    "format_time",
    "local_date",
    "parse_entry",
    "parse_time",
    "usual_parts",
]

MAX_ENTRY = 49_000
NO_ROSTER = "0" * 64
_HEAD = b'{"envelope":{"payload":"'
_BEHIND = re.compile(  # the end of the payload and what follows: nearly every entry is spelled so, and nothing else says the same
    rb'(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)'  # no spare bits in its last group
    rb'","payloadType":"[A-Za-z0-9/.+-]{1,200}",'
    rb'"signatures":\[\{"keyid":"[0-9a-f]{64}","sig":"[A-Za-z0-9+/]{85}[AQgw]=="\}\]\},'
    rb'"prev":"[0-9a-f]{64}","roster":"[0-9a-f]{64}","time":"[0-9TZ:-]{20}","v":1\}'
)
# Where its values stand, counted from the end, but for the type: slices cost half of what groups do.
_KIND, _KEYID, _SIG = slice(17, -378), slice(-352, -288), slice(-279, -191)
_PREV, _ROSTER, _TIME = slice(-178, -114), slice(-102, -38), slice(-28, -8)
_PARTS = ((0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2))
_KEYS = {"envelope", "prev", "roster", "time", "v"}


@dataclass(frozen=True, slots=True)
class Entry:
    """An envelope at its place: ``prev`` and ``roster`` in hex, ``time`` as RFC 3339 UTC seconds."""

    envelope: Envelope
    prev: str
    roster: str
    time: str


def dump_entry(entry: Entry) -> bytes:
    """Return the bytes of ``entry`` as they are hashed and published."""
    return canonical.dump(
        {"envelope": value_of(entry.envelope), "prev": entry.prev, "roster": entry.roster, "time": entry.time, "v": 1}
    )


def entry_around(envelope: bytes, prev: str, roster: str, time: str) -> bytes:
    """Return the bytes of the entry around the canonical bytes of an envelope: as ``dump_entry``, without writing it anew.

    ``envelope`` is what ``load_envelope`` has accepted; hashes are hex, ``time`` as ``format_time`` gives it.
    """
    return b'{"envelope":%b,"prev":"%b","roster":"%b","time":"%b","v":1}' % (
        envelope, prev.encode("ascii"), roster.encode("ascii"), time.encode("ascii"),
    )  # fmt: skip


def parse_entry(data: bytes) -> Entry:
    """Return the entry in ``data``.

    Raises:
        FormatError: not canonical, too long, or not an entry.
        NewerFormatError: an entry of a later version.
    """
    usual = usual_parts(data)
    if usual is not None:
        kind, payload, keyid, sig, prev, roster, time = usual
        return Entry(Envelope(kind, payload, (Signature(keyid, sig),)), prev, roster, time)
    value = canonical.parse(data, limit=MAX_ENTRY)
    if type(value) is not dict or type(value.get("v")) is not int:
        raise FormatError("not an entry", code="bad-entry")
    if value["v"] != 1:
        raise NewerFormatError(f"an entry of version {value['v']}", version=value["v"])
    if value.keys() != _KEYS:
        raise FormatError("an entry of version 1 has envelope, prev, roster, time and v", code="bad-entry")
    for key in ("prev", "roster"):
        if not digest.fits(value[key]):
            raise FormatError(f"{key} is not 64 hex digits", code="bad-entry")
    if not timestamp.fits(value["time"]):
        raise FormatError("time is not UTC seconds", code="bad-entry")
    return Entry(envelope_of(value["envelope"]), value["prev"], value["roster"], value["time"])


def usual_parts(data: bytes) -> tuple[str, bytes, str, bytes, str, str, str] | None:
    """Return an entry with one signature in its one canonical spelling, taken apart without a JSON parser.

    The parts are payload type, payload, keyid, sig, prev, roster and time; None: it is to be read by ``parse_entry``.
    """
    if len(data) > MAX_ENVELOPE or not data.startswith(_HEAD):
        return None
    end = data.find(b'"', len(_HEAD))
    found = _BEHIND.fullmatch(data, end - 4) if end >= len(_HEAD) + 4 else None
    if found is None or (end - len(_HEAD)) % 4:
        return None
    behind = str(data[end:], "ascii")
    time = behind[_TIME]
    if not timestamp.fits(time):
        return None
    try:
        payload = binascii.a2b_base64(data[len(_HEAD) : end], strict_mode=True)
    except binascii.Error:
        return None
    sig = binascii.a2b_base64(behind[_SIG])
    return behind[_KIND], payload, behind[_KEYID], sig, behind[_PREV], behind[_ROSTER], time


def first_prev(origin: str) -> str:
    """Return ``prev`` of entry 0: SHA-256 of ``bening/v1``, the origin, and their newlines."""
    return hashlib.sha256(f"bening/v1\n{origin}\n".encode()).hexdigest()


def format_time(seconds: int) -> str:
    """Return POSIX ``seconds`` as an entry's time."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.lru_cache(maxsize=1024)
def parse_time(text: str) -> int:
    """Return the POSIX seconds of an entry's time that has been accepted before."""
    year, month, day, hour, minute, second = (int(text[at : at + length]) for at, length in _PARTS)
    return int(datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC).timestamp())


@functools.lru_cache(maxsize=1024)
def local_date(time: str, utc_offset: str) -> str:
    """Return the date ``YYYY-MM-DD`` of a UTC ``time`` where clocks differ by ``utc_offset`` (``+07:00``)."""
    sign = -1 if utc_offset[0] == "-" else 1
    offset = datetime.timedelta(hours=int(utc_offset[1:3]), minutes=int(utc_offset[4:6])) * sign
    moment = datetime.datetime.fromtimestamp(parse_time(time), datetime.UTC) + offset
    return moment.date().isoformat()
