"""Submissions examined: what can be said of an envelope by itself, and of its signatures by keys that are known already.

This is the part of judging that needs neither the acts before nor the place, so it may be done anywhere, and on all cores
at once. What is found here is never more than a short cut: ``replay.judge`` asks for it and decides, for each record or for
the first of many that are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger.errors import AdmissionError, FormatError, NewerFormatError, Reason, SignatureError
from ledger.index.rows import act_row, keys_of
from ledger.keys import PublicKey
from ledger.records.alike import Alike, alike
from ledger.records.envelope import Envelope, Signature, load_envelope, pae
from ledger.records.record import RECORD_TYPE, Record, parse_record

__all__ = [
    "NEEDED", "Clear", "Examined", "examine", "examine_chunk", "examined_of", "holds", "sound", "sound_record", "verified_by",
]  # fmt: skip

NEEDED = frozenset((
    "documents", "fields", "form", "founding", "kind", "number", "office", "ref", "relations", "serial", "series", "signed_on",
    "signers", "title",
))  # fmt: skip

Plain = Any


@dataclass(frozen=True, slots=True)
class Examined:
    """An envelope as it came (``data``); ``None`` and ``reasons`` where it is none.

    ``record`` is a sound record, of whose content ``NEEDED`` is kept: what judging and the index ask for. ``keys`` are those
    under which it is found; ``verified`` names the signatures that hold, by keyid.
    """

    data: bytes
    envelope: Envelope | None
    record: Record | None
    verified: Mapping[str, bool]
    keys: Sequence[int] = ()
    reasons: tuple[Reason, ...] = ()


class Clear(NamedTuple):
    """An envelope as it came, with a sound record whose signatures all hold, and what it becomes if it is the next entry.

    ``alike`` is never None; ``row`` is the act's row without place and time; ``documents`` are (sha256, size) of each.
    """

    data: bytes
    alike: Alike
    keys: list[int]
    row: tuple[Any, ...]
    documents: list[tuple[str, int]]

    @property
    def id(self) -> str:
        """The act's id."""
        return str(self.row[0])

    def opened(self) -> Examined:
        """Return the same with its envelope and record, for whoever has to judge it by itself."""
        envelope = load_envelope(self.data)
        return Examined(
            self.data, envelope, parse_record(envelope.payload), {one.keyid: True for one in envelope.signatures}, self.keys
        )


def examine(data: bytes, keys: Mapping[str, PublicKey]) -> Examined:
    """Examine the canonical JSON of an envelope; ``keys`` by keyid."""
    try:
        envelope = load_envelope(data)
    except FormatError as error:
        return Examined(data, None, None, {}, (), (Reason(error.code, "", error.values),))
    record = sound_record(envelope)
    return Examined(data, envelope, record, verified_by(envelope, keys), () if record is None else keys_of(record))


def sound_record(envelope: Envelope) -> Record | None:
    """Return the record in an envelope, or None where it holds none that this version accepts."""
    return sound(envelope.payload) if envelope.payload_type == RECORD_TYPE else None


def sound(payload: bytes) -> Record | None:
    """Return the record that a payload of its type holds, or None where it is none that this version accepts."""
    try:
        return parse_record(payload)
    except (FormatError, AdmissionError, NewerFormatError):
        return None


def verified_by(envelope: Envelope, keys: Mapping[str, PublicKey]) -> dict[str, bool]:
    """Return, by keyid, that a signature holds; those that do not, or whose key is not among ``keys``, are left out."""
    signed = pae(envelope.payload_type, envelope.payload)
    found: dict[str, bool] = {}
    for one in envelope.signatures:
        key = keys.get(one.keyid)
        if key is not None and holds(key, signed, one.sig):
            found[one.keyid] = True
    return found


def holds(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    """Tell whether a signature holds."""
    try:
        key.check(signed, signature)
    except SignatureError:
        return False
    return True


def examine_chunk(raw_keys: dict[str, bytes], chunk: Sequence[bytes]) -> list[Plain]:
    """Examine many envelopes for another process: plain data, which ``examined_of`` reads there; keys as 32 raw bytes."""
    keys = {keyid: PublicKey.from_raw(raw) for keyid, raw in raw_keys.items()}
    return [_plain(examine(data, keys)) for data in chunk]


def _plain(found: Examined) -> Plain:
    """Return what ``examined_of`` reads: of what is clear, ``Clear`` without its first; else an envelope in parts."""
    envelope, record = found.envelope, found.record
    if envelope is None:
        return None
    if record is not None and len(found.verified) == len(envelope.signatures):
        kind = alike([one.keyid for one in envelope.signatures], record.data)
        if kind is not None:
            documents = [(one["sha256"], one["size"]) for one in record.documents]
            return kind, list(dict.fromkeys(found.keys)), act_row(record), documents
    signatures = [(one.keyid, one.sig) for one in envelope.signatures]
    head = (envelope.payload_type, envelope.payload, signatures, list(found.verified))
    if record is None:
        return (*head, None, None, None)
    return (*head, record.id, {key: value for key, value in record.data.items() if key in NEEDED}, found.keys)


def examined_of(data: bytes, plain: Plain) -> Examined | Clear:
    """Return what ``examine_chunk`` found of ``data``; what it refused is examined again, for its reasons."""
    if plain is None:
        return examine(data, {})
    if len(plain) == len(Clear._fields) - 1:
        return Clear(data, *plain)
    payload_type, payload, signatures, verified, record_id, content, keys = plain
    envelope = Envelope(payload_type, payload, tuple([Signature(*one) for one in signatures]))
    record = None if record_id is None else Record(payload, record_id, content)
    return Examined(data, envelope, record, dict.fromkeys(verified, True), keys or ())
