"""What a witness has seen: one SQLite file, in which the newest cosigned size of a log can only grow.

    logs     the logs it watches: origin, keys, and why it cosigns nothing of one just now (``locked``)
    heads    the newest checkpoint of each that it has cosigned, as it serves it
    odd      requests with a signed checkpoint that contradicts what it had cosigned, with that: each convicts its log
    words    what the operator has said on their own word

A copy of this file knows less than the witness has signed. So a copy made by ``backup`` is locked, and a file that is found
at another place than before (another machine, disk or inode) locks itself, log by log, until ``unlock``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError, StoreError, UsageError
from ledger.sqlite import connect, driver, transaction
from ledger.tlog.note import VerifierKey, format_vkey, parse_vkey
from ledger.witness.rules import NOTHING, Seen

__all__ = ["COPIED", "DATABASE", "MOVED", "Log", "WitnessState", "create_state", "open_state"]

DATABASE = "witness.db"
COPIED = "copied"
MOVED = "moved"
VERSION = 1
MOST_ODD = 1000  # of one log: enough for any court, and no way to fill the disk
_MACHINE = Path("/etc/machine-id")

_SCHEMA = """
CREATE TABLE logs (origin TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, vkeys TEXT NOT NULL, locked TEXT NOT NULL) STRICT;
CREATE TABLE heads (
  origin TEXT PRIMARY KEY REFERENCES logs, size INTEGER NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE TABLE odd (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, time INTEGER NOT NULL, code TEXT NOT NULL, note BLOB NOT NULL,
  body BLOB NOT NULL, digest BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE words (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, what TEXT NOT NULL) STRICT;
CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL) STRICT;
CREATE TRIGGER heads_grow BEFORE UPDATE ON heads WHEN new.size < old.size OR new.time < old.time
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER heads_stay BEFORE DELETE ON heads BEGIN SELECT RAISE(ABORT, 'a witness never forgets'); END;
"""


@dataclass(frozen=True, slots=True)
class Log:
    """A log that is watched: what was cosigned last, when (POSIX seconds, 0: never), and why nothing is now (``locked``)."""

    origin: str
    keys: tuple[VerifierKey, ...]
    locked: str
    seen: Seen
    time: int
    note: bytes
    odd: int


class WitnessState:
    """The state on one connection."""

    def __init__(self, path: Path, connection: Any) -> None:
        self.path, self.connection = path, connection

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Return a transaction: all that is done in it is durable when it ends, or nothing is."""
        return transaction(self.connection)

    def log(self, origin: str) -> Log | None:
        """Return the log of that origin, if it is watched."""
        found = self._logs("WHERE l.origin = ?", origin)
        return found[0] if found else None

    def logs(self) -> list[Log]:
        """Return all logs, by their origins."""
        return self._logs("ORDER BY l.origin")

    def note_of(self, origin_hash: str) -> bytes | None:
        """Return the newest cosigned checkpoint of the log whose origin has that SHA-256 (hex); None: never cosigned."""
        query = "SELECT note FROM heads JOIN logs USING (origin) WHERE hash = ?"
        row = self.connection.execute(query, (origin_hash,)).fetchone()
        return None if row is None else bytes(row[0])

    def last_time(self) -> int:
        """Return the newest time that was ever cosigned; 0: none."""
        return int(self.connection.execute("SELECT coalesce(max(time), 0) FROM heads").fetchone()[0])

    def add_log(self, origin: str, keys: Sequence[VerifierKey]) -> None:
        """Watch a log, or trust other keys for one that is watched; what was seen of it stays.

        Raises:
            UsageError: ``bad-origin``: an origin that cosignatures cannot name.
        """
        if not origin or "\n" in origin or len(origin.encode("utf-8")) > 255 or not keys:
            raise UsageError(f"{origin!r} is no origin", code="bad-origin", origin=origin[:80])
        vkeys, name = json.dumps([format_vkey(key) for key in keys]), hashlib.sha256(origin.encode("utf-8")).hexdigest()
        query = "INSERT INTO logs VALUES (?, ?, ?, '') ON CONFLICT (origin) DO UPDATE SET vkeys = excluded.vkeys"
        self.connection.execute(query, (origin, name, vkeys))

    def keep_head(self, origin: str, seen: Seen, time: int, note: bytes) -> None:
        """Keep what is cosigned now; to be called in the transaction in which it was judged."""
        query = """INSERT INTO heads VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE
                   SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note"""
        self.connection.execute(query, (origin, seen.size, seen.root, time, note))

    def keep_odd(self, origin: str, time: int, code: str, note: bytes, body: bytes) -> None:
        """Keep a request that contradicts the ``note`` that was cosigned, once, and the first thousand of a log."""
        digest = hashlib.sha256(origin.encode("utf-8") + b"\n" + body).digest()
        few = "(SELECT count(*) FROM odd WHERE origin = ?1) < ?7"
        query = f"INSERT OR IGNORE INTO odd SELECT NULL, ?1, ?2, ?3, ?4, ?5, ?6 WHERE {few}"
        self.connection.execute(query, (origin, time, code, note, body, digest, MOST_ODD))

    def odd_of(self, origin: str) -> list[tuple[str, bytes, bytes]]:
        """Return (code, cosigned checkpoint, body of the request that contradicts it) of what was odd, oldest first."""
        query = "SELECT code, note, body FROM odd WHERE origin = ? ORDER BY id"
        return [(code, bytes(note), bytes(body)) for code, note, body in self.connection.execute(query, (origin,)).fetchall()]

    def lock_all(self, reason: str) -> None:
        """Cosign nothing of any log until ``unlock``: what was seen last may not be here."""
        self.connection.execute("UPDATE logs SET locked = ?", (reason,))

    def unlock(self, origin: str, time: int, what: str) -> None:
        """Cosign again; ``what`` is kept: on what ground."""
        self.connection.execute("UPDATE logs SET locked = '' WHERE origin = ?", (origin,))
        self.connection.execute("INSERT INTO words (time, what) VALUES (?, ?)", (time, what))

    def words(self) -> list[tuple[int, str]]:
        """Return (time, text) of what the operator has said."""
        return list(self.connection.execute("SELECT time, what FROM words ORDER BY id").fetchall())

    def backup(self, target: Path) -> None:
        """Write a copy that is locked: whoever restores it does not know what was cosigned after it was made.

        Raises:
            StoreError: there is a file already, or it cannot be written.
        """
        if target.exists():
            raise StoreError(f"{target} exists", code="folder-in-use", path=str(target))
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with contextlib.closing(connect(beside)) as copy:
                self.connection.backup(copy)
                copy.execute("UPDATE logs SET locked = ?", (COPIED,))
                copy.execute("PRAGMA journal_mode = DELETE")
            os.replace(beside, target)
        except (OSError, driver().Error) as error:
            raise StoreError(f"{target}: {error}", code="cannot-write", path=str(target), problem=str(error)) from None
        finally:
            beside.unlink(missing_ok=True)

    def _logs(self, where: str, *values: object) -> list[Log]:
        query = f"""
            SELECT l.origin, vkeys, locked, size, root, time, note, (SELECT count(*) FROM odd o WHERE o.origin = l.origin)
            FROM logs l LEFT JOIN heads h ON h.origin = l.origin {where}
        """
        return [_log(row) for row in self.connection.execute(query, values).fetchall()]


def _log(row: Sequence[Any]) -> Log:
    origin, vkeys, locked, size, root, time, note, odd = row
    keys = tuple(parse_vkey(one) for one in json.loads(vkeys))
    seen = NOTHING if size is None else Seen(size, bytes(root))
    return Log(origin, keys, locked, seen, time or 0, bytes(note or b""), odd)


def create_state(folder: Path) -> None:
    """Begin a state in ``folder``.

    Raises:
        StoreError: there is one, or it cannot be written.
    """
    path = folder / DATABASE
    if path.exists():
        raise StoreError(f"{path} exists", code="folder-in-use", path=str(folder))
    with contextlib.closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        connection.execute("INSERT INTO place VALUES (1, ?)", (_place_of(path),))


@contextlib.contextmanager
def open_state(folder: Path, *, read_only: bool = False) -> Iterator[WitnessState]:
    """Open the state in ``folder``; one that lies at another place than before is locked first, and stays so.

    Raises:
        StoreError: there is none (``not-a-witness``), it is damaged, or a later version's.
    """
    path = folder / DATABASE
    if not path.is_file():
        raise StoreError(f"{folder} is no witness", code="not-a-witness", folder=str(folder))
    try:
        with contextlib.closing(connect(path, read_only=read_only)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise StoreError(f"{path} is of version {version}", code="witness-version", folder=str(folder), version=version)
            (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if problem != "ok":
                raise _damaged(folder, problem)
            state = WitnessState(path, connection)
            if not read_only:
                _stay_in_place(state, path)
            state.logs()
            yield state
    except driver().DatabaseError as error:
        raise _damaged(folder, str(error)) from None
    except LedgerError as error:
        if isinstance(error, StoreError) and error.code == "database" and "not a database" in str(error):
            raise _damaged(folder, str(error)) from None
        raise


def _stay_in_place(state: WitnessState, path: Path) -> None:
    """Lock everything where this file was not here before: a copy."""
    here = _place_of(path)
    found = state.connection.execute("SELECT value FROM place").fetchone()
    if found is None or found[0] != here:
        with state.transaction():
            state.connection.execute("UPDATE logs SET locked = ? WHERE locked = ''", (MOVED,))
            state.connection.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (here,))


def _place_of(path: Path) -> str:
    found = path.stat()
    machine = _MACHINE.read_text("ascii", "replace").strip() if _MACHINE.is_file() else ""
    return f"{machine}:{found.st_ino}"


def _damaged(folder: Path, problem: str) -> StoreError:
    return StoreError(f"{folder}: {problem}", code="witness-damaged", folder=str(folder), problem=problem)
