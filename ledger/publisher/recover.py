"""``recover``: after a restore, bring back from a mirror what the backup did not hold, and only then go on.

The mirror is read and proven by whoever calls (the read side). Here its tail is gone through twice, a batch at a time:

    prove   entries hashed and chained to what is stored; the roster's events judged; the root reached must be the one that
            the log's own keys signed. What is kept of this: the root after each batch
    take    documents, then in one transaction: entries judged as at admission, inserted, and the batch's root reached again

So no batch is kept that the signed checkpoint does not cover, and a run that was killed is simply run again: it goes on
from the last batch. Until the end the home keeps its mark and the public checkpoint stays. Signatures of the mirror's
checkpoint are kept as made: no size is signed twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.durable import remove, write_files, write_over
from ledger.errors import ProofError, StoreError
from ledger.index import Batch
from ledger.publisher.admission import Admission, Tip, tip_of
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.documents import move_documents
from ledger.publisher.home import Home
from ledger.publisher.outbox import lookup_files, policy_files, write_all
from ledger.publisher.staging import stage
from ledger.publisher.store import Store
from ledger.publisher.tiles import outgrown, tile_files
from ledger.records.entry import NO_ROSTER, Entry, parse_entry
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record, parse_record
from ledger.records.replay import judge
from ledger.records.roster import Roster, apply_roster, judge_roster
from ledger.sqlite import transaction
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.merkle import Frontier, leaf_hash
from ledger.tlog.note import Note, format_note, parse_note
from ledger.tlog.policy import parse_policy

__all__ = ["Mirror", "accept_loss", "recover"]

BATCH = 1024  # entries; some MiB
_STEP = 4096  # entries whose files are written at once
_BUCKETS = 1000
_PATIENCE = 24 * 3600.0  # seconds for the catalogue: what comes next is a check of all of it
_MARK = "Being recovered up to size {}. Run: bening recover --from URL|DIR\n"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the public ledger: its signed checkpoint, entries by index, and documents into a folder by hash.

    A document's file is removed when it has been taken.
    """

    checkpoint: bytes
    entries: Callable[[int, int], Sequence[bytes]]
    document: Callable[[str, int], Path]


@dataclass(frozen=True, slots=True)
class _Proven:
    """What going through the tail has shown: the root after each batch, by size; the last roster; what is withdrawn by then."""

    roots: dict[int, bytes]
    roster: Roster


