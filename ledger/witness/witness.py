"""The witness: judges, keeps and cosigns. What is answered has been kept before, durably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.clock import Clock, check_clock
from ledger.errors import LedgerError, ProofError, StoreError, UsageError
from ledger.keyfile import LogKeys
from ledger.records.entry import format_time
from ledger.tlog.checkpoint import parse_any_checkpoint
from ledger.tlog.cosignature import cosign_ed25519, cosign_mldsa44
from ledger.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    make_vkey,
    parse_note,
)
from ledger.witness.rules import Request, Seen, judge, other_root_of, parse_request, signatures_by
from ledger.witness.state import Log, WitnessState

__all__ = ["Witness", "is_newest_of", "vkeys_of"]


def vkeys_of(name: str, keys: LogKeys) -> tuple[VerifierKey, VerifierKey]:
    """Return the two verifier keys of a witness: Ed25519 (0x04) and ML-DSA-44 (0x06), of one name."""
    second = keys.mldsa44.public_key().public_bytes_raw()
    return make_vkey(name, COSIGNATURE_ED25519, keys.ed25519.public.raw), make_vkey(name, COSIGNATURE_MLDSA44, second)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request whose log is watched."""

    body: bytes
    request: Request
    log: Log


class Witness:
    """One witness on its state; used by one thread at a time."""

    def __init__(self, state: WitnessState, name: str, keys: LogKeys, clock: Clock | None = None) -> None:
        self.state, self.name, self.keys, self.clock = state, name, keys, clock or Clock()

    def check_clock(self) -> None:
        """Accept the clock for a start.

        Raises:
            StoreError: ``clock-behind`` or ``clock-ahead`` of the newest cosignature.
        """
        last = self.state.last_time()
        if last and not self.clock.accepted:
            check_clock(self.clock.now(), format_time(last))

    def add_checkpoints(self, bodies: Sequence[bytes]) -> list[bytes | LedgerError]:
        """Answer requests that came together, one after another, in one transaction: cosignature lines, or why not.

        Raises:
            StoreError: nothing could be kept, and so nothing was cosigned; or the clock has jumped.
        """
        now = max(self.clock.now(), self.state.last_time())  # never backwards: a later time is a later state
        with self.state.transaction():
            return [self._answer(body, now) for body in bodies]

    def _answer(self, body: bytes, now: int) -> bytes | LedgerError:
        try:
            request = parse_request(body)
            log = self.state.log(request.checkpoint.origin)
            if log is None:
                raise UsageError("an unknown origin", code="unknown-origin", origin=request.checkpoint.origin[:200])
            return self._cosign(_Waiting(body, request, log), now)
        except LedgerError as error:
            return error

    def _cosign(self, asked: _Waiting, now: int) -> bytes:
        log, request = asked.log, asked.request
        try:
            signatures = judge(request, log.keys, log.seen)
        except ProofError as error:  # the log's own signature holds, or this would not have been asked
            if other_root_of(request, log.seen) is not None:
                self.state.keep_odd(log.origin, now, error.code, log.note, asked.body)
            raise
        if log.locked:
            raise StoreError(f"{log.origin} is locked: {log.locked}", code="witness-locked", origin=log.origin)
        mine = self._lines(request.note.text, now)
        note = format_note(Note(request.note.text, (*signatures, *mine)))
        self.state.keep_head(log.origin, Seen(request.checkpoint.size, request.checkpoint.root), now, note)
        return format_note(Note(request.note.text, mine))[len(request.note.text) + 1 :]

    def _lines(self, text: bytes, now: int) -> tuple[NoteSignature, NoteSignature]:
        """Return both cosignatures of a checkpoint."""
        ed25519, checkpoint = self.keys.ed25519, parse_any_checkpoint(text)
        return (
            cosign_ed25519(ed25519.sign, ed25519.public.raw, self.name, text, now, parse_any_checkpoint),
            cosign_mldsa44(self.keys.mldsa44, self.name, checkpoint, now),
        )

    def unlock(self, origin: str, note: bytes | None) -> Seen:
        """Cosign ``origin`` again: by a checkpoint that carries this witness's own cosignature, or on the operator's word (None).

        Raises:
            UsageError: ``unknown-origin``.
            SignatureError, PolicyError, FormatError: the checkpoint is not this log's, or not cosigned by this witness.
            StoreError: ``witness-older``: this witness has cosigned more than that.
        """
        log = self.state.log(origin)
        if log is None:
            raise UsageError(f"{origin} is not watched", code="unknown-origin", origin=origin)
        now = self.clock.now()
        with self.state.transaction():
            if note is None:
                self.state.unlock(origin, now, f"unlocked at size {log.seen.size} on the operator's word: {origin}")
                return log.seen
            seen, time = is_newest_of(log, note, vkeys_of(self.name, self.keys))
            if seen.size > log.seen.size:
                self.state.keep_head(origin, seen, max(time, log.time), note)
            self.state.unlock(origin, now, f"unlocked by a checkpoint of size {seen.size}: {origin}")
            return seen


def is_newest_of(log: Log, note: bytes, own: Sequence[VerifierKey]) -> tuple[Seen, int]:
    """Return what a checkpoint of ``log`` that carries this witness's cosignature says, and when that was made.

    Raises:
        SignatureError, PolicyError, FormatError: it is not this log's, or not cosigned by ``own`` keys.
        StoreError: ``witness-older``: it is smaller than what was cosigned, or another tree of that size.
    """
    parsed = parse_note(note)
    checkpoint = parse_any_checkpoint(parsed.text)
    if checkpoint.origin != log.origin:
        raise UsageError(f"a checkpoint of {checkpoint.origin}", code="unknown-origin", origin=checkpoint.origin[:200])
    signatures_by(log.keys, parsed)
    mine = signatures_by(own, parsed)
    is_older = checkpoint.size < log.seen.size or (checkpoint.size == log.seen.size and checkpoint.root != log.seen.root)
    if is_older and log.time:
        raise StoreError(
            f"size {checkpoint.size}, and {log.seen.size} was cosigned", code="witness-older",
            size=checkpoint.size, known=log.seen.size, origin=log.origin,
        )  # fmt: skip
    return Seen(checkpoint.size, checkpoint.root), max(int.from_bytes(one.signature[:8], "big") for one in mine)
