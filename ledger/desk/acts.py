"""An act on its way between signers: one file, ACT.json, the DSSE envelope in canonical JSON with the signatures so far.

The same file carries roster events (EVENT.json) and a founding (FOUNDING.json). Whoever signs is shown what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from ledger.desk.preview import describe_record
from ledger.errors import AdmissionError, FormatError, NewerFormatError, UsageError
from ledger.keyfile import PrivateKey
from ledger.records import canonical
from ledger.records.envelope import MAX_ENVELOPE, Envelope, add_signature, load_envelope
from ledger.records.events import ROSTER_TYPE, check_payload, key_of, new_keys
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.records.roster import Roster

__all__ = ["describe", "missing_signers", "read_act", "sign_act"]

Say = Callable[..., str]


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
    allowed = _allowed(envelope, authority)
    if allowed is not None and key.public.keyid not in allowed:
        raise UsageError(f"{key.public.keyid} may not sign this", code="not-a-signer", keyid=key.public.keyid[:16])
    return add_signature(envelope, key.public.keyid, key.sign)


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
        said = "; ".join(f"{key} = {_shown(value)}" for key, value in event.items() if key != "event")
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


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return ", ".join(map(_shown, value)) if isinstance(value, list) else "—" if value is None else str(value)
