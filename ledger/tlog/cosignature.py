"""Signatures over checkpoints: the log's own (signed-note type 0x01), and C2SP tlog-cosignature (0x04, 0x06).

0x01 signs the note's text. 0x04 signs ``cosignature/v1``, a time and the text, with Ed25519. 0x06 signs, with ML-DSA-44,
a structure that names the cosigner, a time, the origin, and the subtree from 0 to the size. Times are POSIX seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ledger.errors import FormatError, NewerFormatError, PolicyError, SignatureError
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    check_ed25519,
    key_id,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

__all__ = ["check_signature", "cosign_ed25519", "cosign_mldsa44", "open_checkpoint", "sign_note_ed25519"]

Sign = Callable[[bytes], bytes]
Parse = Callable[[bytes], Checkpoint]
_MAX_TIME = 2**63 - 1


def sign_note_ed25519(sign: Sign, public: bytes, name: str, text: bytes) -> NoteSignature:
    """Return the log's Ed25519 signature over a note's text; ``public`` is the raw public key."""
    return NoteSignature(name, key_id(name, ED25519, public), sign(text))


def cosign_ed25519(
    sign: Sign, public: bytes, name: str, text: bytes, timestamp: int, parse: Parse = parse_checkpoint
) -> NoteSignature:
    """Return a cosignature of type 0x04 over a checkpoint's text, which ``parse`` accepts.

    Raises:
        FormatError: the text is no checkpoint, or the time is not 1 … 2**63-1.
    """
    parse(text)
    signature = _time_bytes(timestamp) + sign(_ed25519_message(text, timestamp))
    return NoteSignature(name, key_id(name, COSIGNATURE_ED25519, public), signature)


def cosign_mldsa44(private: MLDSA44PrivateKey, name: str, checkpoint: Checkpoint, timestamp: int) -> NoteSignature:
    """Return a cosignature of type 0x06 over a checkpoint.

    Raises:
        FormatError: a name of no or more than 255 bytes, or a time that is not 1 … 2**63-1.
    """
    public = private.public_key().public_bytes_raw()
    signature = _time_bytes(timestamp) + private.sign(_mldsa44_message(name, checkpoint, timestamp))
    return NoteSignature(name, key_id(name, COSIGNATURE_MLDSA44, public), signature)


def check_signature(key: VerifierKey, text: bytes, signature: NoteSignature, parse: Parse = parse_checkpoint) -> int | None:
    """Accept a signature by ``key`` over a checkpoint's text; return its time, or None for type 0x01.

    Raises:
        SignatureError: it does not match its key and text, or names another key.
        FormatError: a cosignature over a text that is no checkpoint.
        NewerFormatError: a signature type that is not known here.
    """
    if (signature.name, signature.key_id) != (key.name, key.key_id):
        raise SignatureError(f"a signature by {signature.name}, not by {key.name}")
    if key.algorithm == ED25519:
        check_ed25519(key.key, text, signature.signature)
        return None
    if key.algorithm not in (COSIGNATURE_ED25519, COSIGNATURE_MLDSA44):
        raise NewerFormatError(f"signature type 0x{key.algorithm:02x}", algorithm=f"0x{key.algorithm:02x}")
    checkpoint = parse(text)
    timestamp = int.from_bytes(signature.signature[:8], "big")
    raw = signature.signature[8:]
    if not 0 < timestamp <= _MAX_TIME:
        raise SignatureError("a cosignature over a checkpoint states its time")
    if key.algorithm == COSIGNATURE_ED25519:
        check_ed25519(key.key, _ed25519_message(text, timestamp), raw)
        return timestamp
    _check_mldsa44(key, _mldsa44_message(key.name, checkpoint, timestamp), raw)
    return timestamp


def open_checkpoint(
    note: Note, keys: Iterable[VerifierKey], parse: Parse = parse_checkpoint
) -> dict[VerifierKey, int | None]:
    """Return the keys that signed ``note``, with the times they state. Signatures by unknown keys are ignored.

    Raises:
        SignatureError: a known key's signature does not hold, or stands there twice: the whole note is refused.
        PolicyError: no known key has signed, or two keys cannot be told apart in a note.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise PolicyError(f"two keys share the name {key.name} and an id", code="same-key-id", name=key.name)
    found: dict[VerifierKey, int | None] = {}
    for signature in note.signatures:
        signer = known.get((signature.name, signature.key_id))
        if signer is None:
            continue
        if signer in found:
            raise SignatureError(f"{signer.name} signed twice")
        found[signer] = check_signature(signer, note.text, signature, parse)
    if not found:
        raise PolicyError("no known key has signed this checkpoint", code="wrong-key")
    return found


def _time_bytes(timestamp: int) -> bytes:
    if not 0 < timestamp <= _MAX_TIME:
        raise FormatError(f"{timestamp} is no time of a cosignature", code="bad-time")
    return timestamp.to_bytes(8, "big")


def _ed25519_message(text: bytes, timestamp: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % timestamp + text


def _mldsa44_message(name: str, checkpoint: Checkpoint, timestamp: int) -> bytes:
    """Return the ``cosigned_message`` structure of tlog-cosignature, section "ML-DSA-44 signed message"."""
    cosigner, origin = name.encode("utf-8"), checkpoint.origin.encode("utf-8")
    if not 1 <= len(cosigner) <= 255 or not 1 <= len(origin) <= 255:
        raise FormatError("names of 1 to 255 bytes", code="bad-vkey")
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(cosigner)]),
            cosigner,
            timestamp.to_bytes(8, "big"),
            bytes([len(origin)]),
            origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _check_mldsa44(key: VerifierKey, message: bytes, raw: bytes) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    try:
        MLDSA44PublicKey.from_public_bytes(key.key).verify(raw, message)
    except (InvalidSignature, ValueError):
        raise SignatureError("the ML-DSA-44 signature does not match its key and text") from None
    except UnsupportedAlgorithm:  # an old OpenSSL below: nothing is false, it cannot be judged here
        raise NewerFormatError("ML-DSA-44 cannot be checked on this machine", algorithm="0x06") from None
