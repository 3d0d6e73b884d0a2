"""Documents on the clerk's table: hashed while they are read, named, and otherwise left alone.

Nothing is parsed. The media type comes from the first bytes and the suffix; ``/ByteRange`` in a PDF says that it carries
a signature of its own, which any change would break. A withheld document is committed to, not shown:

    commitment = SHA-256(salt ‖ SHA-256 of the file)        both as bytes: 16 random ones, then 32

Every act draws a salt of its own, so that nobody can tell the same annex in two acts. It is kept beside the document in
``FILE.<ref>.salt`` (0600; ``ref`` is the act's reference as stored), never written over: one line of JSON in ASCII, keys sorted.

    {"commitment":"<hex>","name":"FILE","ref":"19JVNJXPQJS","salt":"<hex>","sha256":"<hex>","v":1}

Whoever is later given the document and this file can compute the commitment and compare it with the record.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ledger.desk.fields import take_parts
from ledger.errors import FormatError, UsageError
from ledger.records.record import ROLES

__all__ = ["Document", "Salt", "keep_salts", "read_document", "split_role", "withhold"]

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


@dataclass(frozen=True, slots=True)
class Salt:
    """What opens one commitment later: the act's reference, the document, and the act's own salt for it."""

    document: Document
    ref: str
    salt: bytes

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return _beside(self.document.path, self.ref)

    @property
    def commitment(self) -> str:
        """What the record says in place of the document."""
        return hashlib.sha256(self.salt + bytes.fromhex(self.document.sha256)).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the salt file's bytes."""
        shown = {"name": self.document.path.name, "ref": self.ref, "salt": self.salt.hex(), "sha256": self.document.sha256}
        text = json.dumps({**shown, "commitment": self.commitment, "v": 1}, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii") + b"\n"


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


def withhold(text: str, ref: str) -> tuple[dict[str, Any], Salt]:
    """Return the withheld document of ``FILE;reason=…;law=…[;role=…]`` in the act ``ref``, and the salt to keep.

    The salt is new, unless this very document has one for this very act already.

    Raises:
        UsageError: a part is missing, or the file or its salt cannot be read.
    """
    name, parts = take_parts(text, ("reason", "law", "role"))
    missing = [key for key in ("reason", "law") if not parts.get(key)]
    if missing:
        raise UsageError(f"{text!r}: {missing}", code="withhold-incomplete", value=name, missing=", ".join(missing))
    document = read_document(Path(name), parts.get("role", "other"))
    salt = _known_salt(document, ref) or Salt(document, ref, secrets.token_bytes(16))
    return {
        "withheld": salt.commitment,
        "media_type": document.media_type,
        "role": document.role,
        "reason": parts["reason"],
        "law": parts["law"],
    }, salt


def keep_salts(salts: Iterable[Salt]) -> None:
    """Write each salt durably beside its document, never over another file; what is there already stays.

    Raises:
        UsageError: one cannot be written.
    """
    for one in salts:
        try:
            handle = os.open(one.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(one.to_bytes())
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            if _known_salt(one.document, one.ref) != one:
                raise _damaged_salt(one.path) from None
        except OSError as error:
            values = {"path": str(one.path), "problem": str(error.strerror)}
            raise UsageError(f"{one.path}: {error}", code="file-unwritable", **values) from None


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


def _beside(path: Path, ref: str) -> Path:
    return path.with_name(f"{path.name}.{ref}.salt")


def _known_salt(document: Document, ref: str) -> Salt | None:
    """Return the salt that an earlier draft of this act kept for these very bytes; None: there is none."""
    path = _beside(document.path, ref)
    try:
        data = path.read_bytes()
        salt = Salt(document, ref, bytes.fromhex(json.loads(data)["salt"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
    except (ValueError, KeyError, TypeError):
        raise _damaged_salt(path) from None
    if len(salt.salt) != 16 or data != salt.to_bytes():  # made by another version of the document, or by somebody else
        raise _damaged_salt(path)
    return salt


def _damaged_salt(path: Path) -> UsageError:
    return UsageError(f"{path} is not this document's salt", code="salt-damaged", path=str(path))
