"""Step 4 of the order of writes: sign a committed head, from rows read back on another connection.

The root was computed once before the commit. Here a new connection reads the new leaves' entries, hashes them again,
extends the frontier that was kept with the last signed head, and must reach the same root. A flipped bit on the way to
the disk is found before it is signed for ever (Yeti2022). A head is signed once; the signatures are stored before they
leave the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ledger.errors import StoreError
from ledger.keyfile import LogKeys, load_log_keys
from ledger.publisher.home import Home
from ledger.publisher.store import Head, Store
from ledger.records.roster import Roster
from ledger.sqlite import transaction
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.cosignature import cosign_mldsa44, sign_note_ed25519
from ledger.tlog.encoding import parse_base64
from ledger.tlog.merkle import Frontier, leaf_hash
from ledger.tlog.note import Note, NoteSignature, format_note

__all__ = ["KeyOpener", "last_time", "open_log_keys", "sign_head"]

KeyOpener = Callable[[Path], bytes | None]
_BATCH = 4096
_MLDSA44_LINE = 4 + 8 + 2420  # bytes: key id, time, signature (C2SP tlog-cosignature, FIPS 204)


def open_log_keys(home: Home, opener: KeyOpener) -> list[LogKeys]:
    """Return the log's key pairs of this home; ``opener`` gives the passphrase of a key file.

    Raises:
        KeyFileError: one cannot be opened.
    """
    return [load_log_keys(path, opener(path)) for path in home.log_keys]


def sign_head(home: Home, keys: Sequence[LogKeys], now: int) -> Head:
    """Sign the newest committed head, if it is not yet signed, and return it.

    Raises:
        StoreError: the rows read back do not lead to the committed root, or a key of this size is missing.
    """
    with Store(home) as store:
        head = store.head()
        if head is None:
            raise StoreError("nothing has been committed", code="entries-missing", start=0, end=1)
        signed = store.signed_head()
        if signed is not None and signed.size == head.size:
            return head
        frontier = _recomputed(store, signed, head)
        when = now if signed is None else max(now, last_time(store.signature_lines(signed.size)))
        signatures = _sign(head, store.roster(head.size), keys, when)
        with transaction(store.connection):
            for name, line in signatures:
                store.connection.execute("INSERT INTO signatures VALUES (?, ?, ?)", (head.size, name, line))
            store.connection.execute("INSERT INTO frontiers VALUES (?, ?)", (head.size, frontier.to_bytes()))
        return head


def last_time(lines: Sequence[bytes]) -> int:
    """Return the latest time (POSIX seconds) that ML-DSA-44 signature lines state, 0 where there are none.

    A larger head is never signed at an earlier time: that would look as if the smaller one had been signed after it, which
    convicts a log. A clock that was set back a little repeats the time.
    """
    raw = [parse_base64(line.split(b" ")[2].rstrip(b"\n")) for line in lines]
    return max((int.from_bytes(one[4:12], "big") for one in raw if len(one) == _MLDSA44_LINE), default=0)


def _recomputed(store: Store, signed: Head | None, head: Head) -> Frontier:
    """Return the frontier of ``head``, from its entries' bytes and the last signed head's frontier."""
    frontier = store.frontier(signed.size) if signed else Frontier.empty()
    if signed and frontier.root() != signed.root:
        raise StoreError("the kept frontier does not match the last signed head", code="root-differs", size=signed.size)
    for start in range(frontier.size, head.size, _BATCH):
        entries = store.entries(start, min(start + _BATCH, head.size))
        frontier = frontier.extend([leaf_hash(entry) for entry in entries])
    if frontier.root() != head.root:
        raise StoreError("entries read back do not lead to the committed root", code="root-differs", size=head.size)
    return frontier


def _sign(head: Head, roster: Roster, keys: Sequence[LogKeys], now: int) -> list[tuple[str, bytes]]:
    """Return (key id in hex, signature line) by each of the log's keys that signs this size."""
    checkpoint = Checkpoint(roster.origin, head.size, head.root)
    text = format_checkpoint(checkpoint)
    held = {one.vkeys(roster.origin): one for one in keys}
    lines = []
    for needed in roster.log_keys_at(head.size):
        pair = held.get(needed.vkeys)
        if pair is None:
            raise StoreError(f"no key file for {needed.vkeys[0]}", code="log-key-missing", vkey=needed.vkeys[0])
        first = sign_note_ed25519(pair.ed25519.sign, pair.ed25519.public.raw, roster.origin, text)
        second = cosign_mldsa44(pair.mldsa44, roster.origin, checkpoint, now)
        lines += [(one.key_id.hex(), _line(text, one)) for one in (first, second)]
    return lines


def _line(text: bytes, signature: NoteSignature) -> bytes:
    return format_note(Note(text, (signature,)))[len(text) + 1 :]
