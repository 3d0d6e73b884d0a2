"""The rules of ``add-checkpoint`` (C2SP tlog-witness): which error stands for which refusal, without a store or a key.

    old 20852014                                   ← the size that the sender believes this witness has cosigned
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=    ← a consistency proof, at most 63 hashes
                                                   ← a blank line, then the checkpoint
    example.com/behind-the-sofa
    …

The checks come in the order of the specification. In ``web/witness`` each error becomes a status: FormatError 400,
SignatureError and PolicyError 403, an unknown origin 404, ConflictError 409, ProofError 422.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import ConflictError, FormatError, PolicyError
from ledger.tlog.checkpoint import Checkpoint, parse_any_checkpoint
from ledger.tlog.cosignature import check_signature
from ledger.tlog.encoding import parse_base64, parse_decimal
from ledger.tlog.merkle import EMPTY_ROOT, HASH_SIZE, check_consistency, other_beginning
from ledger.tlog.note import Note, NoteSignature, VerifierKey, parse_note

__all__ = ["NOTHING", "Request", "Seen", "judge", "other_root_of", "parse_request", "signatures_by"]

MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class Request:
    """What a log asks for: the old size, a consistency proof, and the checkpoint, whose signatures are not checked yet."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint of a log that this witness has cosigned."""

    size: int
    root: bytes


NOTHING = Seen(0, EMPTY_ROOT)


def parse_request(body: bytes) -> Request:
    """Return what ``body`` asks for.

    Raises:
        FormatError: another shape, more than 63 hashes, or no checkpoint.
    """
    head, blank, note = body.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    if not blank or not first.startswith(b"old "):
        raise FormatError("a request is: old <size>, a proof, a blank line, a checkpoint", code="bad-request")
    if len(lines) > MOST_HASHES:
        raise FormatError(f"a proof of {len(lines)} hashes, at most {MOST_HASHES}", code="bad-request")
    proof = tuple(parse_base64(line) for line in lines)
    if any(len(one) != HASH_SIZE for one in proof):
        raise FormatError("a hash of a proof has 32 bytes", code="bad-request")
    parsed = parse_note(note)
    return Request(parse_decimal(first[4:]), proof, parsed, parse_any_checkpoint(parsed.text))


def signatures_by(keys: Sequence[VerifierKey], note: Note) -> list[NoteSignature]:
    """Return the note's signatures by ``keys``, each key's first; those by unknown keys are ignored.

    Raises:
        SignatureError: one that names a known key does not hold.
        PolicyError: there is none.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[VerifierKey, NoteSignature] = {}
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is not None:
            check_signature(key, note.text, one, parse_any_checkpoint)
            found.setdefault(key, one)
    if not found:
        names = ", ".join(sorted({key.name for key in keys}))
        raise PolicyError("not signed by a key that is trusted for this log", code="wrong-key", origin=names)
    return list(found.values())


def judge(request: Request, keys: Sequence[VerifierKey], seen: Seen) -> list[NoteSignature]:
    """Return the log's own signatures on a checkpoint that may be cosigned; ``keys`` are trusted for its origin.

    Raises:
        SignatureError, PolicyError: it is not signed by the log.
        FormatError: it is smaller than the old size that the request states.
        ConflictError: that is not the size that this witness has cosigned, which ``known_size`` tells.
        ProofError: it does not continue what this witness has cosigned.
    """
    signatures = signatures_by(keys, request.note)
    new = request.checkpoint
    if request.old_size > new.size:
        raise FormatError(f"old size {request.old_size} of a tree of {new.size}", code="bad-request")
    if request.old_size != seen.size:
        raise ConflictError(f"size {seen.size} was cosigned, not {request.old_size}", known_size=seen.size)
    check_consistency(
        request.proof, old_size=seen.size, new_size=new.size, old_root=seen.root, new_root=new.root
    )
    return signatures


def other_root_of(request: Request, seen: Seen) -> bytes | None:
    """Return the other root at the size that was cosigned, where a signed checkpoint convicts its log of having two.

    Not every false proof does: anybody can send one with an honest checkpoint.
    """
    new = request.checkpoint
    return other_beginning(request.proof, old_size=seen.size, new_size=new.size, old_root=seen.root, new_root=new.root)
