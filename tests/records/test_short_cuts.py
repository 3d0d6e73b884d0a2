"""Short cuts decide as the long way does: shapes that only tell whether a value fits, and the usual spellings of envelope and entry."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import orjson
import pytest

from ledger.errors import AdmissionError, FormatError, LedgerError, NewerFormatError
from ledger.records import canonical
from ledger.records import record as record_module
from ledger.records.entry import MAX_ENTRY, Entry, dump_entry, entry_around, parse_entry
from ledger.records.envelope import Envelope, Signature, dump_envelope, envelope_of, load_envelope, value_of
from ledger.records.kinds import FIELDS
from ledger.records.record import _RECORD, RECORD_TYPE, Record, check_record, parse_record
from ledger.records.refs import draw_ref
from ledger.records.shapes import is_spelled

ODD: list[Any] = [
    None, True, 0, -1, 2**53, 1.5, "", " x", "x", "3374012345678901", "a" * 5000, [], {}, ["x"], {"x": 1}, "2026-02-30", "2026-01-01",
    "0a" * 32, "19JVNJXPQJS", "sk", "1.00", "01", "IDR", "a/b", "..", "\u0130", "x\n",
]  # fmt: skip
RECORD: dict[str, Any] = {
    "v": 1, "founding": "0a" * 32, "kind": "contract", "form": "spk", "ref": "19JVNJXPQJS", "office": "dinas", "number": "1/SPK/2026",
    "title": "Pengadaan", "language": "id", "signed_on": "2026-01-02", "signers": ["0a" * 32], "extra": {"a": "b"},
    "signatories": [{"position": "PPK", "capacity": "definitive", "name": "N"}],
    "documents": [
        {"sha256": "1b" * 32, "size": 1, "media_type": "application/pdf", "name": "a.pdf", "role": "signed"},
        {"withheld": "2c" * 32, "media_type": "application/pdf", "role": "annex", "reason": "r", "law": "l"},
    ],
    "relations": [{"type": "follows", "ref": "19JVNJXPQJS"}, {"type": "amends", "outside": {"number": "1", "year": 2020}}],
    "fields": {"value": "10", "currency": "IDR", "supplier": {"name": "CV"}, "plan_codes": ["1"], "budget_year": 2026,
               "changes": [{"field": "value", "was": "1", "becomes": "2"}], "start_on": "2026-01-02"},
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in places(part, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at one place; ``...`` takes it away."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("odd", [*ODD, ...], ids=lambda odd: repr(odd)[:20])
def test_a_value_fits_exactly_where_nothing_is_said_against_it(odd: Any) -> None:
    """``fits`` and ``faults`` agree for every odd value at every place of a record and its fields."""
    for path in places(RECORD)[1:]:
        record = changed(RECORD, path, odd)
        assert _RECORD.fits(record) == (not list(_RECORD.faults(record, ""))), path
        shape, fields = FIELDS["contract"], record.get("fields")
        assert shape.fits(fields) == (not list(shape.faults(fields, ""))), path
    assert _RECORD.fits(RECORD)


@pytest.mark.parametrize("odd", [*ODD, ...], ids=lambda odd: repr(odd)[:20])
def test_records_are_read_alike_both_ways(odd: Any) -> None:
    """With any odd value at any place, and under keys that are none, the short way and the long way say the same."""
    for path in places(RECORD)[1:]:
        for record in (changed(RECORD, path, odd), {**RECORD, "extra": {"a b": "c"}}, {**RECORD, "extra": {"a": None if odd is ... else odd}}):
            data = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
            assert outcome(parse_record, data) == outcome(_record_long, data), path


_SPAN = {"start_on": "2026-01-02", "end_on": "2026-12-31"}
_BASIS = {"subjects": ["a", "b"], "legal_basis": ["UU 1"], "proposer": "p"}
FULL: dict[str, dict[str, Any]] = {
    "regulation": {**_BASIS, "promulgated_on": "2026-01-31", "gazette": {"name": "LD", "year": 2026, "number": "1"}, "abstract": "a"},
    "decision": _BASIS, "instruction": _BASIS, "circular": _BASIS,
    "personnel": {"action": "appoint", "positions": [{"from": "a", "to": "b", "unit": "c"}, {"to": "b"}], "people_count": 2,
                  "names": ["N", "M"], "effective_on": "2026-04-30"},
    "permit": {"permit_type": "t", "applicant": {"name": "CV", "form": "cv", "id": "1"}, "location": "l", "requested_on": "2026-01-01",
               "issued_on": "2026-01-02", "service_standard_days": 5, "business_id": "9", "conditions": "c", "fee": "0", "currency": "IDR"},
    "contract": {**RECORD["fields"], **_SPAN, "method": "m", "category": "c", "procurement_code": "1", "ceiling": "1.5", "owner_estimate": "2",
                 "award_number": "3", "pricing": "p", "funding": ["APBD"], "registered_bidders": 0, "priced_bids": 1,
                 "appointment_reason": "r", "place": "p", "sequence": 1000, "reason": "r"},
    "award": {"supplier": {"unknown": "u"}, "value": "1", "currency": "IDR", "procurement_code": "1", "plan_codes": ["1", "2"]},
    "order": {"starts_on": "2026-01-01", "duration_days": 36500, "ends_on": "2026-01-02"},
    "handover": {"stage": "final", "percent": 100, "accepted_value": "1", "currency": "IDR", "delay_days": 0, "penalty": "0.10"},
    "minutes": {"parties": ["a", "b"], "subject": "s", **_SPAN}, "agreement": {"parties": ["a"], "subject": "s", **_SPAN},
    "notice": {"subject": "s", "agenda_number": "1", "draft_sha256": "0a" * 32},
    "void": {"series": "sk", "serials": [0, 1, 10**14], "reason": "unused", "law": "l"}, "other": {"subject": "s"},
}  # fmt: skip
EDGES: list[Any] = [
    "2024-02-29", "2026-02-29", "2026-04-31", "2026-12-31", "2026-13-01", "x" * 40, "x" * 41, "x" * 64, "x" * 65, "x" * 200, "x" * 201,
    "x" * 300, "x" * 301, "x" * 4000, "x" * 4001, "x ", "a  b", "-", ".", "a/b/c", "100000000000000001", "0.5", "0.123", "999999999999999999",
    1, 9, 10, 99, 100, 101, 999, 1000, 1001, 1899, 1900, 2199, 2200, 36500, 36501, 2**40, 2**40 + 1, 2**53 - 1, False, "\"", "\\", "a\"b",
    ["x"] * 64, ["x"] * 65, [1], ["x", " "], {"name": "a", "unknown": "b"}, {"withheld": "x"}, "1234567890123456x", "12345678901234567",
]  # fmt: skip


@pytest.mark.parametrize("kind", FULL)
def test_records_of_every_kind_are_read_alike_both_ways(kind: str) -> None:
    """Each field left out, and with odd values and those at the edge of its shape; what the usual spelling takes is sound."""
    assert FULL.keys() == FIELDS.keys()
    whole = {**RECORD, "kind": kind, "fields": FULL[kind], "extra": {}, "relations": [{"type": "amends", "ref": "19JVNJXPQJS"}]}
    whole |= {"signers": ["0a" * 32], "unnumbered_reason": "x"} if kind == "void" else {}
    whole = whole | {"ref": next(ref for ref in _refs() if ref != "19JVNJXPQJS"), "number": None if kind == "void" else "1/2"}
    good = orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)
    assert all(isinstance(outcome(parse_record, good), Record) for _ in range(70)), list(check_record(whole))
    spelled = record_module._SPELLED[kind.encode("ascii")]
    assert is_spelled(good, spelled)
    taken = 0
    for path in places(whole)[1:]:
        for odd in [*ODD, *EDGES, ...]:
            data = orjson.dumps(changed(whole, path, odd), option=orjson.OPT_SORT_KEYS)
            assert outcome(parse_record, data) == outcome(_record_long, data), (path, odd)
            taken += is_spelled(data, spelled)
    assert taken > 100


def _refs() -> list[str]:
    chance = random.Random(1)
    return [draw_ref(chance.getrandbits) for _ in range(3)]


def _record_long(data: bytes) -> Any:
    value = canonical.parse(data, limit=32 * 1024)
    reasons = list(check_record(value))
    if any(reason.unknown for reason in reasons):
        raise NewerFormatError("")
    if reasons:
        raise AdmissionError(reasons)
    return Record(data, hashlib.sha256(data).hexdigest(), value)


def envelope(count: int = 1, kind: str = RECORD_TYPE, payload: bytes = b'{"a":1}') -> Envelope:
    """An envelope with some signatures."""
    return Envelope(kind, payload, tuple(Signature(f"{n:064x}", bytes([n]) * 64) for n in range(count)))


def outcome(parse: Any, data: bytes) -> Any:
    """What a parser says of bytes: its value, or the kind of its refusal."""
    try:
        return parse(data)
    except LedgerError as error:
        return type(error)


@pytest.mark.parametrize("seed", range(40))
def test_envelopes_and_entries_are_read_alike_both_ways(seed: int) -> None:
    """Bytes changed anywhere are accepted or refused as by the general parser, and give the same."""
    chance = random.Random(seed)
    one = dump_envelope(envelope(chance.choice((1, 1, 2)), chance.choice((RECORD_TYPE, "x", 'a"b', "é"))))
    whole = dump_entry(Entry(load_envelope(one), "a" * 64, "b" * 64, "2026-01-02T03:04:05Z"))
    for _ in range(300):
        for data, short, long in ((one, load_envelope, _envelope_long), (whole, parse_entry, _entry_long)):
            mutated = bytearray(data)
            for _ in range(chance.choice((0, 1, 1, 2))):
                at = chance.randrange(len(mutated))
                mutated[at : at + chance.choice((0, 1, 1, 9))] = chance.choice((b"", b"A", b"=", b'"', b"\\", b"\n", b"0", bytes([chance.randrange(256)])))
            assert outcome(short, bytes(mutated)) == outcome(long, bytes(mutated)), bytes(mutated)


def _envelope_long(data: bytes) -> Envelope:
    return envelope_of(canonical.parse(data, limit=48_600))


def _entry_long(data: bytes) -> Entry:
    """Read an entry by the general parser: whatever begins with a space is not the usual spelling, so keys are turned round."""
    value = canonical.parse(data, limit=MAX_ENTRY)
    if not isinstance(value, dict) or value.keys() != {"envelope", "prev", "roster", "time", "v"} or value["v"] != 1:
        return parse_entry(data)
    found = envelope_of(value["envelope"])
    entry = Entry(found, value["prev"], value["roster"], value["time"])
    padded = json.dumps({"envelope": value_of(envelope()), "prev": value["prev"], "roster": value["roster"], "time": value["time"], "v": 1}, separators=(",", ":"))
    if isinstance(outcome(parse_entry, padded.encode()), type):
        raise FormatError("not an entry", code="bad-entry")
    return entry


def test_an_entry_is_put_around_the_bytes_of_its_envelope() -> None:
    """``entry_around`` writes what ``dump_entry`` writes, for each number of signatures and odd types."""
    for count, kind in ((1, RECORD_TYPE), (3, RECORD_TYPE), (1, 'q"\\'), (16, "é")):
        one = envelope(count, kind)
        assert dump_envelope(one) == canonical.dump(value_of(one))
        entry = Entry(one, "a" * 64, "0a" * 32, "2026-01-02T03:04:05Z")
        assert entry_around(dump_envelope(one), entry.prev, entry.roster, entry.time) == dump_entry(entry)
        assert parse_entry(dump_entry(entry)) == entry
