"""Entries before they are judged: bundle by bundle, held against their tiles; where they are many, by child processes.

A child (``auditclear``) examines a bundle; what it leaves to its parent, and everything where there are no children, is
read here from the bytes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.errors import FormatError, LedgerError, NewerFormatError, StoreError
from ledger.index import keys_of
from ledger.index.examined import sound_record
from ledger.records.entry import Entry, parse_entry
from ledger.records.envelope import Envelope, Signature
from ledger.records.record import RECORD_TYPE, Record
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.auditclear import forget
from ledger.verifier.auditrun import CLEAR, Run
from ledger.verifier.client import FolderSource, Source, UrlSource
from ledger.verifier.reader import View
from ledger.workers import Workers, cores

__all__ = ["PARALLEL_FROM", "Bundle", "Children", "ReadEntry", "bundles", "count_of", "parsed", "restored"]

PARALLEL_FROM = 2048  # entries, from which on children are worth their start
MOST_CHILDREN = 4  # what one parent can keep busy

_ACTS = Run._fields.index("acts")

Plain = Any


@dataclass(frozen=True, slots=True)
class Bundle:
    """Entries ``start …`` of one bundle with their proven leaf hashes: their bytes, or what ``auditclear`` made of them."""

    start: int
    leaves: Sequence[bytes]
    entries: Sequence[Plain]


def count_of(found: Plain) -> int:
    """Return of how many entries one of ``Bundle.entries`` tells: of a run, of many."""
    return len(found[_ACTS]) if type(found) is tuple and found[0] == CLEAR else 1


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry with the sound record in it, if there is one, and the signatures that are known to hold, by keyid.

    ``keys`` are those under which the index finds the record.
    """

    entry: Entry
    record: Record | None
    verified: Mapping[str, bool]
    keys: Sequence[int]


class Children:
    """The child processes of one audit: started when there is much to read, and ended with it."""

    def __init__(self, source: Source, founding: str) -> None:
        self.source, self.founding = source, founding
        self._workers: Workers | None = None

    def are_worth(self, count: int) -> bool:
        """Tell whether ``count`` entries, or look-up files, are worth their start; they can read a plain folder or URL only."""
        is_plain = type(self.source) in (FolderSource, UrlSource)
        return is_plain and (count >= PARALLEL_FROM or self._workers is not None)

    def map(self, tasks: Iterable[Plain], count: int) -> Iterator[Plain]:
        """Yield what ``auditclear`` answers to each of ``count`` tasks, in their order."""
        if self._workers is None:
            context, children = (self.source.location, self.founding), min(cores() - 1, MOST_CHILDREN)
            self._workers = Workers("ledger.verifier.auditclear:answer", context, children, helping=True)
        return self._workers.map(tasks, count)

    def close(self) -> None:
        """End them."""
        if self._workers is not None:
            self._workers.close()
            forget()


def bundles(view: View, start: int, children: Children) -> Generator[Bundle]:
    """Yield the bundles from entry ``start`` on, the first cut to what follows it.

    Raises:
        ProofError: the source served something else than the checkpoint promises.
        FetchError: it could not be read.
        StoreError: a child ended.
    """
    if children.are_worth(view.size - start):
        yield from _read_by_children(view, start, children)
    else:
        yield from (_read_here(view, at) for at in _starts(start, view.size))


def _starts(start: int, size: int) -> Iterator[int]:
    while start < size:
        yield start
        start = (start // TILE_WIDTH + 1) * TILE_WIDTH


def _read_here(view: View, start: int) -> Bundle:
    end = min(view.size, (start // TILE_WIDTH + 1) * TILE_WIDTH)
    entries = [view.entry(index) for index in range(start, end)]
    return Bundle(start, view.leaves(start // TILE_WIDTH)[start % TILE_WIDTH :], entries)


def _read_by_children(view: View, start: int, children: Children) -> Iterator[Bundle]:
    """What is wrong with a tile is raised in its turn, after the bundles before it."""
    stopped: list[LedgerError] = []
    count = (view.size - 1) // TILE_WIDTH - start // TILE_WIDTH + 1

    def tasks() -> Iterator[Plain]:
        for at in _starts(start, view.size):
            try:
                yield "bundle", at, view.size, view.tiles.tile(0, at // TILE_WIDTH)
            except LedgerError as error:
                stopped.append(error)
                return

    for at, found in zip(_starts(start, view.size), children.map(tasks(), count), strict=False):
        leaves = view.leaves(at // TILE_WIDTH)[at % TILE_WIDTH :]
        yield _read_here(view, at) if found is None else Bundle(at, leaves, _counted(found, len(leaves)))
    if stopped:
        raise stopped[0]


def _counted(found: Plain, count: int) -> Sequence[Plain]:
    if type(found) is not list or sum(map(count_of, found)) != count:
        raise StoreError("a child returned another number of entries", code="worker-failed", problem=f"not {count} entries")
    return found


def parsed(data: bytes) -> ReadEntry | LedgerError:
    """Return an entry read from its bytes, or what is wrong with it."""
    try:
        entry = parse_entry(data)
    except (FormatError, NewerFormatError) as error:
        return error
    record = sound_record(entry.envelope)
    return ReadEntry(entry, record, {}, () if record is None else keys_of(record))


def restored(parts: Plain) -> ReadEntry:
    """Return the entry of which a child returned the parts: checked there, so only read here."""
    _, payload, act_id, signatures, verified, keys, prev, roster, time = parts
    envelope = Envelope(RECORD_TYPE, payload, tuple(Signature(*one) for one in signatures))
    record = Record(payload, act_id, orjson.loads(payload))
    return ReadEntry(Entry(envelope, prev, roster, time), record, dict.fromkeys(verified, True), keys)
