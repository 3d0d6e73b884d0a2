"""Encrypted private keys: PKCS#8 with PBES2, scrypt and AES-256-CBC (RFC 5958, RFC 8018, RFC 7914), as ``openssl`` reads them.

The library that reads these files writes them with PBKDF2 and 2,048 rounds only, which a stolen file would not withstand
for long. scrypt with N = 2^14, r = 8 needs 16 MiB for every guess; 32 MiB is what ``openssl`` allows at most by default.
"""

from __future__ import annotations

import base64
import hashlib
import os
import textwrap

__all__ = ["encrypt_private_key"]

_N, _R, _P = 2**14, 8, 1
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_AES_256_CBC = bytes.fromhex("60864801650304012a")


def encrypt_private_key(der: bytes, passphrase: bytes) -> bytes:
    """Return the PEM of the PKCS#8 private key ``der`` under ``passphrase``."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt, iv = os.urandom(16), os.urandom(16)
    key = hashlib.scrypt(passphrase, salt=salt, n=_N, r=_R, p=_P, maxmem=64 * 2**20, dklen=32)
    padding = 16 - len(der) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(der + bytes([padding]) * padding) + encryptor.finalize()
    return _pem(_sequence(_algorithm(salt, iv), _tagged(0x04, sealed)))


def _algorithm(salt: bytes, iv: bytes) -> bytes:
    """PBES2-params (RFC 8018, appendix A.4) with scrypt-params (RFC 7914, section 7)."""
    derivation = _sequence(_tagged(0x04, salt), _integer(_N), _integer(_R), _integer(_P))
    cipher = _sequence(_tagged(0x06, _AES_256_CBC), _tagged(0x04, iv))
    return _sequence(_tagged(0x06, _PBES2), _sequence(_sequence(_tagged(0x06, _SCRYPT), derivation), cipher))


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _tagged(tag: int, content: bytes) -> bytes:
    """One DER value (X.690, section 8.1): tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _pem(der: bytes) -> bytes:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode("ascii")
