"""An act on its way between signers: one file, ACT.json, the DSSE envelope in canonical JSON with the signatures so far.

The same file carries roster events (EVENT.json) and a founding (FOUNDING.json). Whoever signs is shown what it says.
Who may sign an act stands in the act; who may sign a roster event only the roster before it tells, and a signature of
anybody else would spoil the event: admission refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledger.desk.preview import describe_record
from ledger.errors import AdmissionError, FormatError, LedgerError, NewerFormatError, UsageError
from ledger.keyfile import PrivateKey
from ledger.records import canonical
from ledger.records.envelope import MAX_ENVELOPE, Envelope, add_signature, load_envelope
from ledger.records.events import ROSTER_TYPE, check_payload, key_of, new_keys
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.records.roster import Roster

__all__ = [
    "Progress", "describe", "founding_of", "is_asked", "join_signatures", "missing_signers", "progress_lines", "progress_of",
    "read_act", "sign_act",
]  # fmt: skip

Say = Callable[..., str]
_SHOWN = 16  # hex digits of a key's id that people compare


@dataclass(frozen=True, slots=True)
class Progress:
    """Who has signed an envelope: named keys that have and that still must, and the authority's count.

    ``count`` and ``threshold`` are None where no authority signs, or where the roster that knows it is not at hand.
    """

    signed: tuple[str, ...]
    waiting: tuple[str, ...]
    by_authority: bool = False
    count: int | None = None
    threshold: int | None = None


def read_act(path: Path) -> Envelope:
    """Return the envelope in a file, signed or not.

    Raises:
        UsageError: it cannot be read.
        FormatError, NewerFormatError, AdmissionError: it is no act or roster event of this version.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_ENVELOPE + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
    envelope = load_envelope(data, drafts=True)
    if envelope.payload_type == RECORD_TYPE:
        parse_record(envelope.payload)
    elif envelope.payload_type == ROSTER_TYPE:
        _events_of(envelope)
    else:
        raise NewerFormatError(f"payload type {envelope.payload_type[:80]}")
    return envelope


def sign_act(envelope: Envelope, key: PrivateKey, authority: Collection[str] | None = None) -> Envelope:
    """Return ``envelope`` with the signature of ``key``; ``authority`` are the keyids that may sign roster events, if known.

    Raises:
        UsageError: ``not-a-signer``: this key has no place in it.
    """
    if is_asked(envelope, key.public.keyid, authority) is False:
        raise UsageError(f"{key.public.keyid} may not sign this", code="not-a-signer", keyid=key.public.keyid[:16])
    return add_signature(envelope, key.public.keyid, key.sign)


def is_asked(envelope: Envelope, keyid: str, authority: Collection[str] | None = None) -> bool | None:
    """Tell whether a key has a place in ``envelope``; None where only a roster that is not at hand could tell."""
    allowed = _allowed(envelope, authority)
    if allowed is None:
        return True if keyid in _new_keyids(envelope) else None
    return keyid in allowed


def join_signatures(envelope: Envelope, others: Sequence[Envelope], authority: Collection[str] | None = None) -> Envelope:
    """Return ``envelope`` with the signatures of copies that were signed apart.

    Raises:
        UsageError: ``join-other-payload``: not the same payload; ``join-conflict``: one key's signature in two versions;
            ``not-a-signer``.
    """
    found = {one.keyid: one for one in envelope.signatures}
    for other in others:
        if (other.payload_type, other.payload) != (envelope.payload_type, envelope.payload):
            raise UsageError(f"{other.id} is not {envelope.id}", code="join-other-payload", id=other.id, expected=envelope.id)
        for one in other.signatures:
            if is_asked(envelope, one.keyid, authority) is False:
                raise UsageError(f"{one.keyid} may not sign this", code="not-a-signer", keyid=one.keyid[:_SHOWN])
            if found.setdefault(one.keyid, one) != one:
                raise UsageError(f"two signatures of {one.keyid}", code="join-conflict", keyid=one.keyid[:_SHOWN])
    return replace(envelope, signatures=tuple(found[keyid] for keyid in sorted(found)))


