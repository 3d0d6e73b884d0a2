"""Handing acts over to a site: ``publisher.handover`` over HTTP, with the same outcomes, each held against what was sent.

    POST /api/v1/acts      up to 100 envelopes and what fits into 32 MiB of documents, in order, one request after the other
    201, 422               each act's fate: published with its proof, or refused with every reason
    202                    asked for by the act's id until it is settled, then sent once more, which answers with the proof
    no answer              sent again, the envelopes alone first: what was taken is answered with its place, never doubled

The act's id decides what is the same act, so nothing that happens on the way can publish one twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledger.errors import AdmissionError, FetchError, LedgerError, Reason, StoreError
from ledger.records.envelope import Envelope, dump_envelope
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.remote.answers import Told, acts_told, fate_told, nonsense
from ledger.remote.client import Client, Reply
from ledger.remote.form import Form
from ledger.remote.promise import check_promise
from ledger.remote.state import RemoteState, Trust

__all__ = ["PATIENCE", "Outcome", "Submission", "hand_over"]

PATIENCE = 60.0
MOST_ACTS = 100
MOST_BYTES = 32 * 1024 * 1024
_AGAIN = (0.5, 1.0, 2.0, 4.0)
_POLLS = (0.2, 0.5, 1.0, 2.0)


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


def hand_over(client: Client, trust: Trust, acts: Sequence[Submission], *, patience: float = PATIENCE) -> list[Outcome]:
    """Publish ``acts`` in their order and return one outcome each; every place has been proven under ``trust``.

    Raises:
        AdmissionError: a document's bytes are not those of its hash, or a request was refused as a whole.
        StoreError: the site takes nothing just now, or (``sequencer-silent``) what it took is not published yet.
        FetchError: no answer, or none that means anything; sending the same acts again is safe.
        ProofError: ``site-unproven``: the site tells a place that it does not prove.
    """
    outcomes: list[Outcome] = []
    for batch in _batches(acts):
        outcomes += _deliver(client, trust, batch, patience)
    seen, found = set[str](), list[Outcome]()
    for one in outcomes:  # the same payload twice: the first is answered as new
        found.append(replace(one, already=True) if one.id in seen and one.index is not None else one)
        seen |= {one.id} if one.index is not None else set()
    return found


class _TooLargeError(LedgerError):
    """A site takes smaller requests than this one."""


def _deliver(client: Client, trust: Trust, acts: Sequence[Submission], patience: float) -> list[Outcome]:
    """Hand over one request's acts, or half of them at a time where the site finds that too large."""
    try:
        return _Delivery(client, trust, acts, patience).run()
    except _TooLargeError:
        middle = len(acts) // 2
        return _deliver(client, trust, acts[:middle], patience) + _deliver(client, trust, acts[middle:], patience)


