"""Convictions: one file that proves that a log misbehaved, to anybody, by the log's own signatures.

bening/conviction@v1
kind other-history
key ledger.example/city+1f0c…+AQ…      the log's keys that signed the two heads, 1 to 8, Ed25519 (0x01) or ML-DSA-44 (0x06)
root gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
qUHTwV6RZ0fU0J4EdX8DPbjaCurvolnhFg5G2poVDPw=
← a blank line, then the first signed head as it was published, a blank line, and the second

    same-size       the heads have one size and two roots
    other-history   the second head is larger, and at the first one's size its tree has another root, which stands in the
                    ``root`` line; the hashes under it are the consistency proof from there (RFC 6962, section 2.1.2)
    time-order      by the times in its ML-DSA-44 lines, one key signed the second head later, though it is smaller

No honest log can come to any of these, and nobody but the holder of the keys can make them. Whose keys they are is not in
the file: the maker wrote them there, and each reader holds them against those that were pinned. A cosignature of a
witness convicts no log. A smaller head that was signed earlier is a copy of yesterday, and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.errors import FormatError, NewerFormatError, PolicyError, ProofError, SignatureError
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.cosignature import open_checkpoint
from ledger.tlog.encoding import format_base64, parse_base64
from ledger.tlog.merkle import HASH_SIZE, check_consistency
from ledger.tlog.note import COSIGNATURE_MLDSA44, ED25519, MAX_NOTE, VerifierKey, format_vkey, parse_note, parse_vkey

__all__ = [
    "LOG_TYPES",
    "MAGIC",
    "MAX_CONVICTION",
    "OTHER_HISTORY",
    "SAME_SIZE",
    "TIME_ORDER",
    "Conviction",
    "Counts",
    "Head",
    "check_conviction",
    "format_conviction",
    "open_heads",
    "parse_conviction",
]

MAGIC = "bening/conviction@v1"
SAME_SIZE = "same-size"
OTHER_HISTORY = "other-history"
TIME_ORDER = "time-order"
LOG_TYPES = (ED25519, COSIGNATURE_MLDSA44)
MAX_CONVICTION = 2 * MAX_NOTE + 32 * 1024
_MAGICS = re.compile(rb"bening/conviction@v[1-9][0-9]{0,3}(\.[0-9]{1,4}){0,2}")
_MOST_KEYS, _MOST_HASHES = 8, 64

Counts = Callable[[VerifierKey, int], bool]


@dataclass(frozen=True, slots=True)
class Conviction:
    """Two signed heads, ``first`` and ``second``, that no honest log has both signed with ``keys``.

    ``proof`` is the root at the first size and the hashes from there to the second head; empty but for ``other-history``.
    """

    kind: str
    keys: tuple[VerifierKey, ...]
    proof: tuple[bytes, ...]
    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A head, and the keys that signed it with the times they state (POSIX seconds; None for Ed25519)."""

    checkpoint: Checkpoint
    signed: Mapping[VerifierKey, int | None]


def parse_conviction(data: bytes) -> Conviction:
    """Return the conviction in ``data``, nothing of it checked. Accepted is only what ``format_conviction`` would write.

    Raises:
        FormatError: not exactly a conviction, or too large.
        NewerFormatError: a later version of the format, or a key of a type that is not known here.
    """
    if len(data) > MAX_CONVICTION:
        raise FormatError(f"a conviction of {len(data)} bytes", code="too-long", size=len(data), limit=MAX_CONVICTION)
    magic = data.partition(b"\n")[0]
    if _MAGICS.fullmatch(magic) and magic != MAGIC.encode("ascii"):
        raise NewerFormatError(f"a conviction of the format {magic!r}")
    parts = data.split(b"\n\n")
    if magic != MAGIC.encode("ascii") or len(parts) != 5:
        raise FormatError(f"a conviction is {MAGIC} and what follows, and two signed heads", code="bad-conviction")
    kind, keys, proof = _parse_front(parts[0])
    found = Conviction(kind, keys, proof, b"\n\n".join(parts[1:3]) + b"\n", b"\n\n".join(parts[3:]))
    for note in (found.first, found.second):
        parse_checkpoint(parse_note(note).text)
    if _written(found) != data:
        raise FormatError("a conviction has one spelling", code="bad-conviction")
    return found


def format_conviction(conviction: Conviction) -> bytes:
    """Return the bytes of ``conviction``.

    Raises:
        FormatError: ``parse_conviction`` would not read the same conviction back.
    """
    data = _written(conviction)
    if parse_conviction(data) != conviction:
        raise FormatError("another conviction would be read back", code="bad-conviction")
    return data


