"""``fsck``: the whole store and every file again from the entries' bytes, trusting nothing that was derived.

    fsckpages     headers and write-ahead logs, as bytes      fsckinbox     what waits, and the settings
    fsckstore     rows of ledger.db, by fsckreplay            fsckfiles     everything under public/
    fscksearch    search.db

What one part cannot read does not keep the others from being looked at.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from ledger.errors import LedgerError
from ledger.publisher.fault import Fault, guarded
from ledger.publisher.fsckfiles import check_files, check_leftovers
from ledger.publisher.fsckinbox import check_inbox, check_settings, founded
from ledger.publisher.fsckpages import check_pages
from ledger.publisher.fsckreplay import Replay
from ledger.publisher.fscksearch import check_search
from ledger.publisher.fsckstore import check_store, check_structure, read_entries
from ledger.publisher.home import Home
from ledger.publisher.schema import LEDGER_VERSION, open_checked
from ledger.publisher.store import Store

__all__ = ["Fault", "check_home", "each_fault"]

_TRIES = 5
_OF_ANOTHER_VERSION = ("store-version", "store-older")
Progress = Callable[[int, int], None]


def check_home(home: Home, progress: Progress | None = None) -> list[Fault]:
    """Return every fault of a home; none: store, files and documents are what the entries say.

    Raises:
        StoreError: a later or earlier version made it, so that nothing can be said.
    """
    return list(each_fault(home, progress))


def each_fault(home: Home, progress: Progress | None = None) -> Iterator[Fault]:
    """Yield the faults of a home one after another, as ``check_home`` returns them."""
    _require_version(home)
    yield from _check_bytes(home)
    yield from guarded(home.path / "bening.toml", check_settings(home))
    yield from guarded(home.inbox_db, check_inbox(home))
    yield from guarded(home.path, check_leftovers(home))
    yield from guarded(home.ledger_db, _check_ledger(home, progress or (lambda done, total: None)))


def _require_version(home: Home) -> None:
    """Leave a database of another version alone; what else may be wrong with it is told later.

    Raises:
        StoreError: ``store-version``, ``store-older``.
    """
    try:
        open_checked(home.ledger_db, LEDGER_VERSION, read_only=True).close()
    except LedgerError as error:
        if error.code in _OF_ANOTHER_VERSION:
            raise


def _check_bytes(home: Home) -> Iterator[Fault]:
    for path in (home.ledger_db, home.inbox_db, home.search_db):
        if path.is_file():
            yield from guarded(path, check_pages(path, derived=path == home.search_db))


def _check_ledger(home: Home, progress: Progress) -> Iterator[Fault]:
    try:
        true, wrong = founded(home)
    except LedgerError as error:
        if error.code in _OF_ANOTHER_VERSION:
            raise
        true, wrong = home, []
    yield from wrong
    try:
        opened = Store(true, read_only=True)
    except LedgerError as error:
        if error.code != "not-our-home":
            raise
        yield Fault("row", {"path": str(home.ledger_db), "table": "meta", "size": 0})  # entry 0 has told who is right
        return
    with opened as store:
        structure = list(guarded(home.ledger_db, check_structure(store), "database"))
        yield from structure
        if any(one.code == "database" for one in structure):
            return
        with contextlib.closing(Replay(home.ledger_db, true.origin)) as replay:
            yield from _check_parts(store, replay, progress)


def _check_parts(store: Store, replay: Replay, progress: Progress) -> Iterator[Fault]:
    home = store.home
    with _snapshot(store):
        head = store.head()
        if head is None:
            yield Fault("empty", {"path": str(home.ledger_db)})
            return
        yield from guarded(home.ledger_db, check_store(store, replay, head, progress))
    if replay.frontier.size == head.size:
        newer: list[Fault] = []
        yield from _lasting(store, lambda: _check_public(store, replay, newer))
        yield from newer
    yield from _lasting(store, lambda: list(guarded(home.search_db, check_search(home, store))))


@contextlib.contextmanager
def _snapshot(store: Store) -> Iterator[None]:
    """Read one moment of the store, however it grows meanwhile."""
    store.connection.execute("BEGIN")
    try:
        yield
    finally:
        if store.connection.in_transaction:
            store.connection.execute("COMMIT")


def _check_newer(store: Store, replay: Replay) -> Iterator[Fault]:
    """Yield the faults of entries that came meanwhile."""
    head = store.head()
    if head is not None and head.size > replay.frontier.size:
        yield from guarded(store.home.ledger_db, read_entries(store, replay, replay.frontier.size, head.size))


def _check_public(store: Store, replay: Replay, newer: list[Fault]) -> list[Fault]:
    size = store.published_size()
    newer += _check_newer(store, replay)
    return list(guarded(store.home.public, check_files(store, replay, size)))


def _lasting(store: Store, look: Callable[[], list[Fault]]) -> list[Fault]:
    """Return the faults that stay when looked at again: a sequencer at work changes files and catalogue meanwhile."""
    before, faults = store.published_size(), look()
    for _ in range(_TRIES):
        if not faults:
            break
        time.sleep(0.05)
        now, again = store.published_size(), look()
        faults = [one for one in faults if one in again]
        if now == before:
            break
        before = now
    return faults
