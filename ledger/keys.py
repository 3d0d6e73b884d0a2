"""Public keys of people: Ed25519 as DER SubjectPublicKeyInfo (RFC 8410), named by its SHA-256.

Signatures are judged by PyNaCl everywhere: it refuses small-order points and an S that is not below the group order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ledger.errors import FormatError
from ledger.tlog.encoding import format_base64
from ledger.tlog.note import check_ed25519

__all__ = ["PublicKey"]

_PREFIX = bytes.fromhex("302a300506032b6570032100")
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key: ``spki`` (44 bytes DER), ``keyid`` (hex SHA-256 of it), ``raw`` (32 bytes)."""

    spki: bytes
    keyid: str
    raw: bytes

    @classmethod
    def from_spki(cls, der: bytes) -> PublicKey:
        """Return the key in exactly the 44-byte form of RFC 8410.

        Raises:
            FormatError: another form or algorithm, or a point of small order.
        """
        if len(der) != 44 or not der.startswith(_PREFIX):
            raise FormatError("not an Ed25519 SubjectPublicKeyInfo", code="bad-key")
        return cls.from_raw(der[12:])

    @classmethod
    def from_raw(cls, raw: bytes) -> PublicKey:
        """Return the key of 32 raw bytes.

        Raises:
            FormatError: another length, or a point of small order, by which anybody could sign.
        """
        masked = raw[:31] + bytes([raw[31] & 0x7F]) if len(raw) == 32 else b""
        if len(raw) != 32 or masked in _SMALL_ORDER:
            raise FormatError("not an Ed25519 public key", code="bad-key")
        spki = _PREFIX + raw
        return cls(spki, hashlib.sha256(spki).hexdigest(), raw)

    def spki_base64(self) -> str:
        """Return the DER in standard base64, as roster events carry it."""
        return format_base64(self.spki)

    def pem(self) -> str:
        """Return the key as PEM, as ``openssl`` reads it."""
        return f"-----BEGIN PUBLIC KEY-----\n{self.spki_base64()}\n-----END PUBLIC KEY-----\n"

    def check(self, message: bytes, signature: bytes) -> None:
        """Accept a signature over ``message``.

        Raises:
            SignatureError: it does not hold.
        """
        check_ed25519(self.raw, message, signature)
