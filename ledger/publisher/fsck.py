"""``fsck``: the whole store and every file again from the entries' bytes, trusting nothing that was derived."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ledger.errors import LedgerError, Reason
from ledger.index import SCHEMA, TABLES, Index
from ledger.publisher.catalogue import check_catalogue
from ledger.publisher.home import Home
from ledger.publisher.outbox import lookup_files, policy_files, published_checkpoint, roster_file
from ledger.publisher.store import Store
from ledger.publisher.tiles import check_tiles, tile_files
from ledger.records.entry import NO_ROSTER, first_prev, parse_entry
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.records.replay import judge
from ledger.records.roster import Roster, apply_roster
from ledger.sqlite import connect
from ledger.tlog.merkle import HASH_SIZE, Frontier, leaf_hash
from ledger.tlog.policy import parse_policy
from ledger.tlog.tiles import ENTRIES, Tile, bundle_tiles, format_bundle, parse_bundle, tiles_of

__all__ = ["Fault", "check_home"]

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it must be: a glossary code under ``[fsck.<code>]`` and its values."""

    code: str
    values: dict[str, object]


def check_home(home: Home, progress: Callable[[int, int], None] | None = None) -> list[Fault]:
    """Return every fault of a home; none: store, files and documents are what the entries say."""
    with Store(home, read_only=True) as store:
        return list(_faults(store, progress or (lambda done, total: None)))


def _faults(store: Store, progress: Callable[[int, int], None]) -> Iterator[Fault]:
    problems = [row[0] for row in store.connection.execute("PRAGMA integrity_check").fetchall()]
    if problems != ["ok"]:
        yield Fault("database", {"problem": str(problems[0])})
        return
    head = store.head()
    if head is None:
        yield Fault("empty", {})
        return
    with contextlib.closing(_Replay(store)) as replay:
        for start in range(0, head.size, _BATCH):
            yield from replay.read(start, min(start + _BATCH, head.size))
            progress(min(start + _BATCH, head.size), head.size)
        yield from replay.finish()
    try:
        yield from _check_files(store)
        yield from _check_partial(store)
        yield from (Fault(code, values) for code, values in check_catalogue(store.home, store))
    except LedgerError as error:
        yield Fault("stopped", {"problem": str(error)})


class _Replay:
    """Entries read in order against a roster and an index of their own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.connection = connect(":memory:")
        self.connection.executescript(SCHEMA)
        self.index = Index(self.connection)
        self.roster, self.frontier = Roster(), Frontier.empty()
        self.prev, self.time = first_prev(store.home.origin), ""

    def close(self) -> None:
        """Drop the index that was made here."""
        self.connection.close()

    def read(self, start: int, end: int) -> Iterator[Fault]:
        """Yield the faults of entries ``start … end-1``."""
        leaves = self.store.leaves(start, end)
        for index, (data, leaf) in enumerate(zip(self.store.entries(start, end), leaves, strict=True), start):
            if leaf_hash(data) != leaf:
                yield Fault("leaf", {"index": index})
            yield from self._entry(index, data)
            self.prev = leaf_hash(data).hex()
            self.frontier = self.frontier.extend([leaf_hash(data)])
            head = self.store.head_at(index + 1)
            if head is not None and head.root != self.frontier.root():
                yield Fault("root", {"size": index + 1})

    def _entry(self, index: int, data: bytes) -> Iterator[Fault]:
        try:
            entry = parse_entry(data)
        except LedgerError as error:
            yield Fault("entry", {"index": index, "problem": str(error)})
            return
        if entry.prev != self.prev:
            yield Fault("chain", {"index": index})
        if entry.roster != (self.roster.hash if index else NO_ROSTER):
            yield Fault("roster-hash", {"index": index})
        if entry.time < self.time:
            yield Fault("time", {"index": index})
        self.time = entry.time
        reasons: list[Reason] = judge(self.roster, self.index, entry.envelope, index=index, time=entry.time)
        if reasons:
            yield Fault("judgement", {"index": index, "problem": "; ".join(map(str, reasons))})
        elif entry.envelope.payload_type == RECORD_TYPE:
            self.index.add(parse_record(entry.envelope.payload), index=index, time=entry.time)
        else:
            self.roster = apply_roster(self.roster, entry.envelope, index=index)
            self.index.add_id(entry.envelope.id, index)

    def finish(self) -> Iterator[Fault]:
        """Yield the differences between the stored index and the one made here."""
        for table, query in TABLES.items():
            both = zip_longest(self.store.connection.execute(query), self.connection.execute(query))
            if any(kept != made for kept, made in both):
                yield Fault("index", {"table": table})


def _check_files(store: Store) -> Iterator[Fault]:
    home, size = store.home, store.published_size()
    out = published_checkpoint(home)
    if out is None or out[0] != size:
        yield Fault("checkpoint", {"size": size, "found": out[0] if out else 0})
        return
    expected = [
        (home.public / "checkpoint", store.checkpoint_note(size)),
        (home.public / "roster.jsonl", roster_file(store, size)),
        *policy_files(home, store.roster(size), size),
    ]
    for path, data in expected:
        yield from _same(path, data)
    try:
        policy = parse_policy((home.public / "policy").read_bytes())
        policy.check((home.public / "checkpoint").read_bytes())
        check_tiles(store, size)
    except (LedgerError, OSError) as error:
        yield Fault("signature", {"problem": str(error)})
    for path, data in tile_files(store, 0, size):
        yield from _same(path, data)
    for path, data in lookup_files(store, store.index.buckets(0, size)):
        yield from _same(path, data)
    yield from _check_documents(store, size)


def _check_partial(store: Store) -> Iterator[Fault]:
    """Partial tiles and bundles of earlier checkpoints are the fronts of today's."""
    public = store.home.public
    size = store.published_size()
    today = {tile.path.partition(".p/")[0]: tile for tile in (*tiles_of(size), *bundle_tiles(0, size))}
    for folder in sorted((public / "tile").rglob("*.p")):
        tile = today.get(str(folder.relative_to(public)).removesuffix(".p"))
        if tile is None:
            yield Fault("file-differs", {"path": str(folder)})
            continue
        data = (public / tile.path).read_bytes()
        for file in sorted(folder.iterdir()):
            if not file.name.isdecimal() or file.read_bytes() != _front(tile, data, int(file.name)):
                yield Fault("file-differs", {"path": str(file)})


def _front(tile: Tile, data: bytes, width: int) -> bytes:
    if tile.level != ENTRIES:
        return data[: width * HASH_SIZE]
    return format_bundle(parse_bundle(data, tile.width)[:width])


def _check_documents(store: Store, size: int) -> Iterator[Fault]:
    withdrawn = store.roster(size).withdrawn
    rows = store.connection.execute("SELECT DISTINCT sha256 FROM documents WHERE idx < ? ORDER BY 1", (size,)).fetchall()
    for (sha256,) in rows:
        path = store.home.document(sha256)
        if sha256 in withdrawn:
            if path.exists():
                yield Fault("document-still-there", {"sha256": sha256})
        elif not path.is_file():
            yield Fault("document-missing", {"sha256": sha256})
        elif _hash(path) != sha256:
            yield Fault("document-differs", {"sha256": sha256})


def _same(path: Path, data: bytes) -> Iterator[Fault]:
    try:
        if path.read_bytes() != data:
            yield Fault("file-differs", {"path": str(path)})
    except OSError:
        yield Fault("file-missing", {"path": str(path)})


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
