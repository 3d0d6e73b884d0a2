"""Key files: private keys as encrypted PKCS#8 PEM, public keys as SPKI PEM beside them, readable by ``openssl``.

    head.pem      -----BEGIN ENCRYPTED PRIVATE KEY-----        head.pem.pub   -----BEGIN PUBLIC KEY-----

A log has two keys in two files: ``log.pem`` (Ed25519) and ``log.pem.mldsa44`` (ML-DSA-44, seed form).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.errors import FormatError, KeyFileError
from ledger.keys import PublicKey
from ledger.pkcs8 import encrypt_private_key
from ledger.words import escape

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
    from nacl.signing import SigningKey

__all__ = [
    "LogKeys",
    "PrivateKey",
    "is_encrypted",
    "is_private",
    "load_any",
    "load_log_keys",
    "load_private",
    "load_public",
    "new_key",
    "new_log_keys",
]

_MLDSA = ".mldsa44"
_MOST = 64 * 1024
_PRIVATE = re.compile(rb"^-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", re.MULTILINE)
_ENCRYPTED = re.compile(rb"^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)", re.MULTILINE)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # what file systems of USB sticks say to link(2)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An Ed25519 private key; its secret is never shown."""

    public: PublicKey
    _signing_key: SigningKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""
        return bytes(self._signing_key.sign(message).signature)


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The two keys of a log."""

    ed25519: PrivateKey
    mldsa44: MLDSA44PrivateKey = field(repr=False)

    def vkeys(self, origin: str) -> tuple[str, str]:
        """Return both verifier keys, named as the log's origin."""
        from ledger.tlog.note import COSIGNATURE_MLDSA44, ED25519, format_vkey, make_vkey

        second = self.mldsa44.public_key().public_bytes_raw()
        return (
            format_vkey(make_vkey(origin, ED25519, self.ed25519.public.raw)),
            format_vkey(make_vkey(origin, COSIGNATURE_MLDSA44, second)),
        )


def new_key(path: Path, passphrase: bytes | None, name: str | None = None, *, unencrypted: bool = False) -> PublicKey:
    """Make a key at ``path`` (0600) and its public part at ``path``.pub, never over an existing file.

    Raises:
        KeyFileError: a file is there, no passphrase is given, or the disk refuses.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_path = path.with_name(path.name + ".pub")
    _check_new(path, public_path)
    made = Ed25519PrivateKey.generate()
    secret = _pem(made, passphrase, path, unencrypted=unencrypted)
    public = PublicKey.from_raw(made.public_key().public_bytes_raw())
    comment = "# " + re.sub("-{2,}", "-", escape(name)) + "\n" if name else ""  # readers look for PEM's dashes anywhere
    _write_pair((path, secret, 0o600), (public_path, (comment + public.pem()).encode("utf-8"), 0o644))
    return public


def new_log_keys(path: Path, passphrase: bytes | None, *, unencrypted: bool = False) -> None:
    """Make a log's two key files, never over existing ones.

    Raises:
        KeyFileError: as ``new_key``.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    second = path.with_name(path.name + _MLDSA)
    _check_new(path, second)
    _write_pair(
        (path, _pem(Ed25519PrivateKey.generate(), passphrase, path, unencrypted=unencrypted), 0o600),
        (second, _pem(MLDSA44PrivateKey.generate(), passphrase, second, unencrypted=unencrypted), 0o600),
    )


