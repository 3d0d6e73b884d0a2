"""Offline proofs: C2SP tlog-proof, files named ``*.tlog-proof``.

c2sp.org/tlog-proof@v1
extra eyJlbnZlbG9wZSI6…      the entry's bytes; nobody's word until the inclusion proof has held
index 41
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
← a blank line, then the signed checkpoint as it was published
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.errors import FormatError, NewerFormatError
from ledger.tlog.encoding import format_base64, parse_base64, parse_decimal
from ledger.tlog.merkle import HASH_SIZE, check_inclusion
from ledger.tlog.policy import Opened, Policy

__all__ = ["MAGIC", "MAX_PROOF", "Proof", "check_proof", "format_proof", "parse_proof"]

MAGIC = "c2sp.org/tlog-proof@v1"
_MAGICS = re.compile(rb"c2sp\.org/tlog-proof@v[1-9][0-9]{0,3}(\.[0-9]{1,4}){0,2}")
MAX_PROOF = 256 * 1024
_MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion proof: the leaf's index, its audit path, the signed checkpoint, and what else was put beside it."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def parse_proof(data: bytes) -> Proof:
    """Return the proof in ``data``, nothing of it checked.

    Raises:
        FormatError: not exactly a proof, or too large.
        NewerFormatError: a later version of the format.
    """
    if len(data) > MAX_PROOF:
        raise FormatError(f"a proof of {len(data)} bytes", code="too-long", size=len(data), limit=MAX_PROOF)
    magic = data.partition(b"\n")[0]
    if _MAGICS.fullmatch(magic) and magic != MAGIC.encode("ascii"):
        raise NewerFormatError(f"a proof of the format {magic!r}")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise FormatError("a proof's head is ASCII", code="bad-proof") from None
    if not blank or lines.pop(0) != MAGIC:
        raise FormatError(f"a proof begins with {MAGIC}", code="bad-proof")
    extra = parse_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise FormatError("a proof has an index line", code="bad-proof")
    index = parse_decimal(lines.pop(0).removeprefix("index "))
    if len(lines) > _MAX_HASHES:
        raise FormatError(f"{len(lines)} hashes", code="bad-proof")
    hashes = tuple(parse_base64(line) for line in lines)
    if any(len(one) != HASH_SIZE for one in hashes):
        raise FormatError("a proof's hashes have 32 bytes", code="bad-proof")
    return Proof(index, hashes, checkpoint, extra)


def format_proof(proof: Proof) -> bytes:
    """Return the bytes of ``proof``.

    Raises:
        FormatError: ``parse_proof`` would not read the same proof back.
    """
    lines = [MAGIC]
    if proof.extra is not None:
        lines.append(f"extra {format_base64(proof.extra)}")
    lines += [f"index {proof.index}", *map(format_base64, proof.hashes), "", ""]
    data = "\n".join(lines).encode("ascii") + proof.checkpoint
    if parse_proof(data) != proof:
        raise FormatError("another proof would be read back", code="bad-proof")
    return data


def check_proof(proof: Proof, policy: Policy, leaf: bytes) -> Opened:
    """Accept that the leaf hash ``leaf`` is in a tree that ``policy`` accepts, at the proof's index.

    Raises:
        FormatError, SignatureError, PolicyError: the checkpoint is not accepted.
        ProofError: the leaf is not there.
    """
    opened = policy.check(proof.checkpoint)
    check_inclusion(proof.hashes, index=proof.index, size=opened.checkpoint.size, leaf=leaf, root=opened.checkpoint.root)
    return opened
