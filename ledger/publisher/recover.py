"""``recover``: after a restore, bring back from a mirror what the backup did not hold, and only then go on.

The mirror is read and proven by whoever calls (the read side); here its tail is judged once more, chained to what is
stored, and must lead to the root that this log's own keys signed. Signatures of the mirror's checkpoint are kept as
made: no size is signed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.durable import remove, write_files, write_over
from ledger.errors import ProofError, StoreError
from ledger.publisher.admission import insert_entry, tip_of
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.documents import stage
from ledger.publisher.home import Home
from ledger.publisher.outbox import lookup_files, policy_files, write_all
from ledger.publisher.store import Store
from ledger.records.entry import Entry, parse_entry
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record, parse_record
from ledger.records.replay import judge
from ledger.records.roster import apply_roster
from ledger.sqlite import transaction
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.merkle import Frontier
from ledger.tlog.note import Note, format_note, parse_note
from ledger.tlog.policy import parse_policy

__all__ = ["Mirror", "accept_loss", "recover"]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the public ledger: its signed checkpoint, entries by index, and documents into a folder by hash."""

    checkpoint: bytes
    entries: Callable[[int, int], Sequence[bytes]]
    document: Callable[[str, int], Path]


def recover(home: Home, mirror: Mirror) -> int:
    """Append the mirror's tail, publish it, clear the restore mark; return how many entries came back.

    Raises:
        StoreError: a sequencer is running, or (``mirror-older``) the mirror holds less than the backup, so that it cannot
            show whether anything newer was published.
        ProofError: the mirror's tail does not continue what is stored here.
        PolicyError: the mirror's checkpoint is not signed by this log.
    """
    with home.lock() as ours:
        if not ours:
            raise StoreError("a sequencer is running", code="sequencer-running", path=str(home.path))
        with Store(home) as store:
            came = _take(store, mirror)
        remove(home.restore_mark)
        keep_catalogue(home)
        return came


def accept_loss(home: Home, now: str) -> None:
    """Clear the restore mark without a mirror; the ledger keeps for ever that an operator did so."""
    with Store(home) as store, transaction(store.connection):
        store.connection.execute(
            "INSERT INTO notes (time, what, detail) VALUES (?, 'restored without a mirror', ?)",
            (now, f"at size {store.published_size()}"),
        )
    remove(home.restore_mark)


def _take(store: Store, mirror: Mirror) -> int:
    roster = store.roster()
    head = store.head()
    size = head.size if head else 0
    policy = parse_policy(next(iter(policy_files(store.home, roster, size)))[1])
    policy.check(mirror.checkpoint)
    checkpoint = parse_checkpoint(parse_note(mirror.checkpoint).text)
    if checkpoint.size < store.published_size():
        raise StoreError(
            f"the mirror has size {checkpoint.size}, this backup {store.published_size()}",
            code="mirror-older", size=checkpoint.size, known=store.published_size(),
        )  # fmt: skip
    if checkpoint.size <= size:
        _check_older(store, checkpoint.size, checkpoint.root)
        return 0
    with transaction(store.connection):
        frontier = _append(store, mirror, checkpoint.size)
        if frontier.root() != checkpoint.root:
            raise ProofError("the mirror's tail does not continue this ledger", code="forked", size=checkpoint.size)
        store.connection.execute(
            "INSERT INTO heads VALUES (?, ?, ?)", (checkpoint.size, checkpoint.root, tip_time(store, checkpoint.size))
        )
        _keep_signatures(store, mirror.checkpoint, checkpoint.size, frontier)
    done = store.published_size()
    write_all(store, done, checkpoint.size)
    write_over(store.home.public / "checkpoint", store.checkpoint_note(checkpoint.size))
    write_files(lookup_files(store, store.index.buckets(done, checkpoint.size)), once=False)
    with transaction(store.connection):
        store.connection.execute(
            "INSERT INTO published VALUES (?, ?)", (checkpoint.size, tip_time(store, checkpoint.size))
        )
    return checkpoint.size - size


def _check_older(store: Store, size: int, root: bytes) -> None:
    if size and Frontier.empty().extend(store.leaves(0, size)).root() != root:
        raise ProofError("the mirror shows another history", code="forked", size=size)


def _append(store: Store, mirror: Mirror, end: int) -> Frontier:
    tip = tip_of(store)
    leaves = []
    for data in mirror.entries(tip.size, end):
        entry = parse_entry(data)
        if entry.prev != tip.prev or entry.roster != tip.roster.hash:
            raise ProofError(f"entry {tip.size} of the mirror does not follow ours", code="forked", size=tip.size)
        reasons = judge(tip.roster, store.index, entry.envelope, index=tip.size, time=entry.time)
        if reasons:
            raise ProofError(f"entry {tip.size}: {'; '.join(map(str, reasons))}", code="forked", size=tip.size)
        record = None if entry.envelope.payload_type == ROSTER_TYPE else parse_record(entry.envelope.payload)
        roster = apply_roster(tip.roster, entry.envelope, index=tip.size) if record is None else tip.roster
        if record is not None:
            _bring_documents(store, mirror, record)
        tip, leaf = insert_entry(store, tip, data, entry.envelope, record, roster, entry.time)
        leaves.append(leaf)
    return tip.frontier.extend(leaves)


def _bring_documents(store: Store, mirror: Mirror, record: Record) -> None:
    wanted = {one["sha256"]: one["size"] for one in record.documents if not store.home.document(one["sha256"]).exists()}
    stage(store.home, {sha256: mirror.document(sha256, size) for sha256, size in wanted.items()})


def _keep_signatures(store: Store, data: bytes, size: int, frontier: Frontier) -> None:
    note = parse_note(data)
    for signature in note.signatures:
        if signature.name == store.home.origin:
            line = format_note(Note(note.text, (signature,)))[len(note.text) + 1 :]
            store.connection.execute("INSERT INTO signatures VALUES (?, ?, ?)", (size, signature.key_id.hex(), line))
    store.connection.execute("INSERT INTO frontiers VALUES (?, ?)", (size, frontier.to_bytes()))


def tip_time(store: Store, size: int) -> str:
    """Return the time of the last of ``size`` entries."""
    entry: Entry = parse_entry(store.entry(size - 1))
    return entry.time
