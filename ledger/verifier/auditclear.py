"""One bundle, examined in a child process: what can be said of its entries without the acts before them.

An entry is *clear* where its record is sound, every signature holds, and nothing speaks against it by the roster that it
names, if neither its reference nor its number has been used, and if the acts that it changes exist and are of its own
office: the parent makes sure of that, that this is the newest roster, and that the chain goes on. The rosters are replayed
from ``roster.jsonl`` here; a payload's hash names all payloads before it, so that the same hash is the same roster, wherever
the file came from. Of an entry with relations, the parent is also told which signatures hold. Whatever else there is, the
parent reads itself, from the bytes: no verdict but "holds" and "clear" comes from a child.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Mapping, Sequence
from typing import Any

from ledger.errors import LedgerError
from ledger.index import Rows, keys_of
from ledger.index.examined import sound_record, verified_by
from ledger.records.entry import Entry, local_date, parse_entry
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record
from ledger.records.replay import Act, NumberKey, act_of, judge
from ledger.records.roster import Roster, apply_roster, judge_roster
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.client import Source, open_source, read_roster
from ledger.verifier.findings_acts import look_at
from ledger.verifier.reader import read_bundle

__all__ = ["CLEAR", "PARTS", "SELDOM", "Clearing", "examine"]

CLEAR = "clear"
PARTS = "parts"
SELDOM = (20_000, 10, 10)  # garbage collections: what a bundle makes has no circles, and looking for them costs a twelfth
_UNKNOWN_INDEX = 2**53

Plain = Any


def examine(context: Plain, task: Plain) -> Plain:
    """Return what is found in one bundle, entry by entry; None where the parent has to read it itself."""
    gc.set_threshold(*SELDOM)
    start, size, hashes = task
    leaves = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    where, founding = context
    try:
        entries = read_bundle(_source(where), start // TILE_WIDTH, size, leaves)
    except LedgerError:
        return None
    clearing = _clearing(where, founding)
    return [clearing.examine(index, data) for index, data in enumerate(entries[start % TILE_WIDTH :], start)]


@functools.lru_cache(maxsize=1)
def _source(where: str) -> Source:
    return open_source(where)


@functools.lru_cache(maxsize=1)
def _clearing(where: str, founding: str) -> Clearing:
    return Clearing(rosters_of(_source(where), founding))


def rosters_of(source: Source, founding: str) -> dict[str, Roster]:
    """Return the rosters in ``roster.jsonl`` by their hash, from the founding up to the first payload that is not in order."""
    found, current = dict[str, Roster](), Roster()
    try:
        envelopes = read_roster(source)
    except LedgerError:
        return found
    for n, envelope in enumerate(envelopes):
        is_first = n == 0
        if (is_first and envelope.id != founding) or envelope.payload_type != ROSTER_TYPE:
            break
        if judge_roster(current, envelope, index=0 if is_first else None):
            break
        current = apply_roster(current, envelope, index=0 if is_first else _UNKNOWN_INDEX)
        found[current.hash] = current
    return found


class _Supposed:
    """The acts before, as ``clear`` supposes them: those that the record names are of its office, and there are no others."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.named = {one["ref"] for one in record.data["relations"] if "ref" in one} - {record.ref}

    def by_ref(self, ref: str) -> Act | None:
        return act_of(self.record, index=0, time="") if ref in self.named else None

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        return ()

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        return ()


class Clearing:
    """Examines entries by the rosters that they name."""

    def __init__(self, rosters: Mapping[str, Roster]) -> None:
        self.rosters = rosters
        self._allowed: set[tuple[object, ...]] = set()

    def examine(self, index: int, data: bytes) -> Plain:
        """Return an entry as rows where it is clear, in parts where that is left to the parent, else as its bytes."""
        try:
            entry = parse_entry(data)
        except LedgerError:
            return data
        record, roster = sound_record(entry.envelope), self.rosters.get(entry.roster)
        if record is None or roster is None:
            return data
        keys = keys_of(record)
        parts = self._parts(entry, record, roster, keys) if record.data["relations"] else None
        if not self._is_clear(index, entry, record, roster, parts):
            return parts or data
        rows = Rows()
        rows.add(record, act_of(record, index=index, time=entry.time), keys)
        found = look_at(record.data)
        table_rows = rows.acts[0], rows.documents, rows.relations, rows.keys
        return CLEAR, entry.prev, entry.roster, entry.time, list(keys), *table_rows, found, parts

    def _parts(self, entry: Entry, record: Record, roster: Roster, keys: Sequence[int]) -> Plain:
        envelope = entry.envelope
        signatures = [(one.keyid, one.sig) for one in envelope.signatures]
        verified = list(_verified(entry, roster))
        return PARTS, envelope.payload, record.id, signatures, verified, list(keys), entry.prev, entry.roster, entry.time

    def _is_clear(self, index: int, entry: Entry, record: Record, roster: Roster, parts: Plain) -> bool:
        """Judge; and remember what was allowed: records alike in all that the roster decides are judged once."""
        alike = _alike(entry, record, roster)
        if alike is not None and alike in self._allowed:
            return len(_verified(entry, roster)) == len(entry.envelope.signatures)
        verified = {} if parts is None else dict.fromkeys(parts[4], True)
        acts = _Supposed(record)
        found = judge(roster, acts, entry.envelope, index=index, time=entry.time, record=record, verified=verified)
        if alike is not None and not found:
            self._allowed.add(alike)
        return not found


def _verified(entry: Entry, roster: Roster) -> dict[str, bool]:
    enrolled = [roster.enrolments.get(one.keyid) for one in entry.envelope.signatures]
    return verified_by(entry.envelope, {one.key.keyid: one.key for one in enrolled if one is not None})


def _alike(entry: Entry, record: Record, roster: Roster) -> tuple[object, ...] | None:
    """Return all on which a judgement without earlier acts depends, but for the signatures; None where more may count.

    Not alike are records of number books and with relations, those outside a signer's term, and those of which something
    is wrong anyhow. A test holds this against ``judge``.
    """
    data = record.data
    if data["founding"] != roster.founding or data["kind"] == "void" or "series" in data or data["relations"]:
        return None
    if [one.keyid for one in entry.envelope.signatures] != data["signers"]:
        return None
    if roster.withdrawn and any(one.get("sha256") in roster.withdrawn for one in data["documents"]):
        return None
    date = local_date(entry.time, roster.utc_offset)
    for keyid in data["signers"]:
        enrolment = roster.enrolments.get(keyid)
        if enrolment is None or not enrolment.covers(date):
            return None
    return (roster.hash, data["office"], data["kind"], data["form"], *data["signers"])