def recover(home: Home, mirror: Mirror, progress: Progress | None = None) -> int:
    """Append the mirror's tail, publish it, clear the restore mark; return how many entries came back.

    Documents that are missing here are brought back too. Killed in the middle, it can be run again.

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
            came = _take(store, mirror, progress or (lambda done, total: None))
        remove(home.restore_mark)
        keep_catalogue(home, _PATIENCE)
        return came


def accept_loss(home: Home, now: str) -> None:
    """Clear the restore mark without a mirror; the ledger keeps for ever that an operator did so.

    Raises:
        StoreError: ``mirror-older``: a mirror has already shown that more was published.
    """
    with Store(home) as store:
        _check_not_older(store, home, store.head().size if store.head() else 0)  # type: ignore[union-attr]  # asked just before
        with transaction(store.connection):
            store.connection.execute(
                "INSERT INTO notes (time, what, detail) VALUES (?, 'restored without a mirror', ?)",
                (now, f"at size {store.published_size()}"),
            )
    remove(home.restore_mark)


def _take(store: Store, mirror: Mirror, progress: Progress) -> int:
    checkpoint = parse_checkpoint(parse_note(mirror.checkpoint).text)
    _check_not_older(store, store.home, checkpoint.size)
    tip = tip_of(store)
    before = tip.size
    proven = _prove(store, tip, mirror, checkpoint, progress)
    if checkpoint.size > before:
        write_over(store.home.restore_mark, _MARK.format(checkpoint.size).encode("ascii"))
    for end in sorted(proven.roots):
        tip = _take_batch(store, tip, mirror, end, proven)
        progress(end, checkpoint.size)
    _bring_missing(store, mirror, checkpoint.size)
    _keep_signatures(store, mirror.checkpoint, checkpoint)
    _publish(store, checkpoint.size)
    return max(0, checkpoint.size - before)


def _check_not_older(store: Store, home: Home, size: int) -> None:
    """Refuse a mirror of less than what was published here, or than what another mirror has begun to bring back."""
    known = max(store.published_size(), _marked(home))
    if size < known:
        raise StoreError(f"the mirror has size {size}, this backup {known}", code="mirror-older", size=size, known=known)


def _marked(home: Home) -> int:
    try:
        found = re.search(r"up to size ([0-9]{1,15})\.", home.restore_mark.read_text("ascii"))
    except (FileNotFoundError, UnicodeDecodeError):
        return 0
    return int(found[1]) if found else 0


def _prove(store: Store, tip: Tip, mirror: Mirror, checkpoint: Checkpoint, progress: Progress) -> _Proven:
    """Go through the mirror's tail and require that it leads from ``tip`` to the checkpoint that this log has signed."""
    roots: dict[int, bytes] = {}
    roster, prev, frontier = tip.roster, tip.prev, tip.frontier
    for start in range(tip.size, checkpoint.size, BATCH):
        end = min(start + BATCH, checkpoint.size)
        for index, data in enumerate(mirror.entries(start, end), start):
            entry = parse_entry(data)
            if entry.prev != prev or entry.roster != (roster.hash if index else NO_ROSTER):
                raise ProofError(f"entry {index} of the mirror does not follow ours", code="forked", size=index)
            if entry.envelope.payload_type == ROSTER_TYPE:
                roster = _after(roster, entry, index)
            leaf = leaf_hash(data)
            prev, frontier = leaf.hex(), frontier.extend([leaf])
        roots[end] = frontier.root()
        progress(start, checkpoint.size)
    parse_policy(next(iter(policy_files(store.home, roster, checkpoint.size)))[1]).check(mirror.checkpoint)
    if checkpoint.size <= tip.size:
        frontier = _frontier(store, checkpoint.size)
    if frontier.root() != checkpoint.root:
        raise ProofError("the mirror's tail does not continue this ledger", code="forked", size=checkpoint.size)
    return _Proven(roots, roster)


def _after(roster: Roster, entry: Entry, index: int) -> Roster:
    """Return the roster after one of the tail's events, which the authority must have signed."""
    reasons = judge_roster(roster, entry.envelope, index=index)
    if reasons:
        raise ProofError(f"entry {index}: {'; '.join(map(str, reasons))}", code="forked", size=index)
    return apply_roster(roster, entry.envelope, index=index)


def _take_batch(store: Store, tip: Tip, mirror: Mirror, end: int, proven: _Proven) -> Tip:
    """Judge and insert the entries up to ``end`` with the head that covers them, and return the state after them."""
    read = [_read(data) for data in mirror.entries(tip.size, end)]
    _bring(store, mirror, (record for _, _, record in read if record is not None), proven.roster)
    with transaction(store.connection):
        admission = Admission(store, tip, Batch(store.index))
        for data, entry, record in read:
            roster = admission.tip.roster
            index, envelope = admission.tip.size, entry.envelope
            reasons = judge(roster, admission.batch, envelope, index=index, time=entry.time, record=record)
            if reasons:
                raise ProofError(f"entry {index}: {'; '.join(map(str, reasons))}", code="forked", size=index)
            after = apply_roster(roster, envelope, index=index) if record is None else roster
            admission.insert(data, envelope, record, after, entry.time)
        after_all = admission.write()
        if after_all.frontier.root() != proven.roots[end]:
            raise ProofError("the mirror gave other entries than before", code="forked", size=end)
    return after_all


def _read(data: bytes) -> tuple[bytes, Entry, Record | None]:
    entry = parse_entry(data)
    is_roster = entry.envelope.payload_type == ROSTER_TYPE
    return data, entry, None if is_roster else parse_record(entry.envelope.payload)


