"""From a submission to its promise: many submissions into the inbox in one commit, and their outcomes as they come.

The web process only adds to the inbox; the sequencer does the rest. One thread writes, one watches: both serve all
requests together, so that a hundred clients cost one commit and one look every 10 ms, not a hundred.
"""

from __future__ import annotations

import asyncio
import hashlib
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import LedgerError, Reason, StoreError
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.staging import Upload, keep_all
from ledger.publisher.store import Store
from ledger.publisher.tiles import make_proofs
from ledger.records.envelope import Envelope, dump_envelope

__all__ = ["Fate", "Publishing"]

MOST_WAITING = 20_000
_LOOK = 0.01
_AFTER_TROUBLE = 1.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an act: published at ``index`` with its ``proof``, or refused; ``already``: it stood there before."""

    index: int | None = None
    proof: bytes | None = None
    reasons: tuple[Reason, ...] = ()
    already: bool = False


@dataclass(slots=True, eq=False)
class _Order:
    """One envelope on its way: its row in the inbox once it is there, and everybody who waits for its fate."""

    envelope: Envelope
    loop: asyncio.AbstractEventLoop
    stored: asyncio.Future[None]
    fate: asyncio.Future[Fate]
    row: int = 0
    key: bytes = b""
    published: int | None = None


@dataclass(slots=True, eq=False)
class _Papers:
    """Documents on their way into staging."""

    uploads: Sequence[Upload]
    loop: asyncio.AbstractEventLoop
    stored: asyncio.Future[None]


class Publishing:
    """The inbox as all requests of one process use it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._orders: dict[bytes, _Order] = {}
        self._new: queue.SimpleQueue[_Order | _Papers | None] = queue.SimpleQueue()
        self._watched: dict[int, _Order] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._threads = [threading.Thread(target=one, daemon=True, name=one.__name__) for one in (self._write, self._watch)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End both threads; what is in the inbox stays there."""
        self._stopped = True
        self._new.put(None)
        self._wake.set()
        for thread in self._threads:
            thread.join(5)

    async def submit(self, envelopes: Sequence[Envelope], uploads: Sequence[Upload] = ()) -> list[asyncio.Future[Fate]]:
        """Keep documents, then ``envelopes`` in their order, durably; return a future of each one's fate.

        The same envelope waits once.

        Raises:
            StoreError: the disk refuses, or too many wait already; none of the new ones was kept.
        """
        loop = asyncio.get_running_loop()
        papers = _Papers(uploads, loop, loop.create_future())
        self._new.put(papers)  # before the envelopes that name them
        orders = [self._order(one, loop) for one in envelopes]
        await asyncio.gather(papers.stored, *(asyncio.shield(one.stored) for one in orders))
        return [one.fate for one in orders]

    def _order(self, envelope: Envelope, loop: asyncio.AbstractEventLoop) -> _Order:
        key = hashlib.sha256(dump_envelope(envelope)).digest()
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = _Order(envelope, loop, loop.create_future(), loop.create_future(), key=key)
            order.fate.add_done_callback(lambda _: self._orders.pop(key, None))
            order.stored.add_done_callback(lambda done: done.exception() and self._orders.pop(key, None))
            order.fate.add_done_callback(lambda done: done.exception())
            self._new.put(order)
        return order

    # -- the writing thread

    def _write(self) -> None:
        inbox = store = None
        while (first := self._new.get()) is not None:
            batch = [first, *self._more()]
            try:
                inbox = inbox or Inbox(self.home)
                store = store or Store(self.home, read_only=True)
                keep_all(self.home, [upload for one in batch if isinstance(one, _Papers) for upload in one.uploads])
                self._store(inbox, store, [one for one in batch if isinstance(one, _Order)])
                trouble = None
            except LedgerError as error:
                trouble = error
            except Exception as error:  # noqa: BLE001 (a thread that dies would leave every request waiting)
                print(f"publishing: {error!r}", file=sys.stderr)  # noqa: T201
                trouble = StoreError(repr(error), code="database", path=str(self.home.path), problem=type(error).__name__)
            for one in batch:
                _tell(one, one.stored, error=trouble)
            if trouble is not None:
                inbox = store = None

    def _more(self) -> list[_Order | _Papers]:
        found: list[_Order | _Papers] = []
        while len(found) < 2000 and not self._new.empty():
            one = self._new.get()
            if one is None:
                self._new.put(None)
                break
            found.append(one)
        return found

    def _store(self, inbox: Inbox, store: Store, orders: Sequence[_Order]) -> None:
        """Put into the inbox what is not in the ledger yet, to be watched; what is there is promised at once."""
        size = store.published_size()
        for one in orders:
            one.published = store.index_of(one.envelope.id)
        new = [one for one in orders if one.published is None or one.published >= size]
        if new and inbox.count_pending() + len(new) > MOST_WAITING:
            raise StoreError(f"{MOST_WAITING} wait", code="busy", retry_after=10)
        for one, row in zip(new, inbox.submit([one.envelope for one in new]) if new else (), strict=True):
            one.row, one.published = row, None
        with self._lock:
            self._watched.update({one.row: one for one in new})
        there = [one for one in orders if one.published is not None]
        self._promise(store, dict.fromkeys(there, ()), already=True)
        self._wake.set()

    # -- the watching thread

    def _watch(self) -> None:
        inbox = store = None
        while not self._stopped:
            if not self._watched:
                self._wake.wait()
                self._wake.clear()
                continue
            self._wake.clear()
            try:
                inbox = inbox or Inbox(self.home)
                store = store or Store(self.home, read_only=True)
                self._look(inbox, store)
            except Exception as error:  # noqa: BLE001 (whoever waits is answered by the time limit of the request)
                print(f"publishing: {error!r}", file=sys.stderr)  # noqa: T201
                inbox = store = None
                time.sleep(_AFTER_TROUBLE)  # a disk that is away or full is not helped by a hundred lines a second
            self._wake.wait(_LOOK)

    def _look(self, inbox: Inbox, store: Store) -> None:
        """Tell what has been settled; what could not be told is looked at again."""
        settled = inbox.settled(list(self._watched))
        if settled:
            self._promise(store, {self._watched[row]: reasons for row, reasons in settled.items()})
            with self._lock:
                for row in settled:
                    del self._watched[row]

    def _promise(self, store: Store, found: dict[_Order, tuple[Reason, ...]], *, already: bool = False) -> None:
        """Tell each one's fate; all proofs are of one published checkpoint."""
        size = store.published_size()
        places = {one: store.index_of(one.envelope.id) for one, reasons in found.items() if not reasons}
        indexes = sorted({index for index in places.values() if index is not None and index < size})
        proofs = dict(zip(indexes, make_proofs(store, indexes, size), strict=True)) if indexes else {}
        for one, reasons in found.items():
            index = places.get(one)
            if reasons:
                _tell(one, one.fate, Fate(reasons=reasons))
            elif index in proofs:
                _tell(one, one.fate, Fate(index, proofs[index], already=already))
            else:
                where = {"path": str(self.home.path), "problem": "not published"}
                _tell(one, one.fate, error=StoreError("settled, but not published", code="database", **where))


def _tell(one: _Order | _Papers, future: asyncio.Future[None] | asyncio.Future[Fate], result: Fate | None = None, *,
          error: LedgerError | None = None) -> None:  # fmt: skip
    """Settle a future of the event loop from a thread."""

    def settle() -> None:
        if not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

    one.loop.call_soon_threadsafe(settle)
