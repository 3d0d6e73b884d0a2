"""Reading an evidence bundle from somebody else (RFC 8493): nothing is written to the disk, and nothing is trusted.

Paths, count, sizes and ratio are limited, and the files are exactly those of the manifest. ``bundle`` draws the layout.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import FetchError, FormatError
from ledger.records.envelope import Envelope
from ledger.tlog.encoding import parse_decimal
from ledger.verifier.client import roster_lines

__all__ = ["Bundle", "BundledAct", "read_bundle"]

MAX_MEMBERS = 10_000
MAX_TOTAL = 2 * 1024**3
MAX_RATIO, RATIO_FROM = 200, 1024**2
MAX_SMALL = 64 * 1024**2
_CHUNK = 1 << 20
_TAGS = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")
_SMALL = re.compile(r"data/(acts/[0-9]+/(entry\.json|proof\.tlog-proof)|roster\.jsonl|policy|checkpoint)", re.ASCII)
_DOCUMENT = re.compile(r"data/acts/([0-9]+)/documents/([^/]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class BundledAct:
    """One act of a bundle: its proof (which holds the entry) and the SHA-256 of each document's bytes, by file name."""

    index: int
    proof: bytes
    documents: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are those of its manifest; everything it says is still to be judged."""

    acts: tuple[BundledAct, ...]
    roster: tuple[Envelope, ...]
    policy: bytes
    checkpoint: bytes
    files: int


def read_bundle(path: Path) -> Bundle:
    """Return the bundle at ``path``; its files are exactly those of its manifest, with their hashes.

    Raises:
        FormatError: unsafe, incomplete, or not a bundle of this layout.
        FetchError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _safe_members(archive)
            hashes = {name: _hash(archive, info) for name, info in members.items() if name not in _TAGS}
            _check_manifest(archive, members, hashes)
            small = {name: _small(archive, info) for name, info in members.items() if _SMALL.fullmatch(name)}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, ValueError, RuntimeError) as error:
        raise _unsafe(str(error)) from None
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
    except Exception as error:  # zlib, lzma and bz2 each have an error class of their own
        if type(error).__module__ in ("zlib", "_lzma", "_bz2", "lzma"):
            raise _unsafe(str(error)) from None
        raise
    return _assembled(small, hashes)


def _safe_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files by their path below the one top folder."""
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    if len(archive.infolist()) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_TOTAL:
        raise _unsafe("too many or too large")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        top, slash, name = info.filename.partition("/")
        if not slash or top in ("", ".", "..") or name in members or not _is_safe(info):
            raise _unsafe(info.filename)
        members[name] = info
    if len({info.filename.partition("/")[0] for info in infos}) != 1:
        raise _unsafe("more than one top folder")
    return members


def _is_safe(info: zipfile.ZipInfo) -> bool:
    parts = info.filename.split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    packed = info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1)
    plain = "\\" not in info.orig_filename and "\0" not in info.orig_filename and ":" not in parts[0]
    return plain and not {"", ".", ".."} & set(parts) and kind in (0, stat.S_IFREG) and not info.flag_bits & 1 and not packed


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member's bytes, never more than it states."""
    left = info.file_size
    with archive.open(info) as file:
        while chunk := file.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise _unsafe(info.filename)
            yield chunk


def _hash(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    found = hashlib.sha256()
    for chunk in _chunks(archive, info):
        found.update(chunk)
    return found.hexdigest()


def _small(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_SMALL:
        raise _unsafe(info.filename)
    return b"".join(_chunks(archive, info))


def _check_manifest(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], hashes: dict[str, str]) -> None:
    manifest = members.get("manifest-sha256.txt")
    if manifest is None or "bagit.txt" not in members:
        raise FormatError("not a bag", code="bundle-incomplete", name="manifest-sha256.txt")
    lines = _small(archive, manifest).decode("utf-8").split("\n")
    listed = dict[str, str]()
    for line in lines[:-1]:
        code, gap, name = line.partition("  ")
        if not gap or name in listed or lines[-1]:
            raise FormatError("the manifest is not in order", code="bundle-incomplete", name="manifest-sha256.txt")
        listed[name] = code
    for name in listed.keys() ^ hashes.keys():
        raise FormatError(f"{name} is not both in the manifest and in the bag", code="bundle-incomplete", name=name)
    for name, code in listed.items():
        if hashes[name] != code:
            raise FormatError(f"{name} is not the file of the manifest", code="bundle-differs", name=name)


def _assembled(small: dict[str, bytes], hashes: dict[str, str]) -> Bundle:
    for name in ("data/roster.jsonl", "data/policy", "data/checkpoint"):
        if name not in small:
            raise FormatError(f"{name} is missing", code="bundle-incomplete", name=name)
    acts: dict[int, BundledAct] = {}
    for name, data in small.items():
        if name.endswith("/proof.tlog-proof"):
            index = parse_decimal(name.split("/")[2])
            acts[index] = BundledAct(index, data)
    for name, code in hashes.items():
        found = _DOCUMENT.fullmatch(name)
        if found and parse_decimal(found[1]) in acts:
            acts[parse_decimal(found[1])].documents[found[2]] = code
    chain = tuple(roster_lines(small["data/roster.jsonl"]))
    ordered = tuple(acts[index] for index in sorted(acts))
    return Bundle(ordered, chain, small["data/policy"], small["data/checkpoint"], len(hashes))


def _unsafe(what: str) -> FormatError:
    return FormatError(f"not a bundle that is safe to read: {what}", code="bundle-unsafe", name=what[:200])
