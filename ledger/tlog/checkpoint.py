"""Checkpoints: C2SP tlog-checkpoint, without extension lines.

ledger.example/city
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.errors import FormatError
from ledger.tlog.encoding import format_base64, parse_base64, parse_decimal
from ledger.tlog.merkle import HASH_SIZE

__all__ = ["Checkpoint", "format_checkpoint", "is_origin", "parse_any_checkpoint", "parse_checkpoint"]

_ORIGIN = re.compile(r"[a-z0-9.-]+(/[a-z0-9._-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head: its ``origin``, the tree ``size`` and the 32-byte ``root``."""

    origin: str
    size: int
    root: bytes


def is_origin(text: str) -> bool:
    """Tell whether ``text`` can be the lasting name of a ledger."""
    return len(text) <= 200 and _ORIGIN.fullmatch(text) is not None


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the note text of ``checkpoint``.

    Raises:
        FormatError: ``parse_checkpoint`` would refuse it.
    """
    if not is_origin(checkpoint.origin) or not 0 <= checkpoint.size < 2**63 or len(checkpoint.root) != HASH_SIZE:
        raise FormatError("a checkpoint has an origin, a size and a root hash", code="bad-checkpoint")
    return f"{checkpoint.origin}\n{checkpoint.size}\n{format_base64(checkpoint.root)}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return the checkpoint that a note's text holds.

    Raises:
        FormatError: not exactly three lines, or one of them has another spelling.
    """
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise FormatError("a checkpoint is UTF-8", code="bad-checkpoint") from None
    if len(lines) < 4 or lines[-1]:
        raise FormatError("a checkpoint has three lines", code="bad-checkpoint")
    if len(lines) > 4:
        raise FormatError("a checkpoint of a ledger has no extension lines", code="checkpoint-extension")
    origin, size, root = lines[0], parse_decimal(lines[1]), parse_base64(lines[2])
    if not is_origin(origin) or len(root) != HASH_SIZE:
        raise FormatError("a checkpoint has an origin, a size and a root hash", code="bad-checkpoint")
    return Checkpoint(origin, size, root)


def parse_any_checkpoint(text: bytes) -> Checkpoint:
    """Return the checkpoint that a note's text holds, of whatever log: any origin, and extension lines (tlog-checkpoint).

    Raises:
        FormatError: fewer than three lines, an empty one, or no size or root hash.
    """
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise FormatError("a checkpoint is UTF-8", code="bad-checkpoint") from None
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise FormatError("a checkpoint has three lines or more, none of them empty", code="bad-checkpoint")
    root = parse_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise FormatError("a checkpoint has an origin, a size and a root hash", code="bad-checkpoint")
    return Checkpoint(lines[0], parse_decimal(lines[1]), root)
