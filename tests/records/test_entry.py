"""Entries: one spelling, a chain that a person can follow, and a later version that is not called false."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError, LedgerError, NewerFormatError
from ledger.records import canonical
from ledger.records.entry import (
    MAX_ENTRY,
    NO_ROSTER,
    Entry,
    dump_entry,
    first_prev,
    format_time,
    local_date,
    parse_entry,
    parse_time,
)
from ledger.records.envelope import MAX_ENVELOPE, Envelope, Signature, dump_envelope, value_of
from ledger.records.record import MAX_RECORD

ENVELOPE = Envelope("application/vnd.bening.record+json", b'{"v":1}', (Signature("0" * 64, bytes(64)),))
ENTRY = Entry(ENVELOPE, "a" * 64, "b" * 64, "2026-11-23T02:14:07Z")
VALUE: dict[str, Any] = {"envelope": value_of(ENVELOPE), "prev": "a" * 64, "roster": "b" * 64, "time": ENTRY.time, "v": 1}


def test_round_trip() -> None:
    """What is written is read again."""
    data = dump_entry(ENTRY)
    assert parse_entry(data) == ENTRY
    assert canonical.parse(data, limit=MAX_ENTRY) == VALUE


def test_the_chain_begins_with_the_origin() -> None:
    """The first link is made from ``bening/v1`` and the origin."""
    assert first_prev("bening.example/kota") == hashlib.sha256(b"bening/v1\nbening.example/kota\n").hexdigest()
    assert NO_ROSTER == "0" * 64


@pytest.mark.parametrize(
    "change",
    [
        {"prev": "A" * 64},
        {"prev": "a" * 63},
        {"prev": None},
        {"roster": "b" * 65},
        {"roster": 0},
        {"time": "2026-11-23T02:14:07.5Z"},
        {"time": "2026-11-23T02:14:07+07:00"},
        {"time": "2026-02-30T02:14:07Z"},
        {"time": 1795400047},
        {"envelope": {}},
        {"envelope": {**VALUE["envelope"], "signatures": []}},
        {"v": 0.5},
        {"v": "1"},
        {"v": True},
        {"v": None},
        {"more": 1},
    ],
)
def test_refused(change: dict[str, Any]) -> None:
    """Every other shape of a version 1 entry is refused."""
    value = {**VALUE, **change}
    try:
        data = canonical.dump(value)
    except FormatError:
        return
    with pytest.raises(FormatError):
        parse_entry(data)


@pytest.mark.parametrize("key", ["envelope", "prev", "roster", "time", "v"])
def test_nothing_may_be_left_out(key: str) -> None:
    """All five keys are needed."""
    with pytest.raises(FormatError):
        parse_entry(canonical.dump({name: value for name, value in VALUE.items() if name != key}))


def test_a_later_version_is_not_called_false() -> None:
    """An entry of version 2 cannot be judged here, whatever it holds."""
    for value in ({**VALUE, "v": 2}, {"v": 2}, {**VALUE, "v": 2, "proof": {}}):
        with pytest.raises(NewerFormatError):
            parse_entry(canonical.dump(value))


def test_the_largest_record_with_sixteen_signatures_fits() -> None:
    """Record, envelope and entry limits agree: no admissible record makes an entry that is too long."""
    signatures = tuple(Signature(f"{n:064x}", bytes([255]) * 64) for n in range(16))
    envelope = replace(ENVELOPE, payload=b"x" * MAX_RECORD, signatures=signatures)
    assert len(dump_envelope(envelope)) <= MAX_ENVELOPE
    assert len(dump_entry(replace(ENTRY, envelope=envelope))) <= MAX_ENTRY


def test_the_limit() -> None:
    """49,000 bytes and no more."""
    with pytest.raises(FormatError) as caught:
        parse_entry(b" " * (MAX_ENTRY + 1))
    assert caught.value.code == "too-long"


@given(st.data())
def test_accepted_formats_to_itself(data: st.DataObject) -> None:
    """A changed byte is refused, or is the one spelling of another entry."""
    good = bytearray(dump_entry(ENTRY))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse_entry(bytes(good))
    except LedgerError:
        return
    assert dump_entry(found) == bytes(good)


@given(st.integers(-10_000_000_000, 30_000_000_000))
def test_times_round_trip(seconds: int) -> None:
    """Seconds to text and back."""
    assert parse_time(format_time(seconds)) == seconds


@pytest.mark.parametrize(
    ("time", "offset", "date"),
    [
        ("2026-01-01T16:59:59Z", "+07:00", "2026-01-01"),
        ("2026-01-01T17:00:00Z", "+07:00", "2026-01-02"),
        ("2025-12-31T17:00:00Z", "+07:00", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "+00:00", "2026-01-01"),
        ("2026-01-01T09:29:59Z", "-09:30", "2025-12-31"),
        ("2026-01-01T09:30:00Z", "-09:30", "2026-01-01"),
        ("2024-02-28T18:15:00Z", "+05:45", "2024-02-29"),
        ("2026-01-01T10:00:00Z", "+14:00", "2026-01-02"),
    ],
)
def test_local_date(time: str, offset: str, date: str) -> None:
    """The day in the city, not in Greenwich: terms of office begin and end at local midnight."""
    assert local_date(time, offset) == date
