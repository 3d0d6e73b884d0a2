"""The ZIP of an evidence bundle from somebody else (APPNOTE 6.3): read in place, nothing of it trusted or written.

It is one that ``bundle`` writes, or the same packed again (``zip -X``): members stored or deflated, one after another from
the first byte to the central directory, with nothing between, before, behind or beside them where another file could hide.
Count, sizes and ratio are limited; each path has its place in the layout, and a limit of its own.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ledger.errors import FetchError, FormatError
from ledger.records.entry import MAX_ENTRY
from ledger.records.record import MAX_RECORD
from ledger.tlog.note import MAX_NOTE
from ledger.tlog.policy import MAX_POLICY
from ledger.tlog.proof import MAX_PROOF

__all__ = ["BagFiles", "is_bundle", "open_regular", "read_zip"]

MAX_MEMBERS = 10_000
MAX_TOTAL = 2 * 1024**3
MAX_RATIO, RATIO_FROM = 200, 1024**2
MAX_KEPT = 128 * 1024**2
_CHUNK = 1 << 20
_PACKED = 1 << 16
_LOCAL, _END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s4H2IH")
_ACT = r"data/acts/(?:0|[1-9][0-9]{0,15})/"
# Each file of the layout: its path, the most bytes it may have, and whether its bytes are kept in memory.
_KINDS = tuple(
    (re.compile(path, re.ASCII), limit, kept)
    for path, limit, kept in (
        (r"bagit\.txt|bag-info\.txt|tagmanifest-sha256\.txt", 4096, False),
        (r"manifest-sha256\.txt", 4 * 1024**2, True),
        (r"data/README\.txt", 64 * 1024, False),
        (r"data/policy(-ed25519)?", MAX_POLICY, True),
        (r"data/checkpoint", MAX_NOTE, True),
        (r"data/roster\.jsonl", MAX_KEPT // 2, True),
        (_ACT + r"entry\.json", MAX_ENTRY, False),
        (_ACT + r"record\.json", MAX_RECORD, False),
        (_ACT + r"proof\.tlog-proof", MAX_PROOF, True),
        (_ACT + r"signature-[0-9a-f]{8}\.bin", 64, False),
        (_ACT + r"key-[0-9a-f]{8}\.pem", 1024, True),
        (_ACT + r"not-included\.json", 4 * MAX_RECORD, False),
        (_ACT + r"documents/[0-9a-f]{8}-[A-Za-z0-9._-]{1,100}", MAX_TOTAL, False),
    )
)


@dataclass(frozen=True, slots=True)
class BagFiles:
    """The files of a bag by their path below the top folder: SHA-256 and size of each, and the bytes of the few needed."""

    hashes: dict[str, str]
    sizes: dict[str, int]
    kept: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class _Member:
    """A file of the ZIP: where its bytes begin, and how its path limits it."""

    info: zipfile.ZipInfo
    start: int
    limit: int
    kept: bool


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading; a pipe or a device is refused at once, where opening it would wait.

    Raises:
        FetchError: it is not there, or no regular file.
    """
    try:
        file = open(path, "rb", opener=_opened_at_once)  # noqa: SIM115 (the caller closes it)
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FetchError(f"{path} is no regular file", code="file-unreadable", path=str(path), problem="not a regular file")
    return file


