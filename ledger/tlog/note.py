"""Signed notes and verifier keys: C2SP signed-note.

    This is an example message.
                                        ← a blank line
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

The text must be ignored until a signature by a trusted key has held. Accepted is only what ``format_note`` would write.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import FormatError, NewerFormatError, SignatureError
from ledger.tlog.encoding import format_base64, parse_base64

if TYPE_CHECKING:
    from nacl.signing import VerifyKey

__all__ = [
    "COSIGNATURE_ED25519",
    "COSIGNATURE_MLDSA44",
    "ED25519",
    "MAX_NOTE",
    "MAX_SIGNATURES",
    "Note",
    "NoteSignature",
    "VerifierKey",
    "check_ed25519",
    "format_note",
    "format_vkey",
    "key_id",
    "make_vkey",
    "parse_note",
    "parse_vkey",
]

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_MLDSA44 = 0x06
KEY_SIZES = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_MLDSA44: 1312}

MAX_SIGNATURES = 16
MAX_NOTE = 128 * 1024
_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name, its 4-byte id, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text ending in a newline, and its signatures in their order."""

    text: bytes
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that may sign notes: ``algorithm`` is the signature type byte, ``key`` the public key's bytes."""

    name: str
    key_id: bytes
    algorithm: int
    key: bytes


def parse_note(data: bytes) -> Note:
    """Return the note in ``data``, its signatures not yet checked.

    Raises:
        FormatError: not exactly a note, larger than ``MAX_NOTE``, or with more than ``MAX_SIGNATURES``.
    """
    if len(data) > MAX_NOTE:
        raise FormatError(f"a note of {len(data)} bytes", code="note-too-long")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("a note is UTF-8", code="bad-note") from None
    if _CONTROL.search(whole):
        raise FormatError("a note holds no control character but newline", code="bad-note")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise FormatError("a note has a text, a blank line, and signature lines", code="bad-note")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise FormatError(f"{len(signatures)} signatures, at most {MAX_SIGNATURES}", code="too-many-signatures")
    return Note((text + "\n").encode("utf-8"), tuple(_parse_line(line) for line in signatures))


def format_note(note: Note) -> bytes:
    """Return the bytes of ``note``.

    Raises:
        FormatError: ``parse_note`` would not read the same note back.
    """
    lines = (f"{_DASH}{one.name} {format_base64(one.key_id + one.signature)}\n" for one in note.signatures)
    data = note.text + b"\n" + "".join(lines).encode("utf-8", "surrogatepass")
    if parse_note(data) != note:
        raise FormatError("another note would be read back", code="bad-note")
    return data


def key_id(name: str, algorithm: int, key: bytes) -> bytes:
    """Return the 4-byte key id: SHA-256(name ‖ newline ‖ type ‖ key)[:4]."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([algorithm]) + key).digest()[:4]


def make_vkey(name: str, algorithm: int, key: bytes) -> VerifierKey:
    """Return the verifier key of a public key.

    Raises:
        FormatError: a name that a note or the signed message cannot carry, or a key of the wrong size.
        NewerFormatError: a signature type that is not known here.
    """
    if not _is_name(name) or (algorithm == COSIGNATURE_MLDSA44 and len(name.encode("utf-8")) > 255):
        raise FormatError(f"{name[:80]!r} is no key name", code="bad-vkey")
    if algorithm not in KEY_SIZES:
        raise NewerFormatError(f"signature type 0x{algorithm:02x}", algorithm=f"0x{algorithm:02x}")
    if len(key) != KEY_SIZES[algorithm]:
        raise FormatError(f"a key of {len(key)} bytes for type 0x{algorithm:02x}", code="bad-vkey")
    return VerifierKey(name, key_id(name, algorithm, key), algorithm, key)


def parse_vkey(text: str) -> VerifierKey:
    """Return the key that a vkey spells: ``<name>+<hex id>+<base64 of type ‖ key>``.

    Raises:
        FormatError: not a vkey, or its id is not that of its key.
        NewerFormatError: a signature type that is not known here.
    """
    parts = text.split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]) or not _ID.fullmatch(parts[1]):
        raise FormatError(f"{text[:80]!r} is not a verifier key", code="bad-vkey")
    material = parse_base64(parts[2])
    if not material:
        raise FormatError(f"{text[:80]!r} holds no key", code="bad-vkey")
    key = make_vkey(parts[0], material[0], material[1:])  # first: a newer type may make its key ids in another way
    if key.key_id.hex() != parts[1]:
        raise FormatError(f"{text[:80]!r}: the key id is not that of the key", code="bad-vkey")
    return key


def format_vkey(key: VerifierKey) -> str:
    """Return the vkey text of ``key``."""
    return f"{key.name}+{key.key_id.hex()}+{format_base64(bytes([key.algorithm]) + key.key)}"


def check_ed25519(key: bytes, message: bytes, signature: bytes) -> None:
    """Accept an Ed25519 signature as PyNaCl does: no small-order points, S below the group order.

    Raises:
        SignatureError: anything else, wrong lengths included.
    """
    try:
        _verify_key(key).verify(message, signature)
    except (_crypto_error(), ValueError, TypeError):
        raise SignatureError("the Ed25519 signature does not match its key and text") from None


@functools.cache
def _crypto_error() -> type[Exception]:
    from nacl.exceptions import CryptoError

    return CryptoError


@functools.lru_cache(maxsize=1024)
def _verify_key(key: bytes) -> VerifyKey:
    from nacl.signing import VerifyKey

    return VerifyKey(key)


def _parse_line(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise FormatError("a signature line begins with an em dash and a space", code="bad-note")
    name, space, encoded = line[len(_DASH) :].partition(" ")
    if not space or not _is_name(name):
        raise FormatError("a signature line is: em dash, name, base64", code="bad-note")
    raw = parse_base64(encoded)
    if len(raw) < 5:
        raise FormatError("a signature line holds a key id and a signature", code="bad-note")
    return NoteSignature(name, raw[:4], raw[4:])


def _is_name(name: str) -> bool:
    """A key name is not empty and has neither Unicode spaces, control characters, surrogates nor a plus sign."""
    return bool(name) and not any(one in "+" or one < " " or one.isspace() or "\ud800" <= one <= "\udfff" for one in name)
