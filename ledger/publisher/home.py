"""The home folder of a ledger: what lies where, its settings, and the lock that allows one sequencer.

bening.toml   origin, founding, the log's key files      inbox.db   pending submissions    staging/  their documents
ledger.db     entries, heads, signatures                 public/    what anyone may read   lock      one sequencer
search.db     the catalogue, derived from the entries            backup.json when the last backup was made, and where
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import StoreError

__all__ = ["HOME_FORMAT", "Home", "add_log_key", "format_settings"]

HOME_FORMAT = 1
RESTORED = "RESTORED"


@dataclass(frozen=True, slots=True)
class Home:
    """One ledger's folder. ``founding`` in hex; ``log_keys`` are paths of private keys outside the folder.

    ``web_group``: the group of the user that answers HTTP, where that is another one than the sequencer's;
    ``certificate``: the site's, as a file, where it is not looked at through ``url``.
    """

    path: Path
    origin: str
    founding: str
    log_keys: tuple[Path, ...]
    url: str | None = None
    web_group: str | None = None
    certificate: Path | None = None

    @classmethod
    def open(cls, path: Path) -> Home:
        """Return the home at ``path``.

        Raises:
            StoreError: there is none, it is not ours, or its settings cannot be read.
        """
        settings = path / "bening.toml"
        try:
            found = tomllib.loads(settings.read_text("utf-8"))
        except FileNotFoundError:
            raise StoreError(f"{path} holds no bening.toml", code="not-a-home", path=str(path)) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise StoreError(f"{settings}: {error}", code="bad-settings", path=str(settings), problem=str(error)) from None
        return cls._from_settings(path, found)

    @classmethod
    def _from_settings(cls, path: Path, found: dict[str, Any]) -> Home:
        settings = str(path / "bening.toml")
        try:
            if found["format"] != HOME_FORMAT:
                raise StoreError(
                    f"{settings} has format {found['format']}",
                    code="store-version", path=settings, found=found["format"], known=HOME_FORMAT,
                )  # fmt: skip
            keys = tuple((path / str(one)) for one in found["log"]["keys"])
            operate = _operate(found.get("operate", {}))
            certificate = path / operate["certificate"] if "certificate" in operate else None
            return cls(
                path, str(found["origin"]), str(found["founding"]), keys, found.get("url"), operate.get("web_group"), certificate
            )
        except (KeyError, TypeError) as error:
            raise StoreError(f"{settings}: {error!r}", code="bad-settings", path=settings, problem=repr(error)) from None

    @property
    def public(self) -> Path:
        """What any static server may serve."""
        return self.path / "public"

    @property
    def staging(self) -> Path:
        """Documents of pending submissions; nobody serves it."""
        return self.path / "staging"

    @property
    def ledger_db(self) -> Path:
        """The entries; only the sequencer writes here."""
        return self.path / "ledger.db"

    @property
    def inbox_db(self) -> Path:
        """Pending submissions."""
        return self.path / "inbox.db"

    @property
    def search_db(self) -> Path:
        """The catalogue: derived, made again by ``rebuild``."""
        return self.path / "search.db"

    @property
    def backup_note(self) -> Path:
        """When the last good backup was made, and where it lies; written by ``backup``."""
        return self.path / "backup.json"

    @property
    def restore_mark(self) -> Path:
        """Present after ``restore``, until ``recover`` has shown that nothing newer was published."""
        return self.path / RESTORED

    def document(self, sha256: str) -> Path:
        """The place of a published document."""
        return self.public / "documents" / sha256[:2] / sha256

    def staged(self, sha256: str) -> Path:
        """The place of a document that waits."""
        return self.staging / sha256

    @contextlib.contextmanager
    def lock(self, *, tries: int = 4) -> Iterator[bool]:
        """Hold the home for one sequencer; yields False where another one runs.

        It is tried a few times within 20 ms, as ``is_sequenced`` in another process may hold the lock for a moment.
        """
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            raise StoreError(f"{self.path}: {error}", code="cannot-write", path=str(self.path), problem=str(error)) from None
        try:
            yield _locked(handle, tries)
        finally:
            os.close(handle)

    def is_sequenced(self) -> bool:
        """Tell whether some process is the sequencer just now; who may only read here can ask as well.

        The lock is shared for the moment of the look, so that two who look do not take each other for a sequencer.
        """
        try:
            handle = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"{self.path}: {error}", code="cannot-write", path=str(self.path), problem=str(error)) from None
        try:
            return not _locked(handle, 1, shared=True)
        finally:
            os.close(handle)


def _operate(found: Any) -> dict[str, str]:
    """Return the ``[operate]`` table; a name that is not known is refused."""
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise TypeError("[operate]")
    if unknown := sorted(found.keys() - {"web_group", "certificate"}):
        raise TypeError(f"[operate] {unknown[0]}")
    return found


def _locked(handle: int, tries: int, *, shared: bool = False) -> bool:
    import fcntl

    for left in range(tries - 1, -1, -1):
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.005 if left else 0)
    return False


def format_settings(origin: str, founding: str, log_keys: list[str], url: str | None = None) -> str:
    """Return the text of ``bening.toml``."""
    keys = ", ".join(_quoted(key) for key in log_keys)
    lines = [
        "# This ledger's settings. Private keys lie elsewhere; only their paths stand here.",
        f"format = {HOME_FORMAT}",
        f"origin = {_quoted(origin)}",
        f"founding = {_quoted(founding)}",
        *([f"url = {_quoted(url)}"] if url else []),
        "",
        "[log]",
        f"keys = [{keys}]",
        "",
    ]
    return "\n".join(lines)


def add_log_key(home: Home, file: Path) -> None:
    """Name one more of the log's key files in ``bening.toml``; everything else in it stays as it is.

    Raises:
        StoreError: ``bad-settings``: the line of the keys is not there as it was written.
    """
    from ledger.durable import write_over

    path = home.path / "bening.toml"
    keys = ", ".join(_quoted(str(one)) for one in dict.fromkeys((*home.log_keys, file.absolute())))
    text, count = re.subn(r"(?m)^keys = \[.*\]$", lambda _: f"keys = [{keys}]", path.read_text("utf-8"))
    if count != 1:
        raise StoreError(f"{path}: keys", code="bad-settings", path=str(path), problem="[log] keys")
    write_over(path, text.encode("utf-8"))


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