def progress_of(envelope: Envelope, roster: Roster | None = None) -> Progress:
    """Return who has signed and who still must; ``roster`` tells what the authority's threshold is."""
    have, waiting = {one.keyid for one in envelope.signatures}, tuple(missing_signers(envelope))
    if envelope.payload_type == RECORD_TYPE:
        return Progress(tuple(sorted(have)), waiting)
    named = _new_keyids(envelope)
    signed = tuple(keyid for keyid in named if keyid in have)
    if founding_of(envelope) is None:  # a founding: every authority key is new, and every one signs
        return Progress(signed, waiting)
    if roster is None:
        return Progress(signed, waiting, by_authority=True)
    return Progress(signed, waiting, True, len(have & roster.authority.keys()), roster.threshold)


def progress_lines(progress: Progress, say: Say) -> list[str]:
    """Return a progress as sentences: what is there, what is still missing."""
    lines = []
    if progress.by_authority and progress.threshold is None:
        lines.append(say("desk.authority-unknown"))
    elif progress.by_authority:
        lines.append(say("desk.authority-count", count=progress.count, threshold=progress.threshold))
    if progress.by_authority:
        lines += [say("desk.new-key-signed", keyid=keyid[:_SHOWN]) for keyid in progress.signed]
        return lines + [say("desk.new-key-waits", keyid=keyid[:_SHOWN]) for keyid in progress.waiting]
    if progress.waiting:
        lines.append(say("desk.waiting-for", keyids=", ".join(keyid[:_SHOWN] for keyid in progress.waiting)))
    return lines


def founding_of(envelope: Envelope) -> str | None:
    """Return the founding that an envelope is bound to; None for a founding itself."""
    found = canonical.parse(envelope.payload, limit=MAX_ENVELOPE).get("founding")
    return found if isinstance(found, str) else None


def missing_signers(envelope: Envelope) -> list[str]:
    """Return the keyids that a record still waits for; for roster events, the new keys that have not signed."""
    have = {one.keyid for one in envelope.signatures}
    if envelope.payload_type == RECORD_TYPE:
        return [keyid for keyid in parse_record(envelope.payload).data["signers"] if keyid not in have]
    return [keyid for keyid in _new_keyids(envelope) if keyid not in have]


def describe(envelope: Envelope, say: Say, roster: Roster | None = None) -> list[str]:
    """Return what signing ``envelope`` agrees to."""
    if envelope.payload_type == RECORD_TYPE:
        return [say("desk.signing-act"), *describe_record(parse_record(envelope.payload).data, say, roster)]
    lines = [say("desk.signing-event")]
    for event in _events_of(envelope):
        said = "; ".join(f"{key} = {_shown(value, key)}" for key, value in event.items() if key != "event")
        lines.append(say("desk.event", event=event["event"], said=said))
    return lines


def _events_of(envelope: Envelope) -> list[dict[str, Any]]:
    data = canonical.parse(envelope.payload, limit=MAX_ENVELOPE)
    reasons = list(check_payload(data))
    if any(one.unknown for one in reasons):
        raise NewerFormatError("; ".join(map(str, reasons)))
    if reasons:
        raise AdmissionError(reasons)
    events: list[dict[str, Any]] = data["events"]
    return events


def _new_keyids(envelope: Envelope) -> list[str]:
    try:
        return [key_of(key).keyid for event in _events_of(envelope) for key in new_keys(event)]
    except FormatError:
        return []


def _allowed(envelope: Envelope, authority: Collection[str] | None) -> set[str] | None:
    """Return who may sign; None where that depends on a roster that is not at hand."""
    if envelope.payload_type == RECORD_TYPE:
        return set(parse_record(envelope.payload).data["signers"])
    if any(event["event"] == "founding" for event in _events_of(envelope)):
        return set(_new_keyids(envelope))
    return None if authority is None else {*authority, *_new_keyids(envelope)}


def _shown(value: Any, name: str = "") -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part, key)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(part, name) for part in value)
    if value is None:
        return "—"
    return _short_key(str(value), name) if name in ("key", "keys", "vkeys") else str(value)


def _short_key(text: str, name: str) -> str:
    """A key as people compare keys: by its id. A log's vkey is its name and key id; the rest is the key itself."""
    if name == "vkeys":
        return "+".join(text.split("+")[:2]) + "+…"
    try:
        return (text if len(text) == 64 else key_of(text).keyid)[:_SHOWN]
    except LedgerError:
        return text[:_SHOWN] + "…"