def _opened_at_once(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def is_bundle(file: BinaryIO) -> bool:
    """Tell a bundle from a document: a ZIP from the first byte to the last, with a ``bagit.txt`` one folder down."""
    try:
        _central_directory(file)
        with zipfile.ZipFile(file) as archive:
            return any(name.count("/") == 1 and name.endswith("/bagit.txt") for name in archive.namelist())
    except (zipfile.BadZipFile, FormatError, OSError, ValueError, NotImplementedError):
        return False


def read_zip(path: Path) -> BagFiles:
    """Return the files of the bundle at ``path``.

    Raises:
        FormatError: unsafe to read, or with a path that has no place in a bundle.
        FetchError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            central = _central_directory(file)
            with zipfile.ZipFile(file) as archive:
                members = _members(file, archive, central)
            hashes, kept = _read(file, members)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, ValueError, zlib.error) as error:
        raise _unsafe(str(error)) from None
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
    return BagFiles(hashes, {name: member.info.file_size for name, member in members.items()}, kept)


def _central_directory(file: BinaryIO) -> int:
    """Return where the central directory begins, in a file that is a ZIP from its first byte to its last."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    begins = file.read(4)
    file.seek(max(size - _END.size, 0))
    end = file.read(_END.size)
    if begins != b"PK\x03\x04" or len(end) != _END.size:
        raise _unsafe("not a ZIP from its first byte")
    magic, *_, length, start, comment = _END.unpack(end)
    if magic != b"PK\x05\x06" or comment or start + length + _END.size != size:
        raise _unsafe("not a ZIP to its last byte")
    return int(start)


def _members(file: BinaryIO, archive: zipfile.ZipFile, central: int) -> dict[str, _Member]:
    """Return the files by their path below the one top folder."""
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_TOTAL:
        raise _unsafe("too many or too large")
    starts = _starts(file, sorted(infos, key=lambda info: info.header_offset), central)
    members: dict[str, _Member] = {}
    folders = {info.filename for info in infos if info.filename.endswith("/")}
    tops = {info.filename.partition("/")[0] for info in infos}
    if len(tops) != 1 or not re.fullmatch(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}", tops.pop()):
        raise _unsafe("another top folder")
    for info in infos:
        name = info.filename.partition("/")[2]
        if info.filename in folders and not info.file_size and not info.compress_size:
            continue
        if name in members or not _is_safe(info):
            raise _unsafe(info.filename)
        members[name] = _Member(info, starts[info.header_offset], *_kind(name, info.filename))
        folders -= {info.filename[: place.end()] for place in re.finditer("/", info.filename)}
    if folders:
        raise _unsafe(min(folders))
    return members


def _starts(file: BinaryIO, infos: list[zipfile.ZipInfo], central: int) -> dict[int, int]:
    """Return where the bytes of each member begin: there is room for nothing else in the file."""
    starts, place = dict[int, int](), 0
    for info in infos:
        file.seek(place)
        head = file.read(_LOCAL.size)
        if info.header_offset != place or len(head) != _LOCAL.size or info.extra or info.comment:
            raise _unsafe(info.filename)
        magic, _, flags, method, *_, packed, size, length, extra = _LOCAL.unpack(head)
        said = (flags, method, packed, size)
        name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        if magic != b"PK\x03\x04" or extra or file.read(length) != name or flags & 0x9:
            raise _unsafe(info.filename)
        if said != (info.flag_bits, info.compress_type, info.compress_size, info.file_size):
            raise _unsafe(info.filename)
        starts[place] = place + _LOCAL.size + length
        place = starts[place] + info.compress_size
    if place != central:
        raise _unsafe("bytes that belong to no file")
    return starts


def _is_safe(info: zipfile.ZipInfo) -> bool:
    parts = info.filename.split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
    packed = info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1)
    plain = info.orig_filename == info.filename and "\\" not in info.filename and ":" not in parts[0]
    readable = stored or (info.compress_type == zipfile.ZIP_DEFLATED and not packed)
    return plain and readable and len(parts) > 1 and not {"", ".", ".."} & set(parts) and kind in (0, stat.S_IFREG)


def _kind(name: str, shown: str) -> tuple[int, bool]:
    """Return the limit of the file ``name``, and whether it is kept."""
    for path, limit, kept in _KINDS:
        if path.fullmatch(name):
            return limit, kept
    raise FormatError(f"{shown} has no place in a bundle", code="bundle-unknown-file", name=name[:200])


def _read(file: BinaryIO, members: Mapping[str, _Member]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the hash of each file, and the bytes of those that are needed."""
    hashes, kept, room = dict[str, str](), dict[str, bytes](), MAX_KEPT
    for name, member in members.items():
        room -= member.info.file_size * member.kept
        if member.info.file_size > member.limit or room < 0:
            raise _unsafe(member.info.filename)
        found, chunks = hashlib.sha256(), list[bytes]()
        for chunk in _chunks(file, member):
            found.update(chunk)
            chunks += [chunk] * member.kept
        hashes[name] = found.hexdigest()
        if member.kept:
            kept[name] = b"".join(chunks)
    return hashes, kept


def _chunks(file: BinaryIO, member: _Member) -> Iterator[bytes]:
    """Yield a member's bytes, exactly as many as it states."""
    info, left = member.info, member.info.file_size
    file.seek(member.start)
    places = range(0, info.compress_size, _PACKED)
    packed = (file.read(min(_PACKED, info.compress_size - place)) for place in places)
    for chunk in packed if info.compress_type == zipfile.ZIP_STORED else _inflated(packed, info.filename):
        left -= len(chunk)
        if left < 0:
            raise _unsafe(info.filename)
        yield chunk
    if left:
        raise _unsafe(info.filename)


def _inflated(packed: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield what was deflated, a little at a time; nothing may stand behind its end."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    for data in packed:
        waiting, chunk = data, b"more"
        while waiting or chunk:
            chunk = engine.decompress(waiting, _CHUNK)
            waiting = engine.unconsumed_tail
            yield chunk
    if not engine.eof or engine.unused_data:
        raise _unsafe(name)


def _unsafe(what: str) -> FormatError:
    return FormatError(f"not a bundle that is safe to read: {what}", code="bundle-unsafe", name=what[:200])