def _bring(store: Store, mirror: Mirror, records: Iterator[Record], roster: Roster) -> None:
    """Stage the documents that these acts name; not what has been withdrawn since, which no mirror holds any more."""
    for record in records:
        for one in record.documents:
            if one["sha256"] not in roster.withdrawn:
                _bring_one(store, mirror, one["sha256"], one["size"])


def _bring_one(store: Store, mirror: Mirror, sha256: str, size: int) -> None:
    if not store.home.document(sha256).exists() and not store.home.staged(sha256).exists():
        path = mirror.document(sha256, size)
        stage(store.home, {sha256: path})
        path.unlink(missing_ok=True)


def _bring_missing(store: Store, mirror: Mirror, size: int) -> None:
    """Bring back the documents of earlier acts that are not here: those of a public folder that was itself an old copy."""
    withdrawn = store.roster(size).withdrawn
    rows = store.connection.execute("SELECT DISTINCT sha256, size FROM documents WHERE idx < ? ORDER BY 1", (size,))
    for sha256, length in rows:
        if sha256 not in withdrawn:
            _bring_one(store, mirror, sha256, length)


def _keep_signatures(store: Store, data: bytes, checkpoint: Checkpoint) -> None:
    """Keep the mirror's signatures by this log's own keys, unless the head of this size has its signatures already."""
    if store.signature_lines(checkpoint.size):
        return
    note = parse_note(data)
    frontier = _frontier(store, checkpoint.size)
    with transaction(store.connection):
        if store.head_at(checkpoint.size) is None:
            time = _time(store, checkpoint.size)
            store.connection.execute("INSERT INTO heads VALUES (?, ?, ?)", (checkpoint.size, checkpoint.root, time))
        for signature in note.signatures:
            if signature.name == store.home.origin:
                line = format_note(Note(note.text, (signature,)))[len(note.text) + 1 :]
                row = (checkpoint.size, signature.key_id.hex(), line)
                store.connection.execute("INSERT INTO signatures VALUES (?, ?, ?)", row)
        store.connection.execute("INSERT INTO frontiers VALUES (?, ?)", (checkpoint.size, frontier.to_bytes()))


def _publish(store: Store, size: int) -> None:
    """Write the files of what came back, the checkpoint last but for the look-ups, as the outbox does."""
    public, done = store.home.public, store.published_size()
    if size <= done:
        return
    start = done
    while size - start > _STEP:
        end = start - start % _STEP + _STEP
        _write_whole_tiles(store, start, end)
        start = end
    _move_documents(store, done, start)
    write_all(store, max(done, start - 1), size)  # from before the last whole tile, which may have begun one of a higher level
    write_over(public / "checkpoint", store.checkpoint_note(size))
    buckets = store.index.buckets(done, size)
    for at in range(0, len(buckets), _BUCKETS):
        write_files(lookup_files(store, buckets[at : at + _BUCKETS]), once=False)
    for folder in outgrown(public, done, size):
        remove(folder)
    with transaction(store.connection):
        store.connection.execute("INSERT INTO published VALUES (?, ?)", (size, _time(store, size)))


def _write_whole_tiles(store: Store, start: int, end: int) -> None:
    """Write the full tiles and bundles of a step; what is partial here would be no checkpoint's."""
    whole = ((path, data) for path, data in tile_files(store, start, end) if not path.parent.name.endswith(".p"))
    write_files(whole, once=True, within=store.home.public)


def _move_documents(store: Store, start: int, end: int) -> None:
    withdrawn = store.roster().withdrawn
    rows = store.connection.execute("SELECT DISTINCT sha256 FROM documents WHERE idx >= ? AND idx < ?", (start, end))
    move_documents(store.home, [row[0] for row in rows.fetchall() if row[0] not in withdrawn])


def _frontier(store: Store, size: int) -> Frontier:
    frontier = Frontier.empty()
    for start in range(0, size, _STEP):
        frontier = frontier.extend(store.leaves(start, min(start + _STEP, size)))
    return frontier


def _time(store: Store, size: int) -> str:
    """Return the time of the last of ``size`` entries."""
    return parse_entry(store.entry(size - 1)).time
