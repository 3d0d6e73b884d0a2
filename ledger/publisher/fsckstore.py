"""``ledger.db``: every row again from the entries' bytes. What is derived is made anew and compared; signatures are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ledger.errors import LedgerError, StoreError
from ledger.publisher.fault import Fault
from ledger.publisher.fsckreplay import Replay
from ledger.publisher.schema import expected_schema
from ledger.publisher.store import Head, Store
from ledger.records.entry import parse_time
from ledger.records.roster import Roster
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.cosignature import check_signature
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import parse_note, parse_vkey

__all__ = ["check_schema", "check_store", "check_structure", "read_entries"]

_BATCH = 1000


def check_structure(store: Store) -> Iterator[Fault]:
    """Yield what SQLite itself finds wrong with ``ledger.db``, and what of its schema is not as it was made."""
    for pragma in ("integrity_check", "foreign_key_check"):
        rows = store.connection.execute(f"PRAGMA {pragma}").fetchall()
        if rows and rows != [("ok",)]:
            yield _fault(store, "database", problem=" ".join(map(str, rows[0])))
            return
    yield from check_schema(store.connection, store.home.ledger_db, "ledger")


def check_schema(connection: Any, path: object, name: str) -> Iterator[Fault]:
    """Yield the tables, indexes and triggers that are not as this version makes them: a lost trigger protects nothing."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    found = {row for row in connection.execute(query).fetchall() if row[2] != "_sqlite_migrations"}
    expected = expected_schema(name)
    for kind, named, *_ in sorted(found ^ expected)[:1]:
        yield Fault("schema", {"path": str(path), "what": f"{kind} {named}"})
    for count, text in connection.execute("SELECT count(*), min(migration_set) FROM _sqlite_migrations").fetchall():
        if not count or text != "bening":
            yield Fault("schema", {"path": str(path), "what": "_sqlite_migrations"})


def check_store(store: Store, replay: Replay, head: Head, progress: Callable[[int, int], None]) -> Iterator[Fault]:
    """Yield the faults of every row up to the newest ``head``, reading all entries onto ``replay``."""
    expected = {"origin": store.home.origin, "founding": store.home.founding}
    if dict(store.connection.execute("SELECT key, value FROM meta").fetchall()) != expected:
        yield _fault(store, "row", table="meta", size=0)
    yield from _check_counts(store, head)
    yield from read_entries(store, replay, 0, head.size, progress)
    if replay.known:
        yield from replay.compare(store.connection)
    yield from _check_published(store)
    for n, at, *_ in store.connection.execute("SELECT n, time, what, detail FROM notes ORDER BY n").fetchall():
        yield from _check_time(store, n, at)


def read_entries(
    store: Store, replay: Replay, first: int, size: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Fault]:
    """Yield the faults of entries ``first … size-1`` and of the rows beside them, reading them onto ``replay``."""
    for start in range(first, size, _BATCH):
        end = min(start + _BATCH, size)
        yield from _check_entries(store, replay, start, end)
        progress(end, size)


def _check_counts(store: Store, head: Head) -> Iterator[Fault]:
    count, last = store.connection.execute("SELECT count(*), max(idx) FROM entries").fetchone()
    if (count, last) != (head.size, head.size - 1):
        yield _fault(store, "entries", size=head.size, count=count)


def _check_entries(store: Store, replay: Replay, start: int, end: int) -> Iterator[Fault]:
    """Read a batch of entries, and hold the rows beside them against it."""
    query = "SELECT idx, id, leaf, data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx"
    rows = store.connection.execute(query, (start, end)).fetchall()
    if [row[0] for row in rows] != list(range(start, end)):
        raise StoreError(f"entries {start} to {end} are not all there", code="entries-missing", start=start, end=end)
    beside = _Beside(store, start, end)
    for index, entry_id, leaf, data in rows:
        if leaf_hash(data) != leaf:
            yield _fault(store, "leaf", index=index)
        yield from replay.read(index, data)
        if replay.id and entry_id != replay.id:
            yield _fault(store, "entry-id", index=index)
        if replay.id and (index in beside.rosters) != replay.is_roster:
            yield _fault(store, "row", table="rosters", size=index + 1)
        yield from _check_head(store, beside, replay, index + 1)


