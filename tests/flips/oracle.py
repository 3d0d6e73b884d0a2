"""Who finds the damage: ``fsck`` on the home, ``audit`` on its public folder. Run in process, as often as there are bytes.

What is left out is only what the damage cannot have changed: an entry whose bytes, and those of all before it, are as they
were is judged as it was. Everything is read from the disk each time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ledger.errors import LedgerError
from ledger.index import Index
from ledger.publisher import fsck, fscksearch
from ledger.publisher.catalogue import make_catalogue
from ledger.publisher.fault import Fault
from ledger.publisher.fsckfiles import check_files
from ledger.publisher.fsckpages import check_pages
from ledger.publisher.fsckreplay import Replay
from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.sqlite import connect
from ledger.tlog.policy import parse_policy
from ledger.verifier.audit import audit
from ledger.verifier.sources import FolderSource

__all__ = ["Known", "audit_finds", "dump", "faults_of", "own_faults"]


class Known:
    """The entries of the undamaged home, and the state of their replay after each."""

    def __init__(self, home: Home) -> None:
        self.home = home
        with Store(home, read_only=True) as store:
            head = store.head()
            assert head is not None
            self.entries = store.entries(0, head.size)
            self.catalogue = home.path.parent / f"{home.path.name}.search.db"
            make_catalogue(store, self.catalogue)
        self.whole = Replay(home.ledger_db, home.origin)
        self.whole.index = _Kept(self.whole.connection)
        self.states: list[dict[str, Any]] = [_state(self.whole)]
        for index, data in enumerate(self.entries):
            assert list(self.whole.read(index, data)) == []
            self.states.append(_state(self.whole))

    def copy_catalogue(self, store: Store, path: Path) -> None:
        """Put the catalogue there that the entries make, if they are as they were; else make it."""
        if store.published_size() == len(self.entries) and store.entries(0, len(self.entries)) == self.entries:
            path.symlink_to(self.catalogue)
        else:
            make_catalogue(store, path)

    def replay(self, path: Path, origin: str) -> Replay:
        """Return a replay that judges only what is not as it was."""
        return _Remembering(self, path, origin) if origin == self.home.origin else Replay(path, origin)


class _Kept(Index):
    """An index that does not change any more: what was asked of it is kept."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.kept: dict[Any, Any] = {}

    def add(self, *args: Any, **named: Any) -> Any:
        self.kept.clear()
        return super().add(*args, **named)

    def bucket(self, kind: str, prefix: str) -> list[tuple[str, int]]:
        if (kind, prefix) not in self.kept:
            self.kept[kind, prefix] = super().bucket(kind, prefix)
        return self.kept[kind, prefix]

    def buckets(self, start: int, end: int) -> list[tuple[str, str]]:
        if (start, end) not in self.kept:
            self.kept[start, end] = super().buckets(start, end)
        return self.kept[start, end]


def _state(replay: Replay) -> dict[str, Any]:
    names = ("roster", "frontier", "prev", "time", "id", "is_roster", "known")
    return {name: getattr(replay, name) for name in names}


class _Remembering(Replay):
    """A replay on what is known, until an entry differs."""

    def __init__(self, known: Known, path: Path, origin: str) -> None:
        self.path, self.origin, self.memory, self.count = path, origin, known, 0
        self.real: Replay | None = None
        self._take(known.states[0])

    def _take(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """``index`` and ``connection``: of all entries as they were, or made anew where there are fewer or others."""
        if name not in ("index", "connection"):
            raise AttributeError(name)
        if self.real is None and self.count == len(self.memory.entries):
            return getattr(self.memory.whole, name)
        return getattr(self._anew(), name)

    def _anew(self) -> Replay:
        if self.real is None:
            self.real = Replay(self.path, self.origin)
            for index, data in enumerate(self.memory.entries[: self.count]):
                list(self.real.read(index, data))
        return self.real

    def close(self) -> None:
        if self.real is not None:
            self.real.close()

    def read(self, index: int, data: bytes) -> Iterator[Fault]:
        if self.real is None and index == self.count < len(self.memory.entries) and data == self.memory.entries[index]:
            self.count += 1
            self._take(self.memory.states[self.count])
            return
        yield from self._anew().read(index, data)
        self._take(_state(self._anew()))


def faults_of(home: Home, known: Known) -> Iterator[Fault]:
    """Yield what ``fsck`` and opening the home say; an error that opening raises counts as said."""
    with (
        mock.patch.object(fsck, "Replay", known.replay),
        mock.patch.object(fscksearch, "make_catalogue", known.copy_catalogue),
        mock.patch("time.sleep"),  # nobody else is at work here
    ):
        try:
            yield from fsck.each_fault(Home.open(home.path))
        except LedgerError as error:
            yield Fault(error.code, dict(error.values))


def own_faults(home: Home, known: Known, path: Path) -> Iterator[Fault]:
    """Yield what those parts of ``fsck`` say that read the file at ``path``; the rest of the home is undamaged."""
    if home.public in path.parents:
        yield from public_faults(home, known)
        return
    with mock.patch("time.sleep"):
        database = path.with_name(path.name.removesuffix("-wal"))
        yield from fsck.guarded(path, check_pages(database, derived=database == home.search_db))
    if path.name.startswith("inbox.db"):
        yield from fsck.guarded(home.inbox_db, fsck.check_inbox(home))
    elif path.name.startswith("search.db"):
        with (
            Store(home, read_only=True) as store,
            mock.patch.object(fscksearch, "make_catalogue", known.copy_catalogue),
            mock.patch("time.sleep"),
        ):
            yield from fsck.guarded(home.search_db, fscksearch.check_search(home, store))
    else:
        with mock.patch.object(fsck, "check_search", return_value=()):  # what it reads of the store is compared before
            yield from faults_of(home, known)


def public_faults(home: Home, known: Known) -> Iterator[Fault]:
    """Yield what ``fsck`` says of the files under ``public/``; the store is undamaged."""
    with Store(home, read_only=True) as store:
        yield from fsck.guarded(home.public, check_files(store, known.whole, store.published_size()))


def audit_finds(home: Home, policy: bytes) -> int:
    """Return the exit status of an audit that knows nothing yet."""
    folder = Path(tempfile.mkdtemp(dir=home.path.parent))
    try:
        report = audit(FolderSource(home.public), parse_policy(policy), home.founding, state_dir=folder, now=2**31)
        return report.exit_status()
    finally:
        shutil.rmtree(folder)


def dump(path: Path) -> list[tuple[str, list[Any]]]:
    """Return everything that a database says: its schema and all rows of all tables."""
    connection = connect(path, read_only=True)
    try:
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        tables = [name for kind, name, _, sql in schema if kind == "table" and not sql.startswith("CREATE VIRTUAL")]
        return [("", schema), *((name, connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name in tables)]
    finally:
        connection.close()
