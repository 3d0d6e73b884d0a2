"""The sequencer: has what waits admitted, and lets it out. One at a time, under the home's lock."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any

from ledger.clock import Clock, check_clock
from ledger.durable import check_free_space
from ledger.errors import LedgerError, Reason
from ledger.index.examined import Clear, Examined
from ledger.keyfile import LogKeys
from ledger.publisher.admission import commit, examine_all, tip_of
from ledger.publisher.ahead import Ahead
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox, Pending
from ledger.publisher.outbox import flush, resume
from ledger.publisher.staging import sweep
from ledger.publisher.store import Store
from ledger.records.entry import format_time
from ledger.records.envelope import Envelope, dump_envelope, load_envelope
from ledger.records.record import parse_record
from ledger.sqlite import transaction

__all__ = ["BATCH", "Sequencer", "no_collecting", "run"]

BATCH = 20_000
TOGETHER = 2_000
MANY = 500
ABANDONED = 24 * 3600
SWEEP_EVERY = 3600
FEED_EVERY = 2.0



class Sequencer:
    """The write side at work. Made only by whoever holds ``Home.lock``."""

    def __init__(self, home: Home, keys: Sequence[LogKeys], clock: Clock | None = None) -> None:
        self.home, self.keys, self.clock = home, keys, clock or Clock()
        self.store = Store(home)
        self.inbox = Inbox(home)
        self.tip = tip_of(self.store)
        self.behind, self.fed = False, 0.0

    def close(self) -> None:
        """Close both databases."""
        self.store.close()
        self.inbox.close()

    def start(self) -> None:
        """Check the clock and that nothing was rolled back, then finish what was interrupted.

        Raises:
            StoreError: with what an operator has to do.
        """
        if self.tip.size:
            if self.clock.accepted:
                self.note("clock accepted", format_time(self.clock.now()))
            else:
                check_clock(self.clock.now(), self.tip.time)
            resume(self.home, self.keys, self.clock.now())
            self.behind = True
        self.tidy()

    def step(self, limit: int = BATCH) -> int:
        """Judge, commit and publish up to ``limit`` waiting submissions; return how many were settled."""
        pending = self.inbox.pending(limit)
        if pending:
            examined = examine_all((one.envelope for one in pending), len(pending), self.tip.roster)
            reasons = self._publish(examined, len(pending))
            self.inbox.settle([(one.n, found) for one, found in zip(pending, reasons, strict=True)])
            self._feed_in_turn()
        return len(pending)

    def take(self, envelopes: Sequence[Envelope], ahead: Ahead[Examined | Clear] | None = None) -> list[Sequence[Reason]]:
        """Judge, commit and publish what whoever holds the lock brings along; return the reasons against each.

        ``ahead`` is what was found meanwhile of the first ``BATCH`` of them, each by itself. Nothing lies in the inbox before,
        but what was refused is kept there, as of every submission. The catalogue is fed by ``catch_up``, as long as ``behind``
        says so.
        """
        found: list[Sequence[Reason]] = []
        for start in range(0, len(envelopes), BATCH):
            some = envelopes[start : start + BATCH]
            examined = examine_all(map(dump_envelope, some), len(some), self.tip.roster)
            reasons = self._publish(examined if ahead is None or start else ahead, len(some))
            refused = [(one, against) for one, against in zip(some, reasons, strict=True) if against]
            if refused:
                self.inbox.refuse(refused)
            self.behind = True
            found += reasons
        return found

    def _publish(self, examined: Generator[Examined | Clear] | Ahead[Examined | Clear], count: int) -> list[Sequence[Reason]]:
        """Commit ``count`` submissions, some thousand in a transaction, bring them out; return the reasons against each."""
        found: list[Sequence[Reason]] = []
        with no_collecting(count), contextlib.closing(examined):
            some = iter(examined)
            while len(found) < count:
                check_free_space(self.home.path)
                found += self._commit(islice(some, min(TOGETHER, count - len(found))))
        if not all(found):
            flush(self.home, self.keys, self.clock.now())
        return found

    def catch_up(self) -> bool:
        """Feed the catalogue for a moment; tell whether more waits to be fed."""
        self.behind, self.fed = not keep_catalogue(self.home), time.monotonic()
        return self.behind

    def _feed_in_turn(self) -> None:
        """Feed the catalogue after a batch was answered; while others wait for theirs, every two seconds only."""
        if self.inbox.pending(1) and time.monotonic() - self.fed < FEED_EVERY:
            self.behind = True
        else:
            self.catch_up()

    def note(self, what: str, detail: str) -> None:
        """Keep what an operator has accepted."""
        with transaction(self.store.connection):
            self.store.connection.execute(
                "INSERT INTO notes (time, what, detail) VALUES (?, ?, ?)", (format_time(int(self.clock.wall())), what, detail)
            )

    def _commit(self, submissions: Iterator[Examined | Clear]) -> list[Sequence[Reason]]:
        self.tip, reasons = commit(self.store, self.tip, submissions, self.clock.now())
        return reasons

    def tidy(self) -> None:
        """Sweep what was refused or abandoned a day ago."""
        before = self.clock.wall() - ABANDONED
        self.inbox.forget_settled(before=before)
        keep: set[str] = set()
        for one in self.inbox.pending(1_000_000):
            keep |= _staged_by(one)
        sweep(self.home, keep=keep, older_than=before)


@contextlib.contextmanager
def no_collecting(count: int) -> Iterator[None]:
    """Keep Python from looking for circles among what many submissions are made of: there are none."""
    if count < MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _staged_by(one: Pending) -> set[str]:
    try:
        record = parse_record(load_envelope(one.envelope).payload)
    except LedgerError:
        return set()
    return {document["sha256"] for document in record.documents}


def run(sequencer: Sequencer, *, stopped: Callable[[], bool], wait: Callable[[float], Any]) -> None:
    """Sequence until ``stopped``: look every 10 ms, gather what comes together, publish a batch; sweep once an hour."""
    swept = time.monotonic()
    while not stopped():
        if not sequencer.inbox.pending(1):
            if not sequencer.behind or not sequencer.catch_up():
                wait(0.01)
            if time.monotonic() - swept > SWEEP_EVERY:
                sequencer.tidy()
                swept = time.monotonic()
            continue
        _gather(sequencer, wait)
        while sequencer.step():
            if stopped():
                return


def _gather(sequencer: Sequencer, wait: Callable[[float], Any]) -> None:
    """Wait until nothing has come for 30 ms, 100 ms at most: a batch rewrites partial bundles once, however many it holds."""
    seen, quiet = 0, 0
    for _ in range(10):
        wait(0.01)
        count = sequencer.inbox.count_pending()
        quiet = quiet + 1 if count == seen else 0
        seen = count
        if quiet == 3:
            return