class _Beside:
    """The rows beside entries ``start … end-1``: which are the roster's, and the heads, frontiers and signatures by size."""

    def __init__(self, store: Store, start: int, end: int) -> None:
        run, within = store.connection.execute, "BETWEEN ? AND ?"
        self.rosters = {row[0] for row in run(f"SELECT idx FROM rosters WHERE idx {within}", (start, end - 1)).fetchall()}
        sizes = (start + 1, end)
        heads = run(f"SELECT size, root, time FROM heads WHERE size {within}", sizes).fetchall()
        self.heads = {size: (bytes(root), time) for size, root, time in heads}
        self.frontiers = dict(run(f"SELECT size, hashes FROM frontiers WHERE size {within}", sizes).fetchall())
        self.lines: dict[int, list[tuple[str, bytes]]] = {}
        query = f"SELECT size, key, line FROM signatures WHERE size {within} ORDER BY rowid"
        for size, key, line in run(query, sizes).fetchall():
            self.lines.setdefault(size, []).append((key, bytes(line)))


def _check_head(store: Store, beside: _Beside, replay: Replay, size: int) -> Iterator[Fault]:
    """Hold the head of one size, where there is one, against the tree; its frontier and its signatures as well."""
    if size not in beside.heads:
        return
    root, time = beside.heads[size]
    if root != replay.frontier.root():
        yield _fault(store, "root", size=size)
    if time != replay.time:
        yield _fault(store, "row", table="heads", size=size)
    lines = beside.lines.get(size, [])
    if size in beside.frontiers:
        if bytes(beside.frontiers[size]) != replay.frontier.to_bytes():
            yield _fault(store, "row", table="frontiers", size=size)
        problem = _signature_problem(Checkpoint(store.home.origin, size, root), lines, replay.roster)
        if problem:
            yield _fault(store, "head-signature", size=size, problem=problem)
    elif lines:
        yield _fault(store, "row", table="signatures", size=size)


def _signature_problem(checkpoint: Checkpoint, lines: list[tuple[str, bytes]], roster: Roster) -> str | None:
    """Return what is wrong with the signature lines of a head: each holds, and none of the log's own is missing."""
    text = format_checkpoint(checkpoint)
    keys = {key.key_id.hex(): key for one in roster.log_keys_at(checkpoint.size) for key in map(parse_vkey, one.vkeys)}
    missing = keys.keys() - {key for key, _ in lines}
    try:
        for key, line in lines:
            (signature,) = parse_note(text + b"\n" + line).signatures
            if key not in keys:
                return f"{key} is no key of the log"
            check_signature(keys[key], text, signature)
    except (LedgerError, ValueError) as error:
        return str(error)
    return f"none by {min(missing)}" if missing else None


def _check_published(store: Store) -> Iterator[Fault]:
    """Only signed heads are published, at the time of their last entry."""
    query = (
        "SELECT p.size FROM published p LEFT JOIN frontiers f ON f.size = p.size LEFT JOIN heads h ON h.size = p.size "
        "WHERE f.size IS NULL OR h.size IS NULL OR h.time != p.time ORDER BY 1"
    )
    for (size,) in store.connection.execute(query).fetchall():
        yield _fault(store, "row", table="published", size=size)


def _check_time(store: Store, n: int, at: str) -> Iterator[Fault]:
    try:
        parse_time(at)
    except LedgerError:
        yield _fault(store, "row", table="notes", size=n)


def _fault(store: Store, code: str, **values: object) -> Fault:
    return Fault(code, {"path": str(store.home.ledger_db), **values})
