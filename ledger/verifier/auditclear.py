"""One bundle, examined in a child process: what can be said of its entries without the acts before them.

An entry is *clear* where its record is sound, every signature holds, and nothing speaks against it by the roster that it
names, if neither its reference nor its number has been used, and if the acts that it changes exist and are of its own
office: the parent makes sure of that, that this is the newest roster, and that the chain goes on. The rosters are replayed
from ``roster.jsonl`` here; a payload's hash names all payloads before it, so that the same hash is the same roster, wherever
the file came from. ClearEntry entries that follow each other and change nothing are one *run* (``auditrun``).
Of an entry with relations, the parent is also told which signatures hold. Whatever else there is, the parent reads itself,
from the bytes: no verdict but "holds" and "clear" comes from a child.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Mapping, Sequence
from typing import Any

from ledger.errors import LedgerError
from ledger.index import keys_of
from ledger.index.examined import holds, sound, sound_record, verified_by
from ledger.records.alike import alike
from ledger.records.entry import Entry, local_date, parse_entry, usual_parts
from ledger.records.envelope import pae
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import RECORD_TYPE, Record
from ledger.records.replay import Act, NumberKey, act_of, judge
from ledger.records.roster import Roster, apply_roster, judge_roster
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.auditbuckets import measure
from ledger.verifier.auditrun import ClearEntry, Growing
from ledger.verifier.client import Source, open_source, read_roster
from ledger.verifier.reader import read_bundle

__all__ = ["PARTS", "SELDOM", "Clearing", "answer", "examine", "forget"]

PARTS = "parts"
SELDOM = (20_000, 10, 10)  # garbage collections: what a bundle makes has no circles, and looking for them costs a twelfth
_UNKNOWN_INDEX = 2**53

Plain = Any


def answer(context: Plain, task: Plain) -> Plain:
    """Return what is found in a bundle (start, size of the tree, leaf hashes), or in look-up files (``measure``)."""
    kind, *about = task
    if kind == "bundle":
        return examine(context, about)
    found = [measure(_source(context[0]), *one) for one in about[0]]
    return [None if one is None else tuple(one) for one in found]


def examine(context: Plain, about: Plain) -> Plain:
    """Return what is found in one bundle, in its order; None where the parent has to read it itself."""
    gc.set_threshold(*SELDOM)
    start, size, hashes = about
    leaves = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    where, founding = context
    try:
        entries = read_bundle(_source(where), start // TILE_WIDTH, size, leaves)
    except LedgerError:
        return None
    width = start % TILE_WIDTH
    return _clearing(where, founding).examine_all(start, leaves[width:], entries[width:])


def forget() -> None:
    """Forget the source and its rosters: whoever helped its children may audit again later, when there are more."""
    _source.cache_clear()
    _clearing.cache_clear()


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

    def examine_all(self, start: int, leaves: Sequence[bytes], entries: Sequence[bytes]) -> list[Plain]:
        """Return what is found in the entries from ``start`` on: runs, parts and bytes."""
        found: list[Plain] = []
        run: Growing | None = None
        before = b""
        for index, (leaf, data) in enumerate(zip(leaves, entries, strict=True), start):
            one = self.examine(index, data)
            if not isinstance(one, ClearEntry):
                found.append(one)
                run = None
            else:
                if run is None or not run.is_followed_by(one, before):
                    run = Growing(one)
                    found.append(run)
                run.add(index, one)
            before = leaf
        return [one.plain() if isinstance(one, Growing) else one for one in found]

    def examine(self, index: int, data: bytes) -> Plain:
        """Return an entry as ``ClearEntry`` where it is so, in parts where that is left to the parent, else as its bytes."""
        usual = usual_parts(data)
        if usual is not None and (clear := self._usual(*usual)):
            return clear
        try:
            entry = parse_entry(data)
        except LedgerError:
            return data
        roster = self.rosters.get(entry.roster)
        record = None if roster is None else sound_record(entry.envelope)
        if record is None or roster is None:
            return data
        keys = keys_of(record)
        parts = self._parts(entry, record, roster, keys) if record.data["relations"] else None
        if not self._is_clear(index, entry, record, roster, parts):
            return parts or data
        return ClearEntry(record, keys, entry.prev, entry.roster, entry.time, parts)

    def _usual(
        self, kind: str, payload: bytes, keyid: str, sig: bytes, prev: str, roster_hash: str, time: str
    ) -> ClearEntry | None:
        """Return an entry that is alike another that was allowed, if its signature holds; None: that has to be found out."""
        roster = self.rosters.get(roster_hash)
        record = None if roster is None or kind != RECORD_TYPE else sound(payload)
        if record is None or roster is None or _alike([keyid], time, record, roster) not in self._allowed:
            return None
        if not holds(roster.enrolments[keyid].key, pae(kind, payload), sig):
            return None
        return ClearEntry(record, keys_of(record), prev, roster_hash, time, None)

    def _parts(self, entry: Entry, record: Record, roster: Roster, keys: Sequence[int]) -> Plain:
        envelope = entry.envelope
        signatures = [(one.keyid, one.sig) for one in envelope.signatures]
        verified = list(_verified(entry, roster))
        return PARTS, envelope.payload, record.id, signatures, verified, list(keys), entry.prev, entry.roster, entry.time

    def _is_clear(self, index: int, entry: Entry, record: Record, roster: Roster, parts: Plain) -> bool:
        """Judge; and remember what was allowed: records alike in all that the roster decides are judged once."""
        alike = _alike([one.keyid for one in entry.envelope.signatures], entry.time, record, roster)
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


def _alike(signed_by: Sequence[str], time: str, record: Record, roster: Roster) -> tuple[object, ...] | None:
    """Return all on which a judgement without earlier acts depends, but for the signatures; None where more may count."""
    if roster.withdrawn and any(one.get("sha256") in roster.withdrawn for one in record.data["documents"]):
        return None
    kind = alike(signed_by, record.data)
    return None if kind is None else (roster.hash, local_date(time, roster.utc_offset), *kind)

