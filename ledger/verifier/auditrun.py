"""Runs: clear entries that follow each other, with all that is kept of them ready for the database.

A child gathers them (``Growing``), and its parent keeps each as a whole (``auditentries``): between processes travels one
tuple for a bundle instead of one for each entry.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ledger.index import act_row, packed
from ledger.records.numbers import folded_hash
from ledger.records.record import Record
from ledger.verifier.findings_acts import look_at

__all__ = ["CLEAR", "FOLDED", "NAMES", "OFFICE", "REF", "ClearEntry", "Growing", "Run"]

CLEAR = "clear"
NAMES = slice(1, 3)  # of an act's keys: its reference, and its number (or a document, where it has none)
REF = 3  # columns of an act's row
OFFICE = 6
FOLDED = 8

Plain = Any


class Run(NamedTuple):
    """ClearEntry entries that follow each other, as a child tells of them.

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


class ClearEntry(NamedTuple):
    """One clear entry: its record with the index's keys, its place in the chain, and, with relations, its parts."""

    record: Record
    keys: list[int]
    prev: str
    roster: str
    time: str
    parts: Plain


class Growing:
    """A run to which entries are added while they follow."""

    def __init__(self, first: ClearEntry) -> None:
        self.first, self.until, self.names = first, first.time, set[int]()
        self.acts: list[tuple[Any, ...]] = []
        self.documents: list[tuple[int, str, int]] = []
        self.keys: list[int] = []
        self.numbers: list[str | None] = []
        self.looked: list[tuple[int, str, Any]] = []

    def is_followed_by(self, one: ClearEntry, before: bytes) -> bool:
        """Tell whether ``one`` continues this run, whose last leaf is ``before``."""
        first = self.first
        return (
            one.prev == before.hex() and one.roster == first.roster and one.time >= self.until
            and one.parts is None and first.parts is None and self.names.isdisjoint(one.keys[NAMES])
        )  # fmt: skip

    def add(self, index: int, one: ClearEntry) -> None:
        """Add an entry."""
        record, keys, _, _, time, _ = one
        data = record.data
        self.until = time
        self.names.update(keys[NAMES])
        row = (index, time, *act_row(record, whole=False))
        self.acts.append(row)
        folded = row[FOLDED]
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
