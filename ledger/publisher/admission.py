"""Admission, step 3 of the order of writes: one transaction judges what waits and commits what is admitted.

One ``BEGIN IMMEDIATE``; pending rows judged one by one, each against the state after the one before; entries, leaf hashes
and an unsigned head; only if the current head is the expected one. What can be said of a submission by itself was found
before (``index.examined``), on all cores where many wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ledger.errors import Reason, StoreError
from ledger.index import Batch
from ledger.index.examined import Clear, Examined, examine, examined_of
from ledger.publisher.documents import judge_documents
from ledger.publisher.store import Head, Store
from ledger.records.alike import Alike
from ledger.records.entry import NO_ROSTER, entry_around, first_prev, format_time, parse_time
from ledger.records.envelope import Envelope, dump_envelope
from ledger.records.record import Record
from ledger.records.replay import judge
from ledger.records.roster import Roster, apply_roster
from ledger.sqlite import transaction
from ledger.tlog.merkle import Frontier, leaf_hash
from ledger.workers import Workers, cores

__all__ = ["Admission", "Tip", "append_entry", "commit", "empty_tip", "examine_all", "insert_entry", "tip_of"]

WORTH_WORKERS = 500
_CHUNK = 128


@dataclass(slots=True)
class Tip:
    """The state after the newest entry: what the next one is judged against and chained to."""

    size: int
    prev: str
    time: str
    roster: Roster
    frontier: Frontier


@dataclass
class Admission:
    """One transaction's work on ``store``: the rows of what is admitted, written together at its end.

    ``tip`` is the state before it, which stays as it was, and then a copy that moves. ``allowed`` remembers to what kind of
    record the roster had no objection, by its hash and the time.
    """

    store: Store
    tip: Tip
    batch: Batch
    entries: list[tuple[int, str, bytes, bytes]] = field(default_factory=list)
    rosters: list[tuple[int]] = field(default_factory=list)
    allowed: set[tuple[str, str, Alike]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tip = replace(self.tip)

    def expect(self, some: Sequence[Examined | Clear]) -> None:
        """Look up together what judging ``some`` is going to ask for."""
        clear = [one for one in some if isinstance(one, Clear)]
        if clear:
            self.batch.expect_clear(clear)
        sound = [(one.record, one.keys) for one in some if isinstance(one, Examined) and one.record is not None]
        if sound:
            self.batch.expect([record for record, _ in sound], [keys for _, keys in sound])

    def admit(self, one: Examined | Clear, time: str) -> Sequence[Reason]:
        """Judge one submission against the state so far; without reasons against it, it is the next entry."""
        if isinstance(one, Clear):
            return self._admit_clear(one, time)
        if one.envelope is None:
            return one.reasons
        if self._is_here(one.envelope.id if one.record is None else one.record.id):
            return ()
        reasons = judge(
            self.tip.roster, self.batch, one.envelope, index=self.tip.size, time=time, record=one.record, verified=one.verified
        )
        if not reasons and one.record is not None:
            reasons = list(judge_documents(self.store.home, one.record.documents))
        if not reasons:
            self.append(one.envelope, one.record, time, one.data)
        return reasons

    def append(self, envelope: Envelope, record: Record | None, time: str, data: bytes | None = None) -> None:
        """Make ``envelope`` the next entry; the caller has judged it. ``data`` are its own bytes, where they are at hand."""
        tip = self.tip
        roster = apply_roster(tip.roster, envelope, index=tip.size) if record is None else tip.roster
        prev = tip.prev if tip.size else first_prev(roster.origin)
        hash_ = tip.roster.hash if tip.size else NO_ROSTER
        self.insert(entry_around(data or dump_envelope(envelope), prev, hash_, time), envelope, record, roster, time)

    def insert(self, entry: bytes, envelope: Envelope, record: Record | None, roster: Roster, time: str) -> None:
        """Take an entry's exact bytes as the next one; the caller has judged and chained it."""
        if record is None:
            entry_id = envelope.id
            self.rosters.append((self.tip.size,))
            self.batch.add_id(entry_id, self.tip.size)
        else:
            entry_id = record.id
            self.batch.add(record, index=self.tip.size, time=time)
        self.tip.roster = roster
        self._move(entry, entry_id, time)

    def _admit_clear(self, one: Clear, time: str) -> Sequence[Reason]:
        """Judge a clear submission: by itself where none alike was admitted before, or where more than the roster may count."""
        roster, kind = self.tip.roster, (self.tip.roster.hash, time, one.alike)
        if kind in self.allowed and self.batch.is_new(one) and (not one.documents or self._are_here(one.documents)):
            self.batch.add_clear(one, index=self.tip.size, time=time)
            self._move(entry_around(one.data, self.tip.prev, roster.hash, time), one.id, time)
            return ()
        if self._is_here(one.id):
            return ()
        reasons = self.admit(one.opened(), time)
        if not reasons:
            self.allowed.add(kind)
        return reasons

    def _move(self, entry: bytes, entry_id: str, time: str) -> None:
        tip, leaf = self.tip, leaf_hash(entry)
        self.entries.append((tip.size, entry_id, leaf, entry))
        tip.size, tip.prev, tip.time = tip.size + 1, leaf.hex(), time

    def write(self) -> Tip:
        """Write every row and the head that covers them, and return the state after it."""
        if self.entries:
            self.write_rows()
            self.tip.frontier = self.tip.frontier.extend([row[2] for row in self.entries])
            head = (self.tip.size, self.tip.frontier.root(), self.tip.time)
            self.store.connection.execute("INSERT INTO heads VALUES (?, ?, ?)", head)
            self.entries, self.rosters = [], []
        return self.tip

    def write_rows(self) -> None:
        """Write the rows of the entries, without a head."""
        self.store.connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", self.entries)
        self.store.connection.executemany("INSERT INTO rosters VALUES (?)", self.rosters)
        self.batch.write()

    def _are_here(self, documents: Sequence[tuple[str, int]]) -> bool:
        """Tell whether documents are here with their stated size and hash, and none of them is withdrawn."""
        if any(sha256 in self.tip.roster.withdrawn for sha256, _ in documents):
            return False
        stated = [{"name": "", "sha256": sha256, "size": size} for sha256, size in documents]
        return not any(judge_documents(self.store.home, stated))

    def _is_here(self, entry_id: str) -> bool:
        if self.batch.has(entry_id):
            return True
        return self.batch.may_know(entry_id) and self.store.index_of(entry_id) is not None


