"""Feeding the catalogue: acts in the order of their entries, a batch in one transaction; withdrawn texts out again.

Whatever is interrupted is as it was after the last whole batch. Nothing here decides what is published: the caller feeds
entries below the published size only, and tells up to which entry the catalogue then reaches.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.catalog.bits import BLOCK
from ledger.catalog.blocks import SAMPLED, seal_some, sealed_blocks
from ledger.catalog.folding import ALL, VALUED, terms_of
from ledger.catalog.rows import Row, amount_key
from ledger.catalog.schema import create, meta, open_existing, set_meta
from ledger.errors import StoreError
from ledger.records.entry import parse_time
from ledger.sqlite import driver, transaction

__all__ = ["MOST_TEXT", "Feed", "Feeder", "is_damage"]

MOST_TEXT = 256 * 1024
_DAMAGE = ("malformed", "not a database", "no such table", "no such column", "corrupt", "datatype mismatch")


@dataclass(frozen=True, slots=True)
class Feed:
    """An act as it is fed: its row, the texts and whole terms under which it is found, and documents' texts by SHA-256."""

    row: Row
    texts: Sequence[str]
    wholes: Collection[str] = ()
    documents: Sequence[tuple[str, str]] = ()


class Feeder:
    """The catalogue at ``path``, open for writing; one at a time."""

    def __init__(self, path: Path, *, founding: str, utc_offset: str) -> None:
        """Open the catalogue of this ledger, made anew where there is none, or a damaged, another ledger's or version's."""
        self.path, self.facts = path, {"founding": founding, "utc_offset": utc_offset}
        self.connection: Any = None
        self._codes: dict[tuple[str, str], int] = {}
        self._profiles: dict[tuple[int, ...], int] = {}
        try:
            self.connection = open_existing(path, read_only=False)
            self._prepare()
            if self.connection is None or any(meta(self.connection, key) != fact for key, fact in self.facts.items()):
                self.clear()
        except (StoreError, driver().DatabaseError) as error:
            if not is_damage(error):
                raise
            self.clear()

    def close(self) -> None:
        """Close the catalogue."""
        self.connection.close()

    def clear(self) -> None:
        """Make the catalogue anew, empty."""
        if self.connection is not None:
            self.connection.close()
        self.connection = create(self.path, self.facts | {"size": "0", "leaf": ""})
        self._prepare()
        self._codes, self._profiles = {}, {}

    def _prepare(self) -> None:
        """Durable enough for what can be fed again; what is withdrawn must not stay in pages that are free."""
        if self.connection is not None:
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute("PRAGMA secure_delete = ON")

    @property
    def size(self) -> int:
        """Up to which entry the catalogue reaches."""
        return int(meta(self.connection, "size"))

    @property
    def leaf(self) -> str:
        """The leaf hash of its last entry, in hex."""
        return meta(self.connection, "leaf")

    def add(self, acts: Sequence[Feed], *, start: int, size: int, leaf: str) -> None:
        """Add the acts among entries ``start … size-1``; ``leaf`` is the leaf hash of the last of these.

        Raises:
            StoreError: the catalogue does not reach up to ``start``, or the disk refuses.
        """
        with transaction(self.connection):
            if self.size != start:
                raise StoreError(f"the catalogue reaches {self.size}, not {start}", code="two-sequencers", size=start)
            terms = [self._terms(act) for act in acts]
            self._add_rows(acts)
            self._add_texts(acts, terms)
            self._add_terms(acts, terms)
            set_meta(self.connection, "size", str(size))
            set_meta(self.connection, "leaf", leaf)

    def seal(self, until: float | None = None) -> bool:
        """Write bitmaps for blocks that are full, as far as the monotonic time ``until`` allows; tell whether all are done."""
        while (block := sealed_blocks(self.connection)) < self.size // BLOCK:
            if until is not None and time.monotonic() > until:
                return False
            with transaction(self.connection):
                after = seal_some(self.connection, block, meta(self.connection, "sealed"))
                set_meta(self.connection, "sealed", after or "")
        return True

    def withdraw(self, hashes: Iterable[str]) -> int:
        """Take the texts of withdrawn documents out, as if they had never been there; return how many there were."""
        found = [(index, sha256) for sha256 in hashes for index in self._acts_with(sha256)]
        if found:
            with transaction(self.connection):
                for index, sha256 in found:
                    self._withdraw_one(index, sha256)
                set_meta(self.connection, "withdrawn", str(int(meta(self.connection, "withdrawn") or 0) + len(found)))
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(found)

    def _terms(self, act: Feed) -> set[str]:
        row = act.row
        codes = [self._code(facet, value) for facet, value in _facets_of(row)]
        found = terms_of(act.texts) | {f"={code}" for code in codes} | set(act.wholes) | {ALL}
        return found | {VALUED} if row.value is not None else found

    def _add_rows(self, acts: Sequence[Feed]) -> None:
        values, profiles, facets = [], Counter[int](), Counter[int]()
        times = {text: parse_time(text) for text in {act.row.time for act in acts}}
        for row in (act.row for act in acts):
            profile = self._profile(row)
            supplier = self._code("supplier", row.supplier) if row.supplier is not None else 0
            profiles[profile] += 1
            facets.update(self._code(facet, value) for facet, value in _facets_of(row))
            values.append(
                (row.index, times[row.time], bytes.fromhex(row.id), row.ref, profile, row.number, row.title, row.signed_on,
                 row.currency, row.value, amount_key(row.value), supplier, row.documents)
            )  # fmt: skip
        run = self.connection.executemany
        run("INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        run("UPDATE profiles SET count = count + ? WHERE id = ?", [(count, one) for one, count in profiles.items()])
        run("UPDATE facets SET count = count + ? WHERE code = ?", [(count, one) for one, count in facets.items()])

    def _add_terms(self, acts: Sequence[Feed], terms: Sequence[set[str]]) -> None:
        run = self.connection.executemany
        run(
            "INSERT INTO terms (rowid, text) VALUES (?, ?)",
            ((act.row.index, " ".join(one)) for act, one in zip(acts, terms, strict=True)),
        )
        words = {term for term in set().union(*terms) if term.isalpha()}
        run("INSERT OR IGNORE INTO words VALUES (?)", ((one,) for one in sorted(words)))
        sampled = Counter(term for act, one in zip(acts, terms, strict=True) if act.row.index % SAMPLED == 0 for term in one)
        query = "INSERT INTO samples VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
        run(query, sorted(sampled.items()))

    def _add_texts(self, acts: Sequence[Feed], terms: Sequence[set[str]]) -> None:
        """Keep texts for snippets, and what a withdrawal has to undo; the terms gain those of the texts."""
        for act, own in zip(acts, terms, strict=True):
            if act.documents:
                rows = [(act.row.index, sha256, _pack(text)) for sha256, text in act.documents]
                self.connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", rows)
                before = " ".join(sorted(own))
                own |= terms_of(text for _, text in act.documents)
                fed = (act.row.index, _pack(before), _pack(" ".join(sorted(own))))
                self.connection.execute("INSERT INTO fed VALUES (?, ?, ?)", fed)

    def _acts_with(self, sha256: str) -> list[int]:
        rows = self.connection.execute("SELECT idx FROM texts WHERE sha256 = ?", (sha256,)).fetchall()
        return [row[0] for row in rows]

    def _withdraw_one(self, index: int, sha256: str) -> None:
        run = self.connection.execute
        own, before = (_unpack(one) for one in run("SELECT own, terms FROM fed WHERE idx = ?", (index,)).fetchone())
        run("DELETE FROM texts WHERE idx = ? AND sha256 = ?", (index, sha256))
        left = [_unpack(row[0]) for row in run("SELECT text FROM texts WHERE idx = ?", (index,)).fetchall()]
        after = set(own.split()) | terms_of(left)
        run("INSERT INTO terms (terms, rowid, text) VALUES ('delete', ?, ?)", (index, before))
        run("INSERT INTO terms (rowid, text) VALUES (?, ?)", (index, " ".join(after)))
        run("UPDATE fed SET terms = ? WHERE idx = ?", (_pack(" ".join(sorted(after))), index))
        for term in set(before.split()) - after:
            self._forget(term, index)

    def _forget(self, term: str, index: int) -> None:
        """Take one act out of a term's bitmap, and a word that no act has any more out of the words."""
        run = self.connection.execute
        row = run("SELECT rowid, bits FROM hot WHERE term = ? AND block = ?", (term, index // BLOCK)).fetchone()
        if row is not None:
            bits = bytearray(row[1])
            bits[index % BLOCK >> 3] &= ~(1 << (index & 7))
            run("UPDATE hot SET bits = ? WHERE rowid = ?", (bytes(bits), row[0]))
        run("DELETE FROM samples WHERE term = ?", (term,))
        if term.isalpha() and not run("SELECT 1 FROM terms WHERE terms MATCH ? LIMIT 1", (f'"{term}"',)).fetchone():
            run("DELETE FROM words WHERE word = ?", (term,))

    def _code(self, facet: str, value: str) -> int:
        """Return the code of a facet's value, given at its first use."""
        if (facet, value) not in self._codes:
            run = self.connection.execute
            run("INSERT OR IGNORE INTO facets (facet, value, count) VALUES (?, ?, 0)", (facet, value))
            row = run("SELECT code FROM facets WHERE facet = ? AND value = ?", (facet, value)).fetchone()
            self._codes[facet, value] = row[0]
        return self._codes[facet, value]

    def _profile(self, row: Row) -> int:
        method = self._code("method", row.method) if row.method is not None else 0
        key = (*(self._code(one, value) for one, value in _facets_of(row)[:4]), method)
        if key not in self._profiles:
            run = self.connection.execute
            names = "kind, form, office, year, method"
            run(f"INSERT OR IGNORE INTO profiles ({names}, count) VALUES (?, ?, ?, ?, ?, 0)", key)
            found = run(f"SELECT id FROM profiles WHERE ({names}) = (?, ?, ?, ?, ?)", key).fetchone()
            self._profiles[key] = found[0]
        return self._profiles[key]


def _facets_of(row: Row) -> list[tuple[str, str]]:
    """Return (facet, value) of what the act has; kind, form, office and year, which every act has, come first."""
    found = [("kind", row.kind), ("form", row.form), ("office", row.office), ("year", row.signed_on[:4])]
    found += [(name, value) for name, value in (("supplier", row.supplier), ("method", row.method)) if value is not None]
    return found


def is_damage(error: Exception) -> bool:
    """Tell whether an error means that the file itself is damaged, so that only a new one helps."""
    return any(sign in str(error) for sign in _DAMAGE)


def _pack(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8"), 6)


def _unpack(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8")
