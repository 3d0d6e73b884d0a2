"""Entries before they are judged: held against their tile, parsed, and their signatures checked, by child processes.

None of that needs what the ledger said before, so it is done bundle by bundle on all cores; the one replay then judges
entry by entry. A child says that a signature holds by its keyid, which is the hash of the key, so that the keys may come
from anywhere: here from ``roster.jsonl``, as a hint. Whatever a child cannot do, or finds not in order, it leaves to its
parent, which reads it as if there were no children: no verdict but "holds" comes from a child.
"""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import LedgerError, StoreError
from ledger.index import keys_of
from ledger.index.examined import sound_record, verified_by
from ledger.keys import PublicKey
from ledger.records.entry import Entry, parse_entry
from ledger.records.envelope import Envelope, Signature
from ledger.records.events import check_payload, key_of, new_keys
from ledger.records.record import RECORD_TYPE, Record
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.client import FolderSource, Source, UrlSource, open_source
from ledger.verifier.reader import View, read_bundle
from ledger.workers import Workers, cores

__all__ = ["PARALLEL_FROM", "Bundle", "ReadEntry", "bundles", "examine", "restored"]

PARALLEL_FROM = 2048  # entries, from which on children are worth their start
MOST_CHILDREN = 4  # what one parent can keep busy

Plain = Any


@dataclass(frozen=True, slots=True)
class Bundle:
    """Entries ``start …`` of one bundle with their proven leaf hashes, each its bytes or what ``restored`` takes."""

    start: int
    leaves: Sequence[bytes]
    entries: Sequence[Plain]


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry with the sound record in it, if there is one, and the signatures that are known to hold, by keyid.

    ``keys`` are those under which the index finds the record.
    """

    entry: Entry
    record: Record | None
    verified: Mapping[str, bool]
    keys: Sequence[int]


def bundles(view: View, start: int, keys: Mapping[str, bytes]) -> Generator[Bundle]:
    """Yield the bundles from entry ``start`` on, the first cut to what follows it.

    Raises:
        ProofError: the source served something else than the checkpoint promises.
        FetchError: it could not be read.
        StoreError: a child ended.
    """
    if view.size - start < PARALLEL_FROM or type(view.source) not in (FolderSource, UrlSource):
        for at in _starts(start, view.size):
            yield _read_here(view, at)
        return
    yield from _read_by_children(view, start, keys)


def _starts(start: int, size: int) -> Iterator[int]:
    while start < size:
        yield start
        start = (start // TILE_WIDTH + 1) * TILE_WIDTH


def _read_here(view: View, start: int) -> Bundle:
    end = min(view.size, (start // TILE_WIDTH + 1) * TILE_WIDTH)
    entries = [view.entry(index) for index in range(start, end)]
    return Bundle(start, view.leaves(start // TILE_WIDTH)[start % TILE_WIDTH :], entries)


def _read_by_children(view: View, start: int, keys: Mapping[str, bytes]) -> Iterator[Bundle]:
    """What is wrong with a tile is raised in its turn, after the bundles before it."""
    stopped: list[LedgerError] = []

    def tasks() -> Iterator[Plain]:
        for at in _starts(start, view.size):
            try:
                yield at, view.size, view.tiles.tile(0, at // TILE_WIDTH)
            except LedgerError as error:
                stopped.append(error)
                return

    context = {"where": view.source.location, "keys": {**_hinted_keys(view), **keys}}
    with Workers("ledger.verifier.auditread:examine", context, min(cores(), MOST_CHILDREN)) as workers:
        for at, found in zip(_starts(start, view.size), workers.map(tasks()), strict=False):
            leaves = view.leaves(at // TILE_WIDTH)[at % TILE_WIDTH :]
            yield _read_here(view, at) if found is None else Bundle(at, leaves, _counted(found, len(leaves)))
    if stopped:
        raise stopped[0]


def _counted(found: Plain, count: int) -> Sequence[Plain]:
    if type(found) is not list or len(found) != count:
        raise StoreError("a child returned another number of entries", code="worker-failed", problem=f"not {count} entries")
    return found


def _hinted_keys(view: View) -> dict[str, bytes]:
    """Return the keys that ``roster.jsonl`` enrols, whoever wrote it: a key is named by its hash."""
    from ledger.records import canonical

    found: dict[str, bytes] = {}
    try:
        envelopes: list[Envelope] = view.envelopes()
    except LedgerError:
        return found
    for envelope in envelopes:
        try:
            data = canonical.parse(envelope.payload, limit=len(envelope.payload))
            if not any(check_payload(data)):
                known = [key_of(text) for event in data["events"] for text in new_keys(event)]
                found |= {key.keyid: key.raw for key in known}
        except LedgerError:
            continue
    return found


def examine(context: Plain, task: Plain) -> Plain:
    """Return what is found in one bundle, entry by entry; None where the parent has to read it itself. Runs in a child."""
    start, size, hashes = task
    leaves = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    try:
        entries = read_bundle(_source(context["where"]), start // TILE_WIDTH, size, leaves)
    except LedgerError:
        return None
    keys = _keys(tuple(context["keys"].items()))
    return [_examined(data, keys) for data in entries[start % TILE_WIDTH :]]


@functools.lru_cache(maxsize=1)
def _source(where: str) -> Source:
    return open_source(where)


@functools.lru_cache(maxsize=1)
def _keys(known: tuple[tuple[str, bytes], ...]) -> dict[str, PublicKey]:
    return {keyid: PublicKey.from_raw(raw) for keyid, raw in known}


def _examined(data: bytes, keys: Mapping[str, PublicKey]) -> Plain:
    """Return an entry with a record in it in parts; any other, or one that is not in order, as its bytes."""
    try:
        entry = parse_entry(data)
    except LedgerError:
        return data
    envelope, record = entry.envelope, sound_record(entry.envelope)
    if record is None:
        return data
    signatures = [(one.keyid, one.sig) for one in envelope.signatures]
    verified = list(verified_by(envelope, keys))
    return envelope.payload, record.id, signatures, verified, list(keys_of(record)), entry.prev, entry.roster, entry.time


def restored(parts: Plain) -> ReadEntry:
    """Return the entry of which a child returned the parts: checked there, so only read here."""
    import orjson

    payload, act_id, signatures, verified, keys, prev, roster, time = parts
    envelope = Envelope(RECORD_TYPE, payload, tuple(Signature(*one) for one in signatures))
    record = Record(payload, act_id, orjson.loads(payload))
    return ReadEntry(Entry(envelope, prev, roster, time), record, dict.fromkeys(verified, True), keys)