def commit(store: Store, tip: Tip, submissions: Iterator[Examined | Clear], now: int) -> tuple[Tip, list[Sequence[Reason]]]:
    """Judge and commit ``submissions`` after ``tip``; return the state after them and the reasons against each.

    They are taken as they come, so that others may be examined meanwhile.

    Raises:
        StoreError: ``two-sequencers``, or the database refuses; nothing was kept, or it is not known.
    """
    with transaction(store.connection):
        head = store.head()
        if (head.size if head else 0) != tip.size:
            raise StoreError("another process has committed", code="two-sequencers", size=tip.size)
        time = format_time(max(now, parse_time(tip.time) if tip.size else 0))
        admission, reasons = Admission(store, tip, Batch(store.index)), list[Sequence[Reason]]()
        while some := list(islice(submissions, _CHUNK)):
            admission.expect(some)
            reasons += [admission.admit(one, time) for one in some]
        return admission.write(), reasons


def examine_all(envelopes: Iterable[bytes], count: int, roster: Roster) -> Generator[Examined | Clear]:
    """Yield what can be said of each of ``count`` envelopes by itself; on all cores where enough come to be worth it."""
    if count < WORTH_WORKERS or cores() < 2:
        keys = {keyid: one.key for keyid, one in roster.enrolments.items()}
        yield from (examine(data, keys) for data in envelopes)
        return
    raw = {keyid: one.key.raw for keyid, one in roster.enrolments.items()}
    waiting: deque[list[bytes]] = deque()
    with Workers("ledger.index.examined:examine_chunk", raw) as workers:
        for found in workers.map(_chunks(envelopes, waiting)):
            yield from (examined_of(data, plain) for data, plain in zip(waiting.popleft(), found, strict=True))


def _chunks(envelopes: Iterable[bytes], waiting: deque[list[bytes]]) -> Iterator[list[bytes]]:
    """Yield envelopes in chunks, each of which is put into ``waiting`` as it goes."""
    rest = iter(envelopes)
    while chunk := list(islice(rest, _CHUNK)):
        waiting.append(chunk)
        yield chunk


def append_entry(store: Store, tip: Tip, envelope: Envelope, time: str) -> Tip:
    """Write a judged roster payload as the next entry, with its head, and return the state after it; inside a transaction."""
    admission = Admission(store, tip, Batch(store.index))
    admission.append(envelope, None, time)
    return admission.write()


def insert_entry(
    store: Store, tip: Tip, data: bytes, envelope: Envelope, record: Record | None, roster: Roster, time: str
) -> tuple[Tip, bytes]:
    """Write exact bytes that the caller has judged and chained; return the state after them (frontier unmoved), their leaf."""
    admission = Admission(store, tip, Batch(store.index))
    admission.insert(data, envelope, record, roster, time)
    admission.write_rows()
    return admission.tip, admission.entries[0][2]


def empty_tip() -> Tip:
    """Return the state before entry 0."""
    return Tip(0, "", "", Roster(), Frontier.empty())


def tip_of(store: Store) -> Tip:
    """Return the state after the newest committed entry.

    Raises:
        StoreError: ``root-differs``: the stored leaves do not lead to the committed root.
    """
    head: Head | None = store.head()
    if head is None:
        return empty_tip()
    signed = store.signed_head()
    frontier = store.frontier(signed.size) if signed else Frontier.empty()
    frontier = frontier.extend(store.leaves(frontier.size, head.size))
    if frontier.root() != head.root:
        raise StoreError("the stored leaves do not lead to the committed root", code="root-differs", size=head.size)
    return Tip(head.size, store.leaves(head.size - 1, head.size)[0].hex(), head.time, store.roster(), frontier)
