"""One bundle, examined in a child process: what can be said of its entries without the acts before them.

An entry is *clear* where its record is sound, every signature holds, and nothing speaks against it by the roster that it
names, if neither its reference nor its number has been used, and if the acts that it changes exist and are of its own
office: the parent makes sure of that, that this is the newest roster, and that the chain goes on. The rosters are replayed
from ``roster.jsonl`` here; a payload's hash names all payloads before it, so that the same hash is the same roster, wherever
the file came from. Clear entries that follow each other and change nothing are one *run*, which the parent keeps as a whole.
Of an entry with relations, the parent is also told which signatures hold. Whatever else there is, the parent reads itself,
from the bytes: no verdict but "holds" and "clear" comes from a child.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ledger.errors import LedgerError, SignatureError
from ledger.index import act_row, keys_of, packed
from ledger.index.examined import sound, sound_record, verified_by
from ledger.records.alike import alike
from ledger.records.entry import Entry, local_date, parse_entry, usual_parts
from ledger.records.envelope import pae
from ledger.records.events import ROSTER_TYPE
from ledger.records.numbers import folded_hash
from ledger.records.record import RECORD_TYPE, Record
from ledger.records.replay import Act, NumberKey, act_of, judge
from ledger.records.roster import Roster, apply_roster, judge_roster
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.auditbuckets import measure
from ledger.verifier.client import Source, open_source, read_roster
from ledger.verifier.findings_acts import look_at
from ledger.verifier.reader import read_bundle

__all__ = ["CLEAR", "NAMES", "PARTS", "SELDOM", "Clearing", "Run", "answer", "examine"]

CLEAR = "clear"
PARTS = "parts"
SELDOM = (20_000, 10, 10)  # garbage collections: what a bundle makes has no circles, and looking for them costs a twelfth
NAMES = slice(1, 3)  # of an act's keys: its reference, and its number (or a document, where it has none)
_FOLDED = 6  # column of ``act_row``
_UNKNOWN_INDEX = 2**53

Plain = Any


class Run(NamedTuple):
    """Clear entries that follow each other, as a child tells of them.

    ``what`` is ``CLEAR``; ``prev`` and ``since`` are the first one's link and time, ``until`` is the last one's time. ``names``
    are the keys that no other act may have; ``keys`` are ``packed``; ``numbers`` are the hashes of the numbers, act by act;
    ``looked`` is (index, reference, what ``look_at`` gave) of those of which there is something to note. An entry with
    ``relations`` is alone, and ``parts`` tell of it.
    """

    what: str
    prev: str
    roster: str
    since: str
    until: str
    names: list[int]
    acts: list[tuple[Any, ...]]
    documents: list[tuple[int, str, int]]
    relations: list[tuple[int, str, str]]
    keys: list[int]
    numbers: list[str | None]
    looked: list[tuple[int, str, Any]]
    parts: Plain


class _Clear(NamedTuple):
    """One clear entry: its record with the index's keys, its place in the chain, and, with relations, its parts."""

    record: Record
    keys: list[int]
    prev: str
    roster: str
    time: str
    parts: Plain


class _Growing:
    """A run to which entries are added while they follow."""

    def __init__(self, first: _Clear) -> None:
        self.first, self.until, self.names = first, first.time, set[int]()
        self.acts: list[tuple[Any, ...]] = []
        self.documents: list[tuple[int, str, int]] = []
        self.keys: list[int] = []
        self.numbers: list[str | None] = []
        self.looked: list[tuple[int, str, Any]] = []

    def is_followed_by(self, one: _Clear, before: bytes) -> bool:
        """Tell whether ``one`` continues this run, whose last leaf is ``before``."""
        first = self.first
        return (
            one.prev == before.hex() and one.roster == first.roster and one.time >= self.until
            and one.parts is None and first.parts is None and self.names.isdisjoint(one.keys[NAMES])
        )  # fmt: skip

    def add(self, index: int, one: _Clear) -> None:
        """Add an entry."""
        record, keys, _, _, time, _ = one
        data = record.data
        self.until = time
        self.names.update(keys[NAMES])
        row = act_row(record)
        self.acts.append((index, time, *row))
        folded = row[_FOLDED]
        self.numbers.append(None if folded is None else folded_hash(folded))
        self.documents += [(index, paper["sha256"], paper["size"]) for paper in data["documents"] if "sha256" in paper]
        self.keys += packed(keys[1:], index)
        found = look_at(data)
        if found[0] or found[1]:
            self.looked.append((index, data["ref"], found))

    def plain(self) -> Plain:
        """Return the run as a parent reads it."""
        first = self.first
        named = first.record.data["relations"] if first.parts is not None else ()
        relations = [(self.acts[0][0], one["type"], one["ref"]) for one in named if "ref" in one]
        rows = list(self.names), self.acts, self.documents, relations, self.keys, self.numbers, self.looked
        return tuple(Run(CLEAR, first.prev, first.roster, first.time, self.until, *rows, first.parts))


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
        run: _Growing | None = None
        before = b""
        for index, (leaf, data) in enumerate(zip(leaves, entries, strict=True), start):
            one = self.examine(index, data)
            if not isinstance(one, _Clear):
                found.append(one)
                run = None
            else:
                if run is None or not run.is_followed_by(one, before):
                    run = _Growing(one)
                    found.append(run)
                run.add(index, one)
            before = leaf
        return [one.plain() if isinstance(one, _Growing) else one for one in found]

    def examine(self, index: int, data: bytes) -> Plain:
        """Return an entry as ``_Clear`` where it is so, in parts where that is left to the parent, else as its bytes."""
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
        return _Clear(record, keys, entry.prev, entry.roster, entry.time, parts)

    def _usual(
        self, kind: str, payload: bytes, keyid: str, sig: bytes, prev: str, roster_hash: str, time: str
    ) -> _Clear | None:
        """Return an entry that is alike another that was allowed, if its signature holds; None: that has to be found out."""
        roster = self.rosters.get(roster_hash)
        record = None if roster is None or kind != RECORD_TYPE else sound(payload)
        if record is None or roster is None or _alike([keyid], time, record, roster) not in self._allowed:
            return None
        try:
            roster.enrolments[keyid].key.check(pae(kind, payload), sig)
        except SignatureError:
            return None
        return _Clear(record, keys_of(record), prev, roster_hash, time, None)

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

