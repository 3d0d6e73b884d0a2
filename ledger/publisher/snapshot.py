"""What a backup consists of: documents by their hash, and snapshots, each whole, of the databases as one moment saw them.

    BACKUP/documents/<aa>/<sha256>                     shared by all snapshots; added, never changed
    BACKUP/snapshots/00000007/  ledger.db  inbox.db  bening.toml  staging/<sha256>
                                manifest-sha256.txt    a line for every file, those of documents/ too: ``sha256sum -c``
                                snapshot.json          size, root, time, withdrawn; the manifest's hash; written last

A snapshot is made under another name and renamed when it is complete: there is never half of one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ledger.errors import StoreError

__all__ = [
    "DOCUMENTS", "FACTS", "MANIFEST", "SNAPSHOTS", "Snapshot", "file_hash", "find", "format_manifest", "names",
    "parse_manifest", "wrong_files",
]  # fmt: skip

DOCUMENTS = "documents"
SNAPSHOTS = "snapshots"
MANIFEST = "manifest-sha256.txt"
FACTS = "snapshot.json"
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._/-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot's facts: ``manifest`` is the SHA-256 of its manifest, ``withdrawn`` the documents that must not be there."""

    origin: str
    founding: str
    size: int
    root: str
    time: str
    manifest: str
    withdrawn: tuple[str, ...] = ()
    format: int = 1

    def to_bytes(self) -> bytes:
        """Return ``snapshot.json``."""
        return json.dumps(asdict(self), indent=2).encode("ascii") + b"\n"

    @classmethod
    def load(cls, folder: Path) -> Snapshot:
        """Return the facts of the snapshot in ``folder``.

        Raises:
            StoreError: ``backup-file``: they cannot be read.
        """
        try:
            found = json.loads((folder / FACTS).read_text("ascii"))
            return cls(**{**found, "withdrawn": tuple(found["withdrawn"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{folder / FACTS}: {error}", code="backup-file", path=str(folder / FACTS), more=0) from None


def names(backup: Path) -> list[str]:
    """Return the names of the complete snapshots of a backup, oldest first."""
    folder = backup / SNAPSHOTS
    return sorted(one.name for one in folder.iterdir() if one.name.isdecimal()) if folder.is_dir() else []


def find(backup: Path, name: str | None = None) -> Path:
    """Return the folder of a snapshot, the newest by default.

    Raises:
        StoreError: ``not-a-backup``: there is none, or none of that name.
    """
    found = names(backup)
    if not found or (name is not None and name not in found):
        raise StoreError(f"{backup} is no backup", code="not-a-backup", path=str(backup / (name or "")))
    return backup / SNAPSHOTS / (name or found[-1])


def format_manifest(files: dict[str, str]) -> bytes:
    """Return the manifest of ``files``, SHA-256 by path, as ``sha256sum`` writes and checks it."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files.items())).encode("ascii")


def parse_manifest(data: bytes) -> dict[str, str]:
    """Return SHA-256 by path.

    Raises:
        ValueError: these are no such lines, or a path leads out of the backup.
    """
    found = {}
    for line in data.decode("ascii").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or ".." in match[2] or match[2].startswith("/"):
            raise ValueError(line[:100])
        found[match[2]] = match[1]
    return found


def wrong_files(backup: Path, folder: Path) -> Iterator[str]:
    """Yield the paths of a snapshot's files that are missing or have other bytes than its manifest says."""
    data = _read(folder / MANIFEST)
    try:
        files = parse_manifest(data)
    except ValueError:
        files = {}
    snapshot = Snapshot.load(folder)
    if not files or hashlib.sha256(data).hexdigest() != snapshot.manifest:
        yield str(folder / MANIFEST)
        return
    gone = set(Snapshot.load(find(backup)).withdrawn) if names(backup) else set()
    for path, sha256 in files.items():
        if path.startswith(DOCUMENTS) and sha256 in gone and not (backup / path).exists():
            continue  # an older snapshot's, withdrawn since
        place = backup / path if path.startswith(DOCUMENTS) else folder / path
        if file_hash(place) != sha256:
            yield str(place)


def file_hash(path: Path) -> str | None:
    """Return a file's SHA-256 in hex; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
