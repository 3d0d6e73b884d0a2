"""Documents on the clerk's table: hashed while they are read, named, and otherwise left alone.

Nothing is parsed. The media type comes from the first bytes and the suffix; ``/ByteRange`` in a PDF says that it carries
a signature of its own, which any change would break. A withheld document is committed to, not shown:

    commitment = SHA-256(salt ‖ SHA-256 of the file)        salt: 16 random bytes, kept in FILE.salt (0600)
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ledger.desk.fields import take_parts
from ledger.errors import FormatError, UsageError
from ledger.records.record import ROLES

__all__ = ["Document", "read_document", "split_role", "withhold"]

_CHUNK = 1 << 20
_MARK = b"/ByteRange"
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ZIPPED = {
    ".docx": _OFFICE + "wordprocessingml.document",
    ".xlsx": _OFFICE + "spreadsheetml.sheet",
    ".pptx": _OFFICE + "presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".zip": "application/zip",
}
_PLAIN = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".xml": "application/xml",
    ".html": "text/html",
}
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was while it was hashed; ``certified``: a PDF that carries a signature of its own."""

    path: Path
    role: str
    sha256: str
    size: int
    media_type: str
    certified: bool

    def value(self) -> dict[str, Any]:
        """Return the document as a record names it."""
        return {
            "sha256": self.sha256,
            "size": self.size,
            "media_type": self.media_type,
            "name": unicodedata.normalize("NFC", self.path.name),  # some systems keep file names decomposed
            "role": self.role,
        }

    @property
    def mistyped(self) -> bool:
        """The suffix promises a kind of file that the bytes are not."""
        suffix = self.path.suffix.lower()
        return self.media_type == _UNKNOWN and (suffix in _ZIPPED or suffix in (".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff"))


def split_role(text: str, default: str) -> tuple[str, Path]:
    """Return the role and path of ``role:path`` or ``path``; a path wins where it exists as it is."""
    role, sign, rest = text.partition(":")
    if sign and role in ROLES and rest:
        return role, Path(rest)
    return default, Path(text)


def read_document(path: Path, role: str) -> Document:
    """Return the document at ``path``, hashed while it is read.

    Raises:
        UsageError: it cannot be read, or is no ordinary file.
        FormatError: ``document-changed``: it changed meanwhile.
    """
    try:
        if not path.is_file():  # a folder, device or pipe has no bytes that stay
            raise OSError(errno.EINVAL, "not an ordinary file" if path.exists() else "not found")
        with open(path, "rb") as file:
            return _read(path, role, file)
    except OSError as error:
        raise UsageError(
            f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror or error)
        ) from None


def withhold(text: str) -> dict[str, Any]:
    """Return the withheld document of ``FILE;reason=…;law=…[;role=…]``, and keep its salt beside it.

    Raises:
        UsageError: a part is missing, or the file or its salt cannot be read or written.
    """
    name, parts = take_parts(text, ("reason", "law", "role"))
    missing = [key for key in ("reason", "law") if not parts.get(key)]
    if missing:
        raise UsageError(f"{text!r}: {missing}", code="withhold-incomplete", value=name, missing=", ".join(missing))
    document = read_document(Path(name), parts.get("role", "other"))
    salt = _salt(document.path)
    return {
        "withheld": hashlib.sha256(salt + bytes.fromhex(document.sha256)).hexdigest(),
        "media_type": document.media_type,
        "role": document.role,
        "reason": parts["reason"],
        "law": parts["law"],
    }


def _read(path: Path, role: str, file: BinaryIO) -> Document:
    before = os.fstat(file.fileno())
    digest, size, head, tail, certified = hashlib.sha256(), 0, b"", b"", False
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        head = head or chunk[:16]
        certified = certified or _MARK in tail + chunk
        tail = chunk[-len(_MARK) :]
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != after.st_size:
        raise FormatError(f"{path} changed while it was read", code="document-changed", name=path.name, path=str(path))
    media_type = _media_type(head, path.suffix.lower())
    return Document(path, role, digest.hexdigest(), size, media_type, certified and media_type == "application/pdf")


def _media_type(head: bytes, suffix: str) -> str:
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head.startswith(b"PK\x03\x04"):
        return _ZIPPED.get(suffix, "application/zip")
    return _PLAIN.get(suffix, _UNKNOWN)


def _salt(path: Path) -> bytes:
    """Return the salt kept beside a withheld file; made once, so that every commitment to the file can be opened."""
    beside = path.with_name(path.name + ".salt")
    try:
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _known_salt(beside)
        salt = secrets.token_bytes(16)
        with os.fdopen(handle, "wb") as file:
            file.write(salt.hex().encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageError(f"{beside}: {error}", code="file-unreadable", path=str(beside), problem=str(error.strerror)) from None
    return salt


def _known_salt(path: Path) -> bytes:
    try:
        salt = bytes.fromhex(path.read_text("ascii").removesuffix("\n"))
    except ValueError:
        salt = b""
    if len(salt) != 16:
        raise UsageError(f"{path} is no salt", code="salt-damaged", path=str(path))
    return salt
