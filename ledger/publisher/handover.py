"""Handing acts over: stage their documents, put them into the inbox, and wait for the promise.

Works with or without a running sequencer: whoever finds the lock free is the sequencer for that moment. The promise is
the proof; it is made only when the checkpoint that covers the act is out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.durable import check_free_space
from ledger.errors import LedgerError, Reason, StoreError
from ledger.publisher.clock import Clock
from ledger.publisher.documents import stage
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.sequencer import BATCH, Sequencer
from ledger.publisher.signing import KeyOpener, open_log_keys
from ledger.publisher.store import Store
from ledger.publisher.tiles import make_proofs
from ledger.records.envelope import Envelope
from ledger.records.record import RECORD_TYPE, parse_record

__all__ = ["Outcome", "Submission", "hand_over", "sequence_once"]

PATIENCE = 60.0
CATCH_UP = 2.0


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed envelope, and where its documents lie, by their SHA-256 in hex."""

    envelope: Envelope
    documents: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one submission: its place and proof, or every reason of the refusal.

    ``already``: the same payload had been published before; this is its place.
    """

    id: str
    ref: str | None
    index: int | None = None
    already: bool = False
    reasons: tuple[Reason, ...] = ()
    proof: bytes | None = None


def hand_over(
    home: Home,
    acts: Sequence[Submission],
    *,
    keys: KeyOpener,
    clock: Clock | None = None,
    patience: float = PATIENCE,
) -> list[Outcome]:
    """Publish ``acts`` in their order and return one outcome each.

    Raises:
        AdmissionError: a document's bytes are not those of its hash; nothing was submitted.
        StoreError: this machine cannot go on. What is in the inbox stays there and is taken up at the next start.
    """
    check_free_space(home.path)
    stage(home, {sha256: path for act in acts for sha256, path in act.documents.items()})
    with Store(home, read_only=True) as store:
        before = {act.envelope.id for act in acts if store.index_of(act.envelope.id) is not None}
    inbox = Inbox(home)
    try:
        rows = inbox.submit([act.envelope for act in acts])
        try:
            _settle(home, inbox, rows, keys, clock, patience)
        except LedgerError as error:
            error.values["waiting"] = ", ".join(act.envelope.id[:16] for act in acts[:3])
            raise
        states = [inbox.state_of(n) for n in rows]
    finally:
        inbox.close()
    return _outcomes(home, acts, states, before)


def sequence_once(home: Home, keys: KeyOpener, clock: Clock | None = None) -> bool:
    """Be the sequencer until nothing waits; False where another process is."""
    with home.lock() as ours:
        if not ours:
            return False
        sequencer = Sequencer(home, open_log_keys(home, keys), clock)
        try:
            sequencer.start()
            while sequencer.step(BATCH):
                pass
            deadline = time.monotonic() + CATCH_UP
            while sequencer.behind and time.monotonic() < deadline and sequencer.catch_up():
                pass
        finally:
            sequencer.close()
        return True


def _settle(
    home: Home, inbox: Inbox, rows: Sequence[int], keys: KeyOpener, clock: Clock | None, patience: float
) -> None:
    """Return when none of ``rows`` waits any more."""
    deadline = time.monotonic() + patience
    while rows and any(inbox.state_of(n)[0] == "pending" for n in rows):
        if sequence_once(home, keys, clock):
            continue
        if time.monotonic() > deadline:
            raise StoreError("the running sequencer does not answer", code="sequencer-silent", seconds=round(patience))
        time.sleep(0.01)


def _outcomes(
    home: Home, acts: Sequence[Submission], states: Sequence[tuple[str, tuple[Reason, ...]]], before: set[str]
) -> list[Outcome]:
    with Store(home, read_only=True) as store:
        places = {act.envelope.id: store.index_of(act.envelope.id) for act in acts}
        size = store.published_size()
        done = sorted({index for index in places.values() if index is not None and index < size})
        proofs = dict(zip(done, make_proofs(store, done, size), strict=True)) if done else {}
    found: list[Outcome] = []
    seen = set(before)
    for act, (_, reasons) in zip(acts, states, strict=True):
        act_id = act.envelope.id
        index = None if reasons else places[act_id]
        proof = None if index is None else proofs.get(index)
        found.append(Outcome(act_id, _ref_of(act.envelope), index, act_id in seen, reasons, proof))
        if index is not None:
            seen.add(act_id)
    return found


def _ref_of(envelope: Envelope) -> str | None:
    if envelope.payload_type != RECORD_TYPE:
        return None
    try:
        return parse_record(envelope.payload).ref
    except LedgerError:
        return None
