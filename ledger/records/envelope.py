"""The envelope: a payload with its signatures, DSSE v1.0.2, in one strict profile.

    {"payload":"eyJkb2N…","payloadType":"application/vnd.bening.record+json",
     "signatures":[{"keyid":"3f0c…","sig":"kQ2x…"}]}

Signed is the pre-authentication encoding ``DSSEv1 <len> <type> <len> <payload>``. ``keyid`` is the hex SHA-256 of the
key's DER SubjectPublicKeyInfo; it is recomputed from the roster's keys and never trusted. Base64 is standard, padded and
without spare bits; signatures stand in strictly ascending ``keyid``; there are 1 … 16 of them (0 while a draft waits).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ledger.errors import FormatError
from ledger.keys import PublicKey
from ledger.records import canonical
from ledger.tlog.encoding import format_base64, parse_base64

__all__ = [
    "MAX_ENVELOPE",
    "MAX_SIGNATURES",
    "Envelope",
    "Signature",
    "add_signature",
    "check_signature",
    "dump_envelope",
    "envelope_of",
    "load_envelope",
    "pae",
    "value_of",
]

MAX_ENVELOPE = 48_600
MAX_SIGNATURES = 16
_KEYID = re.compile("[0-9a-f]{64}")
_ONE_SIGNATURE = re.compile(  # how nearly every envelope is spelled: canonical JSON has no other spelling of these values
    rb'\{"payload":"([A-Za-z0-9+/]*={0,2})","payloadType":"([A-Za-z0-9/.+-]{1,200})",'
    rb'"signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/]{86}==)"\}\]\}'
)
_PLAIN_TYPE = re.compile(r"[A-Za-z0-9/.+-]{1,200}")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: ``keyid`` in hex, ``sig`` the raw 64 bytes of Ed25519."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload of a type, with its signatures in ascending ``keyid``."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def id(self) -> str:
        """Hex SHA-256 of the payload: the act's id, or the roster event's name in the chain."""
        return hashlib.sha256(self.payload).hexdigest()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding (DSSE v1.0.2, protocol.md, "Signature Definition")."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def load_envelope(data: bytes, *, drafts: bool = False) -> Envelope:
    """Return the envelope in canonical JSON ``data``; ``drafts`` accepts one that nobody has signed yet.

    Raises:
        FormatError: not in the strict profile.
    """
    found = _ONE_SIGNATURE.fullmatch(data) if len(data) <= MAX_ENVELOPE else None
    if found is None:
        return envelope_of(canonical.parse(data, limit=MAX_ENVELOPE), drafts=drafts)
    payload, kind, keyid, sig = found.groups()
    signature = Signature(keyid.decode("ascii"), parse_base64(sig))
    return Envelope(kind.decode("ascii"), parse_base64(payload), (signature,))


def dump_envelope(envelope: Envelope) -> bytes:
    """Return the canonical JSON of ``envelope``."""
    if not _PLAIN_TYPE.fullmatch(envelope.payload_type):
        return canonical.dump(value_of(envelope))
    signatures = ",".join([f'{{"keyid":"{one.keyid}","sig":"{format_base64(one.sig)}"}}' for one in envelope.signatures])
    payload, kind = format_base64(envelope.payload), envelope.payload_type  # nothing here needs escaping
    return f'{{"payload":"{payload}","payloadType":"{kind}","signatures":[{signatures}]}}'.encode("ascii")


def envelope_of(value: Any, *, drafts: bool = False) -> Envelope:
    """Return the envelope that a parsed JSON ``value`` holds.

    Raises:
        FormatError: not exactly DSSE's fields in the strict profile.
    """
    if type(value) is not dict or value.keys() != {"payload", "payloadType", "signatures"}:
        raise FormatError("an envelope has payload, payloadType and signatures, nothing else", code="bad-envelope")
    if type(value["payload"]) is not str or type(value["payloadType"]) is not str:
        raise FormatError("payload and payloadType are strings", code="bad-envelope")
    return Envelope(
        value["payloadType"], parse_base64(value["payload"]), _signatures_of(value["signatures"], drafts=drafts)
    )


def value_of(envelope: Envelope) -> dict[str, Any]:
    """Return ``envelope`` as a JSON value."""
    return {
        "payload": format_base64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": one.keyid, "sig": format_base64(one.sig)} for one in envelope.signatures],
    }


def add_signature(envelope: Envelope, keyid: str, sign: Callable[[bytes], bytes]) -> Envelope:
    """Return ``envelope`` with one more signature, in its place; the same key's earlier one is replaced."""
    new = Signature(keyid, sign(pae(envelope.payload_type, envelope.payload)))
    others = [one for one in envelope.signatures if one.keyid != keyid]
    return replace(envelope, signatures=tuple(sorted([*others, new], key=lambda one: one.keyid)))


def check_signature(envelope: Envelope, signature: Signature, key: PublicKey) -> None:
    """Accept a signature that ``key`` made over this envelope.

    Raises:
        SignatureError: it did not.
    """
    key.check(pae(envelope.payload_type, envelope.payload), signature.sig)


def _signatures_of(value: Any, *, drafts: bool) -> tuple[Signature, ...]:
    if type(value) is not list or not (0 if drafts else 1) <= len(value) <= MAX_SIGNATURES:
        raise FormatError(f"an envelope carries 1 to {MAX_SIGNATURES} signatures", code="bad-signature-count")
    signatures = tuple(_signature_of(one) for one in value)
    for before, after in itertools.pairwise(signatures):
        if before.keyid >= after.keyid:
            raise FormatError("signatures do not stand in strictly ascending keyid", code="signature-order")
    return signatures


def _signature_of(value: Any) -> Signature:
    if type(value) is not dict or value.keys() != {"keyid", "sig"}:
        raise FormatError("a signature has keyid and sig, nothing else", code="bad-envelope")
    keyid, sig = value["keyid"], value["sig"]
    if type(keyid) is not str or not _KEYID.fullmatch(keyid):
        raise FormatError("keyid is not 64 hex digits", code="bad-envelope")
    if type(sig) is not str or len(raw := parse_base64(sig)) != 64:
        raise FormatError("sig is not 64 bytes in base64", code="bad-envelope")
    return Signature(keyid, raw)
