"""The sequencer: judges what waits, commits it in one transaction, and lets it out. One at a time, under the home's lock.

Step 3 of the order of writes is here: one ``BEGIN IMMEDIATE``; pending rows judged one by one, each against the state
after the one before; entries, leaf hashes and an unsigned head; only if the current head is the expected one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.durable import check_free_space
from ledger.errors import LedgerError, Reason, StoreError
from ledger.keyfile import LogKeys
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.clock import Clock, check_clock
from ledger.publisher.documents import judge_documents, sweep
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox, Pending
from ledger.publisher.outbox import check_no_rollback, flush
from ledger.publisher.store import Head, Store
from ledger.records.entry import NO_ROSTER, Entry, dump_entry, first_prev, format_time, parse_time
from ledger.records.envelope import Envelope, load_envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record, parse_record
from ledger.records.replay import judge
from ledger.records.roster import Roster, apply_roster
from ledger.sqlite import transaction
from ledger.tlog.merkle import Frontier, leaf_hash

__all__ = ["BATCH", "Sequencer", "append_entry", "empty_tip", "insert_entry", "run", "tip_of"]

BATCH = 1000
ABANDONED = 24 * 3600
SWEEP_EVERY = 3600
FEED_EVERY = 2.0

Judgement = tuple[Pending, Sequence[Reason]]


@dataclass
class _Tip:
    """The state after the newest entry: what the next one is judged against and chained to."""

    size: int
    prev: str
    time: str
    roster: Roster
    frontier: Frontier


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
            check_no_rollback(self.home)
            flush(self.home, self.keys, self.clock.now())
            if not self.inbox.pending(1):
                self.catch_up()
        self.tidy()

    def step(self, limit: int = BATCH) -> int:
        """Judge, commit and publish up to ``limit`` waiting submissions; return how many were settled."""
        pending = self.inbox.pending(limit)
        if pending:
            check_free_space(self.home.path)
            judged = self._commit(pending)
            if any(not reasons for _, reasons in judged):
                flush(self.home, self.keys, self.clock.now())
            self.inbox.settle([(one.n, reasons) for one, reasons in judged])
            self._feed_in_turn()
        return len(pending)

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

    def _commit(self, pending: Sequence[Pending]) -> list[Judgement]:
        now = self.clock.now()
        with transaction(self.store.connection):
            head = self.store.head()
            if (head.size if head else 0) != self.tip.size:
                raise StoreError("another process has committed", code="two-sequencers", size=self.tip.size)
            time = format_time(max(now, parse_time(self.tip.time) if self.tip.size else 0))
            tip = self.tip
            judged: list[Judgement] = []
            leaves: list[bytes] = []
            for one in pending:
                reasons, tip = self._judge_one(tip, one, time, leaves)
                judged.append((one, reasons))
            tip.frontier = tip.frontier.extend(leaves)
            if leaves:
                self.store.connection.execute(
                    "INSERT INTO heads VALUES (?, ?, ?)", (tip.size, tip.frontier.root(), tip.time)
                )
        self.tip = tip
        return judged

    def _judge_one(self, tip: _Tip, one: Pending, time: str, leaves: list[bytes]) -> tuple[list[Reason], _Tip]:
        """Return the reasons against one submission, or none and the state after it."""
        try:
            envelope = load_envelope(one.envelope)
        except LedgerError as error:
            return [Reason(error.code, "", error.values)], tip
        if self.store.index_of(envelope.id) is not None:
            return [], tip
        reasons = judge(tip.roster, self.store.index, envelope, index=tip.size, time=time)
        record = None
        if not reasons and envelope.payload_type != ROSTER_TYPE:
            record = parse_record(envelope.payload)
            reasons = list(judge_documents(self.home, record.documents))
        if reasons:
            return reasons, tip
        after, leaf = append_entry(self.store, tip, envelope, record, time)
        leaves.append(leaf)
        return [], after

    def tidy(self) -> None:
        """Sweep what was refused or abandoned a day ago."""
        before = self.clock.wall() - ABANDONED
        self.inbox.forget_settled(before=before)
        keep: set[str] = set()
        for one in self.inbox.pending(1_000_000):
            keep |= _staged_by(one)
        sweep(self.home, keep=keep, older_than=before)


def append_entry(
    store: Store, tip: _Tip, envelope: Envelope, record: Record | None, time: str
) -> tuple[_Tip, bytes]:
    """Insert ``envelope`` as the next entry, and return the state after it and its leaf hash; inside a transaction."""
    roster_hash = tip.roster.hash if tip.size else NO_ROSTER
    roster = apply_roster(tip.roster, envelope, index=tip.size) if record is None else tip.roster
    prev = tip.prev if tip.size else first_prev(roster.origin)
    data = dump_entry(Entry(envelope, prev, roster_hash, time))
    return insert_entry(store, tip, data, envelope, record, roster, time)


def insert_entry(
    store: Store, tip: _Tip, data: bytes, envelope: Envelope, record: Record | None, roster: Roster, time: str
) -> tuple[_Tip, bytes]:
    """Insert an entry's exact bytes; the caller has judged and chained it."""
    leaf = leaf_hash(data)
    store.connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", (tip.size, envelope.id, leaf, data))
    if record is None:
        store.connection.execute("INSERT INTO rosters VALUES (?)", (tip.size,))
    else:
        store.index.add(record, index=tip.size, time=time)
    return _Tip(tip.size + 1, leaf.hex(), time, roster, tip.frontier), leaf


def empty_tip() -> _Tip:
    """Return the state before entry 0."""
    return _Tip(0, "", "", Roster(), Frontier.empty())


def tip_of(store: Store) -> _Tip:
    """Return the state after the newest committed entry."""
    head: Head | None = store.head()
    if head is None:
        return empty_tip()
    signed = store.signed_head()
    frontier = store.frontier(signed.size) if signed else Frontier.empty()
    frontier = frontier.extend(store.leaves(frontier.size, head.size))
    if frontier.root() != head.root:
        raise StoreError("the stored leaves do not lead to the committed root", code="root-differs", size=head.size)
    return _Tip(head.size, store.leaves(head.size - 1, head.size)[0].hex(), head.time, store.roster(), frontier)


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
