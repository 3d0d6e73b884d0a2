"""What a witness holds against a log, as files that need nobody's word: ``tlog.conviction``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ledger.errors import LedgerError
from ledger.tlog.checkpoint import parse_any_checkpoint
from ledger.tlog.conviction import LOG_TYPES, OTHER_HISTORY, SAME_SIZE, Conviction, check_conviction, format_conviction
from ledger.tlog.note import Note, VerifierKey, format_note, parse_note
from ledger.witness.rules import Seen, other_root_of, parse_request, signatures_by
from ledger.witness.state import Log, WitnessState

__all__ = ["convictions_of"]


def convictions_of(state: WitnessState, log: Log) -> list[tuple[str, bytes]]:
    """Return (file name, bytes) of each conviction of ``log``, by the keys that are trusted for it now.

    What another version kept, or what was signed by keys that are trusted no more, gives none: it stays in the state.
    """
    found = []
    for _, note, body in state.odd_of(log.origin):
        try:
            data = format_conviction(_conviction(note, body, log.keys))
        except LedgerError:
            continue
        found.append((f"{hashlib.sha256(data).hexdigest()[:12]}.conviction", data))
    return found


def _conviction(note: bytes, body: bytes, keys: Sequence[VerifierKey]) -> Conviction:
    """Return the conviction by what was cosigned and what was asked for after it.

    Raises:
        LedgerError: these do not convict.
    """
    request, cosigned = parse_request(body), parse_note(note)
    checkpoint = parse_any_checkpoint(cosigned.text)
    other = other_root_of(request, Seen(checkpoint.size, checkpoint.root))
    is_one_size = checkpoint.size == request.checkpoint.size
    signers = tuple(key for key in keys if key.algorithm in LOG_TYPES)
    conviction = Conviction(
        SAME_SIZE if is_one_size else OTHER_HISTORY,
        signers,
        () if is_one_size or other is None else (other, *request.proof),
        _signed_by(signers, cosigned),
        _signed_by(signers, request.note),
    )
    check_conviction(conviction)
    return conviction


def _signed_by(keys: Sequence[VerifierKey], note: Note) -> bytes:
    """Return a note with the log's own signatures alone."""
    return format_note(Note(note.text, tuple(signatures_by(keys, note))))
