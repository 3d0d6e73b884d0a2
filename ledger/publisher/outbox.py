"""Steps 4 to 8 of the order of writes: sign, write the files, let the checkpoint out. Also the recovery at start-up.

One idempotent function of stored rows. Whatever was interrupted is done again with the same bytes; a file that is there
with other bytes stops everything. After any error in it the process must end and start afresh.

    signatures → documents, bundles, tiles, roster.jsonl, policies → (witnesses) → checkpoint → look-ups → published
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ledger.durable import remove, sync_all, sync_folders, told, write_files
from ledger.errors import LedgerError, StoreError
from ledger.keyfile import LogKeys
from ledger.publisher.documents import move_documents
from ledger.publisher.home import Home
from ledger.publisher.signing import sign_head
from ledger.publisher.store import Store
from ledger.publisher.tiles import check_tiles, outgrown, tile_files
from ledger.records.entry import parse_entry
from ledger.records.envelope import dump_envelope
from ledger.records.roster import Roster
from ledger.sqlite import transaction
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import parse_note, parse_vkey
from ledger.tlog.policy import format_policy, format_policy_ed25519

__all__ = [
    "check_no_rollback", "flush", "lookup_files", "policy_files", "published_checkpoint", "resume", "roster_file", "write_all",
]  # fmt: skip

_MANY = 300


def flush(home: Home, keys: Sequence[LogKeys], now: int) -> int:
    """Bring everything committed out, and return the size of the checkpoint that is out.

    Raises:
        StoreError: the disk, or rows and files that do not agree. End the process; its next start goes on from here.
    """
    with told(home.path):
        return _flush(home, keys, now)


def resume(home: Home, keys: Sequence[LogKeys], now: int) -> int:
    """Finish at a start what an earlier process left, as ``flush`` does.

    What that process had renamed or made and not yet synced looks finished now and would be gone after a power cut. So
    it is made durable first, all of it in one step.

    Raises:
        StoreError: as ``check_no_rollback`` and ``flush``.
    """
    check_no_rollback(home)
    with Store(home, read_only=True) as store:
        head, done = store.head(), store.published_size()
    if head is not None and head.size > done:
        with told(home.public):
            sync_all(home.public)
    return flush(home, keys, now)


def _flush(home: Home, keys: Sequence[LogKeys], now: int) -> int:
    head = sign_head(home, keys, now)
    with Store(home) as store:
        done = store.published_size()
        if done == head.size and _is_out(store, done):
            return done
        _check_public(home, done)
        done = min(done, (published_checkpoint(home) or (0, b""))[0])  # an older public/ is brought forward from where it ends
        write_all(store, done, head.size)
        _write(home, [(home.public / "checkpoint", store.checkpoint_note(head.size))])
        _write(home, lookup_files(store, store.index.buckets(done, head.size)))
        for folder in outgrown(home.public, done, head.size):
            remove(folder)
        if store.published_size() < head.size:
            with transaction(store.connection):
                store.connection.execute("INSERT INTO published VALUES (?, ?)", (head.size, head.time))
    return head.size


def _check_public(home: Home, done: int) -> None:
    """Require the folder in which everything up to ``done`` has been published; an empty one in its place is another."""
    if done and published_checkpoint(home) is None:
        raise StoreError("public/checkpoint is missing", code="public-missing", path=str(home.public))


def _write(home: Home, files: Iterable[tuple[Path | str, bytes]], *, once: bool = False) -> None:
    write_files(files, once=once, within=home.public)


def write_all(store: Store, old_size: int, new_size: int) -> None:
    """Write every file that a checkpoint of ``new_size`` stands for, and read the tiles back."""
    home, roster = store.home, store.roster(new_size)
    _publish_documents(store, roster, old_size, new_size)
    _write(home, tile_files(store, old_size, new_size), once=True)
    _write(home, [(home.public / "roster.jsonl", roster_file(store, new_size)), *policy_files(home, roster, new_size)])
    check_tiles(store, new_size)


def check_no_rollback(home: Home) -> None:
    """Refuse to sign when ``public/`` shows more than the store holds, or after a restore that nobody has checked.

    Raises:
        StoreError: ``restored`` or ``rolled-back``: the backup was old; ``recover`` brings the tail back. ``public-missing``:
            nothing shows whether this database is the newest.
    """
    if home.restore_mark.exists():
        raise StoreError("restored, and not yet recovered", code="restored", path=str(home.path))
    found = published_checkpoint(home)
    with Store(home, read_only=True) as store:
        signed = store.signed_head()
        known = store.head_at(found[0]) if found else None
    if found is None:
        if signed is not None:
            raise StoreError("public/checkpoint is missing", code="public-missing", path=str(home.public))
        return
    size, root = found
    if signed is None or size > signed.size or known is None or known.root != root:
        raise StoreError(
            f"public/checkpoint has size {size}, the store {signed.size if signed else 0}",
            code="rolled-back", size=size, known=signed.size if signed else 0,
        )  # fmt: skip


def published_checkpoint(home: Home) -> tuple[int, bytes] | None:
    """Return size and root of ``public/checkpoint``, or None where there is none yet.

    Raises:
        StoreError: it is not a checkpoint of this ledger.
    """
    try:
        data = (home.public / "checkpoint").read_bytes()
    except FileNotFoundError:
        return None
    try:
        checkpoint = parse_checkpoint(parse_note(data).text)
    except LedgerError as error:
        raise StoreError(f"public/checkpoint: {error}", code="public-damaged", problem=str(error)) from None
    if checkpoint.origin != home.origin:
        raise StoreError(f"public/checkpoint is of {checkpoint.origin}", code="not-our-home", path=str(home.public))
    return checkpoint.size, checkpoint.root


def policy_files(home: Home, roster: Roster, size: int) -> Iterator[tuple[Path, bytes]]:
    """Yield ``policy`` and ``policy-ed25519`` for the newest keys that sign a checkpoint of ``size``."""
    ed25519, mldsa44 = (parse_vkey(one) for one in roster.log_keys_at(size)[-1].vkeys)
    yield home.public / "policy", format_policy(ed25519, mldsa44, roster.founding)
    yield home.public / "policy-ed25519", format_policy_ed25519(ed25519, roster.founding)


def roster_file(store: Store, size: int) -> bytes:
    """Return ``roster.jsonl``: the envelope of every roster payload, a line each."""
    return b"".join(dump_envelope(parse_entry(data).envelope) + b"\n" for _, data in store.roster_entries(size))


def lookup_files(store: Store, buckets: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Yield the look-up buckets, whole: (path, bytes) of each; many are read together, by the first symbol of their names."""
    together = len(buckets) >= _MANY
    wanted: dict[tuple[str, str], list[str]] = {}
    for kind, prefix in buckets:
        wanted.setdefault((prefix[:1] if together else prefix, kind), []).append(prefix)
    for (beginning, kind), prefixes in sorted(wanted.items()):  # all kinds in turn: threads wait for a folder
        length = len(prefixes[0])
        lines: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
        for value, index in store.index.bucket(kind, beginning):
            if (prefix := value[:length]) in lines:
                lines[prefix].append(f"{value} {index}\n")
        for prefix, some in lines.items():
            yield f"{store.home.public}/lookup/{kind}/{prefix}", "".join(some).encode("ascii")


def _is_out(store: Store, size: int) -> bool:
    path = store.home.public / "checkpoint"
    return path.is_file() and path.read_bytes() == store.checkpoint_note(size)


def _publish_documents(store: Store, roster: Roster, old_size: int, new_size: int) -> None:
    rows = store.connection.execute(
        "SELECT DISTINCT sha256 FROM documents WHERE idx >= ? AND idx < ?", (old_size, new_size)
    ).fetchall()
    move_documents(store.home, [row[0] for row in rows if row[0] not in roster.withdrawn])
    _take_away(store.home, roster.withdrawn)


def _take_away(home: Home, withdrawn: Iterable[str]) -> None:
    """Remove withdrawn documents, durably: what only seems gone would be back after a power cut, and nobody would look."""
    places = [place for sha256 in withdrawn for place in (home.document(sha256), home.staged(sha256)) if place.exists()]
    for place in places:
        remove(place)
    sync_folders(place.parent for place in places)