def check_conviction(conviction: Conviction, counts: Counts | None = None) -> None:
    """Accept that ``conviction`` convicts the holder of its keys; with ``counts``, of those keys that count at a head's size.

    Raises:
        SignatureError: a head that no key that counts has signed, or a signature that does not hold.
        ProofError: an honest log can have signed both heads, or the proof does not lead from the one to the other.
        FormatError: a head is none.
    """
    first, second = open_heads(conviction, counts)
    if conviction.kind == OTHER_HISTORY:
        _check_growth(first.checkpoint, second.checkpoint, conviction.proof)
    elif not _contradict(conviction.kind, first, second):
        raise _agree(first.checkpoint, second.checkpoint)


def open_heads(conviction: Conviction, counts: Counts | None = None) -> tuple[Head, Head]:
    """Return both heads, each signed by one of the keys (that count at its size); of one log.

    Raises:
        SignatureError, ProofError, FormatError: as ``check_conviction``.
    """
    first, second = (_open(note, conviction.keys, counts) for note in (conviction.first, conviction.second))
    names = {first.checkpoint.origin, second.checkpoint.origin, *(key.name for key in conviction.keys)}
    if len(names) != 1 or any(key.algorithm not in LOG_TYPES for key in conviction.keys):
        raise ProofError(f"heads and keys of {', '.join(sorted(names))}", code="conviction-names")
    return first, second


def _open(data: bytes, keys: tuple[VerifierKey, ...], counts: Counts | None) -> Head:
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    counted = [key for key in keys if counts is None or counts(key, checkpoint.size)]
    try:
        return Head(checkpoint, open_checkpoint(note, counted))
    except PolicyError:
        size = checkpoint.size
        raise SignatureError(f"no key has signed the head of {size}", code="conviction-unsigned", size=size) from None


def _contradict(kind: str, first: Head, second: Head) -> bool:
    """Tell whether two heads of one log contradict each other by themselves, in the way that ``kind`` names."""
    one, other = first.checkpoint, second.checkpoint
    if kind == SAME_SIZE:
        return one.size == other.size and one.root != other.root
    return kind == TIME_ORDER and one.size > other.size and _later(first, second)


def _later(first: Head, second: Head) -> bool:
    """Tell whether one ML-DSA-44 key signed ``second`` at a later time than ``first``."""
    for key, time in first.signed.items():
        other = second.signed.get(key)
        if key.algorithm == COSIGNATURE_MLDSA44 and time is not None and other is not None and time < other:
            return True
    return False


def _check_growth(first: Checkpoint, second: Checkpoint, proof: tuple[bytes, ...]) -> None:
    """Accept that the tree of ``second`` begins with another tree of the size of ``first``, which is not empty."""
    if not 1 <= first.size < second.size or not proof or proof[0] == first.root:
        raise _agree(first, second)
    try:
        check_consistency(
            proof[1:], old_size=first.size, new_size=second.size, old_root=proof[0], new_root=second.root
        )
    except ProofError:
        values = {"old": first.size, "new": second.size}
        raise ProofError("the proof leads elsewhere", code="conviction-proof", **values) from None


def _agree(first: Checkpoint, second: Checkpoint) -> ProofError:
    sizes = {"first": first.size, "second": second.size}
    return ProofError(f"heads of {first.size} and {second.size} that agree", code="conviction-agrees", **sizes)


def _parse_front(front: bytes) -> tuple[str, tuple[VerifierKey, ...], tuple[bytes, ...]]:
    """Return kind, keys and proof of the lines above the heads; how they are spelled and ordered is compared afterwards."""
    try:
        lines = [line.rpartition(" ") for line in front.decode("ascii").split("\n")[1:]]
    except UnicodeDecodeError:
        raise FormatError("the front of a conviction is ASCII", code="bad-conviction") from None
    kinds = [value for name, _, value in lines if name == "kind"]
    keys = tuple(parse_vkey(value) for name, _, value in lines if name == "key")
    proof = tuple(parse_base64(value) for name, _, value in lines if name not in ("kind", "key"))
    if len(kinds) != 1 or kinds[0] not in (SAME_SIZE, OTHER_HISTORY, TIME_ORDER):
        raise FormatError("a conviction has a kind", code="bad-conviction")
    if not 1 <= len(keys) <= _MOST_KEYS or len(set(keys)) < len(keys) or any(key.algorithm not in LOG_TYPES for key in keys):
        raise FormatError(f"a conviction has 1 to {_MOST_KEYS} keys of a log", code="bad-conviction")
    if any(len(one) != HASH_SIZE for one in proof) or len(proof) > _MOST_HASHES:
        raise FormatError("hashes have 32 bytes", code="bad-conviction")
    if bool(proof) != (kinds[0] == OTHER_HISTORY):
        raise FormatError(f"{OTHER_HISTORY} has a root and a proof, nothing else has", code="bad-conviction")
    return kinds[0], keys, proof


def _written(conviction: Conviction) -> bytes:
    lines = [MAGIC, f"kind {conviction.kind}", *(f"key {format_vkey(key)}" for key in conviction.keys)]
    lines += [f"root {format_base64(root)}" for root in conviction.proof[:1]] + list(map(format_base64, conviction.proof[1:]))
    return "\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + conviction.first + b"\n" + conviction.second
