"""Handing acts over: stage their documents, have them committed or put them into the inbox, and wait for the promise.

Works with or without a running sequencer: whoever finds the lock free is the sequencer for that moment. The promise is
the proof; it is made only when the checkpoint that covers the act is out.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.clock import Clock
from ledger.durable import check_free_space
from ledger.errors import LedgerError, Reason, StoreError
from ledger.index.examined import Clear, Examined
from ledger.publisher.admission import WORTH_WORKERS, examine_all
from ledger.publisher.ahead import Ahead
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.sequencer import BATCH, Sequencer, no_collecting
from ledger.publisher.signing import KeyOpener, open_log_keys
from ledger.publisher.staging import stage
from ledger.publisher.store import Store
from ledger.publisher.tiles import make_proofs
from ledger.records.envelope import Envelope, dump_envelope
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
    bulk: bool = False,
) -> list[Outcome]:
    """Publish ``acts`` in their order and return one outcome each, with its proof.

    ``bulk``: many such calls follow each other; no proofs are made, and the catalogue is fed afterwards (``sequence_once``).
    Where no other process is the sequencer, this one is, and what it brings along is committed at once; else it waits in
    the inbox for the one that runs.

    Raises:
        AdmissionError: a document's bytes are not those of its hash; nothing was submitted.
        StoreError: this machine cannot go on. What is in the inbox stays there and is taken up at the next start.
    """
    check_free_space(home.path)
    envelopes = [act.envelope for act in acts]
    with no_collecting(len(acts)), _examined(home, envelopes) as ahead:
        stage(home, {sha256: path for act in acts for sha256, path in act.documents.items()})
        before = _places(home, envelopes)
        with home.lock() as ours:
            reasons = _take(home, envelopes, ahead, keys, clock, bulk=bulk) if ours else None
    if reasons is None:
        reasons = _wait(home, envelopes, keys, clock, patience)
    return _outcomes(home, acts, reasons, before, proofs=not bulk)


def sequence_once(home: Home, keys: KeyOpener, clock: Clock | None = None) -> bool:
    """Be the sequencer until nothing waits; False where another process is."""
    with home.lock() as ours:
        if ours:
            with _started(home, keys, clock) as sequencer:
                _catch_up(sequencer)
        return ours


@contextlib.contextmanager
def _examined(home: Home, envelopes: Sequence[Envelope]) -> Iterator[Ahead[Examined | Clear] | None]:
    """Have many envelopes examined on other cores while the block begins; None where few are, or another is the sequencer."""
    if len(envelopes) < WORTH_WORKERS or home.is_sequenced():
        yield None
        return
    with Store(home, read_only=True) as store:
        roster = store.roster()
    some = envelopes[:BATCH]
    with contextlib.closing(Ahead(examine_all(map(dump_envelope, some), len(some), roster))) as ahead:
        yield ahead


@contextlib.contextmanager
def _started(home: Home, keys: KeyOpener, clock: Clock | None) -> Iterator[Sequencer]:
    """Be the sequencer, under the lock: what waits first, then the caller's part."""
    with contextlib.closing(Sequencer(home, open_log_keys(home, keys), clock)) as sequencer:
        sequencer.start()
        while sequencer.step(BATCH):
            pass
        yield sequencer


def _catch_up(sequencer: Sequencer) -> None:
    """Feed the catalogue for a moment."""
    deadline = time.monotonic() + CATCH_UP
    while sequencer.behind and time.monotonic() < deadline and sequencer.catch_up():
        pass


def _take(
    home: Home,
    envelopes: Sequence[Envelope],
    ahead: Ahead[Examined | Clear] | None,
    keys: KeyOpener,
    clock: Clock | None,
    *,
    bulk: bool,
) -> list[Sequence[Reason]]:
    """Be the sequencer for ``envelopes``; what cannot be published now waits in the inbox."""
    try:
        with _started(home, keys, clock) as sequencer:
            reasons = sequencer.take(envelopes, ahead)
            if not bulk:
                _catch_up(sequencer)
            return reasons
    except LedgerError as error:
        with contextlib.closing(Inbox(home)) as inbox:
            inbox.submit(envelopes)
        raise _waiting(error, envelopes) from None


def _wait(
    home: Home, envelopes: Sequence[Envelope], keys: KeyOpener, clock: Clock | None, patience: float
) -> list[Sequence[Reason]]:
    """Submit ``envelopes`` to the sequencer that runs, and return the reasons against each when none waits any more."""
    deadline = time.monotonic() + patience
    with contextlib.closing(Inbox(home)) as inbox:
        rows = inbox.submit(envelopes)
        try:
            while len(settled := inbox.settled(rows)) < len(rows):
                if sequence_once(home, keys, clock):
                    continue
                if time.monotonic() > deadline:
                    raise StoreError("the running sequencer does not answer", code="sequencer-silent", seconds=round(patience))
                time.sleep(0.01)
        except LedgerError as error:
            raise _waiting(error, envelopes) from None
        return [settled[n] for n in rows]


def _waiting(error: LedgerError, envelopes: Sequence[Envelope]) -> LedgerError:
    error.values["waiting"] = ", ".join(one.id[:16] for one in envelopes[:3])
    return error


def _places(home: Home, envelopes: Sequence[Envelope]) -> tuple[int, dict[str, int]]:
    """Return the size of the ledger, and where those of ``envelopes`` stand in it that are there already, by id."""
    with Store(home, read_only=True) as store:
        head = store.head()
        return head.size if head else 0, store.places_of([one.id for one in envelopes])


def _outcomes(
    home: Home,
    acts: Sequence[Submission],
    refusals: Sequence[Sequence[Reason]],
    before: tuple[int, Mapping[str, int]],
    *,
    proofs: bool,
) -> list[Outcome]:
    """Return what became of each; ``before`` is as ``_places`` told it when nothing had been submitted."""
    old_size, known = before
    with Store(home, read_only=True) as store:
        new = store.connection.execute(
            "SELECT e.id, e.idx, a.ref FROM entries e LEFT JOIN acts a ON a.idx = e.idx WHERE e.idx >= ?", (old_size,)
        ).fetchall()
        places = {**known, **{entry_id: index for entry_id, index, _ in new}}
        size = store.published_size()
        done = sorted({places[act.envelope.id] for act in acts if act.envelope.id in places}) if proofs else []
        done = [index for index in done if index < size]
        made = dict(zip(done, make_proofs(store, done, size), strict=True)) if done else {}
    found: list[Outcome] = []
    seen, refs = set(known), {entry_id: ref for entry_id, _, ref in new}
    for act, reasons in zip(acts, refusals, strict=True):
        act_id = act.envelope.id
        index = None if reasons else places[act_id]
        proof = None if index is None else made.get(index)
        ref = refs[act_id] if act_id in refs and not reasons else _ref_of(act.envelope, admitted=not reasons)
        found.append(Outcome(act_id, ref, index, act_id in seen, tuple(reasons), proof))
        if index is not None:
            seen.add(act_id)
    return found


def _ref_of(envelope: Envelope, *, admitted: bool) -> str | None:
    if envelope.payload_type != RECORD_TYPE:
        return None
    try:
        return str(json.loads(envelope.payload)["ref"]) if admitted else parse_record(envelope.payload).ref
    except LedgerError:
        return None