def load_private(path: Path, passphrase: bytes | None) -> PrivateKey:
    """Return the Ed25519 private key at ``path``.

    Raises:
        KeyFileError: missing, wrong passphrase, or another kind of file.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from nacl.signing import SigningKey

    loaded = load_any(path, passphrase)
    if not isinstance(loaded, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds no Ed25519 key", code="key-not-ed25519", path=str(path))
    signing_key = SigningKey(loaded.private_bytes_raw())
    return PrivateKey(PublicKey.from_raw(bytes(signing_key.verify_key)), signing_key)


def load_log_keys(path: Path, passphrase: bytes | None) -> LogKeys:
    """Return the two keys of a log whose Ed25519 key is at ``path``.

    Raises:
        KeyFileError: as ``load_private``, for either file.
    """
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    second = path.with_name(path.name + _MLDSA)
    loaded = load_any(second, passphrase)
    if not isinstance(loaded, MLDSA44PrivateKey):
        raise KeyFileError(f"{second} holds no ML-DSA-44 key", code="key-not-mldsa44", path=str(second))
    return LogKeys(load_private(path, passphrase), loaded)


def load_public(path: Path) -> PublicKey:
    """Return the public key at ``path`` (SPKI PEM).

    Raises:
        KeyFileError: missing, a private key, or another kind of file.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    data = _read(path)
    if _PRIVATE.search(data):
        raise KeyFileError(f"{path} is a private key", code="key-not-public", path=str(path))
    with _translated(path):
        loaded = load_pem_public_key(data)
        der = loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        return PublicKey.from_spki(der)
    except FormatError:
        raise KeyFileError(f"{path} holds no Ed25519 key", code="key-not-ed25519", path=str(path)) from None


def load_any(path: Path, passphrase: bytes | None) -> Any:
    """Return the private key object at ``path``, of whatever kind.

    Raises:
        KeyFileError: missing, wrong or missing passphrase, or no private key.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    if not _PRIVATE.search(data):
        raise KeyFileError(f"{path} is no private key", code="key-not-private", path=str(path))
    encrypted = _ENCRYPTED.search(data) is not None
    if encrypted and not passphrase:
        raise KeyFileError(f"{path} needs a passphrase", code="key-missing-passphrase", path=str(path))
    with _translated(path, "key-passphrase" if encrypted else "key-unreadable"):
        return load_pem_private_key(data, passphrase if encrypted else None)


def is_encrypted(path: Path) -> bool:
    """Tell whether a private key file needs a passphrase."""
    return _ENCRYPTED.search(_read(path)) is not None


def is_private(path: Path) -> bool:
    """Tell whether a key file holds a private key."""
    return _PRIVATE.search(_read(path)) is not None


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path}: {error}", code="key-not-found", path=str(path)) from None
    if len(data) > _MOST:
        raise KeyFileError(f"{path} is no key file", code="key-unreadable", path=str(path))
    return data


def _pem(key: Any, passphrase: bytes | None, path: Path, *, unencrypted: bool) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if not passphrase and not unencrypted:
        raise KeyFileError(f"{path} needs a passphrase", code="key-missing-passphrase", path=str(path))
    with _translated(path, "key-passphrase"):
        if passphrase:
            return encrypt_private_key(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), passphrase)
        return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _check_new(*paths: Path) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise KeyFileError(f"{path} exists", code="key-exists", path=str(path))


def _write_pair(first: tuple[Path, bytes, int], second: tuple[Path, bytes, int]) -> None:
    """Write two new files or none: half a pair would stand in the way of the next attempt."""
    _write_new(*first)
    try:
        _write_new(*second)
    except KeyFileError:
        with contextlib.suppress(OSError):
            first[0].unlink()
        raise


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a new file durably: it appears whole or not at all, and never in place of another."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_exclusively(beside, data, mode)
        try:
            os.link(beside, path)  # unlike rename(2), link(2) refuses to replace a file that has come meanwhile
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _write_exclusively(path, data, mode)
        _flush_folder(path.parent)
    except FileExistsError:
        raise KeyFileError(f"{path} exists", code="key-exists", path=str(path)) from None
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path}: {error}", code="key-unwritable", path=str(path), problem=str(error)) from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            beside.unlink()


def _write_exclusively(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _translated(path: Path, code: str = "key-unreadable") -> Iterator[None]:
    """No foreign exception leaves: whatever the library raises about a file becomes a KeyFileError."""
    try:
        yield
    except KeyFileError:
        raise
    except Exception as error:  # noqa: BLE001  # OpenSSL's complaints arrive as several types, none of them promised
        raise KeyFileError(f"{path}: {error}", code=code, path=str(path)) from None