class _Delivery:
    """Some acts on their way, until each has its outcome; ``sent_again``: what became of an earlier request is not known."""

    def __init__(self, client: Client, trust: Trust, acts: Sequence[Submission], patience: float) -> None:
        self.client, self.trust, self.acts = client, trust, acts
        self.until = time.monotonic() + patience
        self.patience, self.sent_again = patience, False
        self.done: dict[int, Outcome] = {}

    def run(self) -> list[Outcome]:
        """Return the outcomes, in order."""
        while still := [n for n in range(len(self.acts)) if n not in self.done]:
            waiting = self._take(still, self._post(still))
            if waiting:
                self._wait(waiting)
                self.sent_again = True  # the next answer says "already" of what this run has published
            elif not self.done.keys() & set(still):
                raise nonsense(self.client, "nothing was taken, and nothing refused")
        return [self.done[n] for n in range(len(self.acts))]

    # -- sending

    def _post(self, numbers: Sequence[int]) -> list[Told]:
        """Send acts with their documents; where no answer comes, again, the envelopes alone first."""
        documents = {sha256: path for n in numbers for sha256, path in self.acts[n].documents.items()}
        try:
            return self._send(numbers, documents)
        except FetchError as error:
            if error.code != "site-cut":
                raise
            problem = error
        self.sent_again = True
        for pause in _AGAIN:
            self.client.sleep(pause)
            try:
                told = self._send(numbers, {})
                return self._send(numbers, documents) if documents and _lacks_documents(told) else told
            except FetchError as error:
                if error.code not in ("site-cut", "site-unreachable"):
                    raise
                problem = error
        raise FetchError(problem.detail, code="site-unanswered", **problem.values)

    def _send(self, numbers: Sequence[int], documents: Mapping[str, Path]) -> list[Told]:
        envelopes = [self.acts[n].envelope for n in numbers]
        form = Form([dump_envelope(one) for one in envelopes], documents)
        reply = self.client.post("api/v1/acts", form, form.headers)
        self._check_reply(reply, len(numbers), form.size)
        self.sent_again |= reply.again
        return acts_told(self.client, reply, [one.id for one in envelopes])

    def _check_reply(self, reply: Reply, count: int, size: int) -> None:
        """Treat a gateway's answer as none, and a request that is too large as one to be divided."""
        if reply.status >= 500 and reply.status != 503:
            values = {"where": self.client.url, "problem": f"HTTP {reply.status}"}
            raise FetchError(f"HTTP {reply.status}", code="site-cut", **values)
        if reply.status == 413 and count > 1:
            raise _TooLargeError(f"{size} bytes")
        if reply.status == 413:
            raise AdmissionError([Reason("site-too-large", "", {"where": self.client.url, "size": size})])

    # -- taking answers

    def _take(self, numbers: Sequence[int], told: Sequence[Told]) -> list[int]:
        """Keep what is settled; return which acts wait."""
        state, waiting = RemoteState(self.client, self.trust), list[int]()
        for n, one in zip(numbers, told, strict=True):
            sent = self.acts[n].envelope
            if one.state == "published":
                check_promise(sent, one, self.trust, state, self.client.lang)
                known = one.already and not self.sent_again
                self.done[n] = Outcome(one.id, _ref_of(sent), one.index, known, (), one.proof)
            elif one.state == "refused":
                self.done[n] = Outcome(one.id, _ref_of(sent), reasons=one.reasons)
            elif one.state in ("waiting", "integrated"):
                waiting.append(n)
        return waiting

    def _wait(self, numbers: Sequence[int]) -> None:
        """Ask for each act's fate until it is settled.

        Raises:
            StoreError: ``sequencer-silent``.
        """
        polls = iter(_POLLS)
        for n in numbers:
            while self._still_waits(n):
                if time.monotonic() > self.until:
                    waiting = ", ".join(self.acts[one].envelope.id[:16] for one in numbers[:3])
                    values: dict[str, object] = {"seconds": round(self.patience), "waiting": waiting}
                    raise StoreError("the site has not published it yet", code="sequencer-silent", **values)
                self.client.sleep(next(polls, _POLLS[-1]))

    def _still_waits(self, n: int) -> bool:
        envelope = self.acts[n].envelope
        told = fate_told(self.client, envelope.id)
        if told.state == "refused":
            self.done[n] = Outcome(told.id, _ref_of(envelope), reasons=told.reasons)
        return told.state in ("waiting", "integrated") or (told.state != "refused" and time.monotonic() > self.until)


def _lacks_documents(told: Sequence[Told]) -> bool:
    """Tell whether only documents keep acts from being taken: they were not sent the first time, or not to the end."""
    reasons = [reason for one in told for reason in one.reasons]
    return bool(reasons) and all(one.code == "document-missing" for one in reasons)


def _batches(acts: Sequence[Submission]) -> Iterator[list[Submission]]:
    """Yield ``acts`` in requests of moderate size; a single act may be larger than that."""
    batch, size = list[Submission](), 0
    for act in acts:
        length = sum(_length(path) for path in act.documents.values())
        if batch and (len(batch) >= MOST_ACTS or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(act)
        size += length
    if batch:
        yield batch


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the form says what is missing


def _ref_of(envelope: Envelope) -> str | None:
    if envelope.payload_type != RECORD_TYPE:
        return None
    try:
        return parse_record(envelope.payload).ref
    except LedgerError:
        return None
