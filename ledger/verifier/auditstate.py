"""What an audit keeps between runs: one SQLite file in a folder, written so that a kill at any moment loses nothing.

Results and position move in one transaction. Opening reads what the next entries stand on; all of it is checked while it
is small, when asked to, and before anybody is accused (``auditwhole``): this machine's own damage and a lying ledger are
different messages (golang/go#38348). The tables are told in ``auditschema``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import LedgerError, ProofError, StoreError
from ledger.index import Index
from ledger.records.envelope import Envelope, dump_envelope, load_envelope
from ledger.records.roster import Roster, apply_roster, judge_roster
from ledger.sqlite import connect, driver, transaction
from ledger.tlog.merkle import HASH_SIZE, Frontier, Node
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.auditschema import Head, damaged, prepare, read_head, require_founding, save_head
from ledger.verifier.pins import write_file

__all__ = ["AuditState", "Evidence", "Head", "checksum", "open_state"]

SMALL = 4096  # entries, up to which a state is checked whole whenever it is opened
_CACHE_KIB = 32 * 1024
_PAGE = 16 * 1024
_TIME = 20


Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two checkpoints, both accepted by the policy, that no honest ledger signs both of; and the files that hold them.

    ``conviction`` is the file that proves it by itself (``tlog.conviction``), empty where there is none.
    """

    kept: bytes
    shown: bytes
    files: tuple[str, str] = field(default=("", ""))
    conviction: str = ""


class AuditState:
    """The state of one audited ledger, on one connection; made by ``open_state``."""

    def __init__(self, folder: Path, connection: Any, founding: str) -> None:
        self.folder, self.connection = folder, connection
        self.index = Index(connection)
        self.head = self._load_head(founding)
        self.resumed = self.head.size > 0
        self.roster = self._load_roster()
        self._check_newest_leaves()

    def save(self, head: Head) -> None:
        """Keep ``head``; to be called inside the transaction that keeps the results."""
        save_head(self.connection, head)
        self.head = head

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Return a transaction on the state."""
        return transaction(self.connection)

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows of one query."""
        return list(self.connection.execute(query, values).fetchall())

    def mark(self, name: str) -> str:
        """Return what was noted under ``name``, or nothing."""
        found = self.rows("SELECT value FROM marks WHERE name = ?", name)
        return str(found[0][0]) if found else ""

    def set_mark(self, name: str, value: object) -> None:
        """Note a value; to be called inside the transaction that keeps what it speaks of."""
        self.connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, str(value)))

    def rows_between(self, start: int, end: int) -> tuple[list[Row], list[Row]]:
        """Return the rows of ``acts`` and ``documents`` of entries ``start … end-1``."""
        found = [f"SELECT * FROM {name} WHERE idx >= ? AND idx < ? ORDER BY idx" for name in ("acts", "documents")]
        return self.rows(found[0], start, end), self.rows(found[1], start, end)

    def add_leaves(self, start: int, leaves: Sequence[bytes], times: Sequence[str], rows: tuple[list[Row], list[Row]]) -> None:
        """Keep the leaf hashes and times of entries ``start …``, which lie in one bundle, and a checksum of their ``rows``."""
        bundle, width = divmod(start, TILE_WIDTH)
        text, hashes, before = self._earlier(bundle, width) if width else ("", b"", ([], []))
        digest = checksum(*(one + other for one, other in zip(before, rows, strict=True)))
        row = (bundle, times[-1], text + "".join(one.ljust(_TIME) for one in times), hashes + b"".join(leaves), digest)
        self.connection.execute("INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?, ?)", row)

    def _earlier(self, bundle: int, width: int) -> tuple[str, bytes, tuple[list[Row], list[Row]]]:
        """Return the times, leaf hashes and rows of the first ``width`` entries of a bundle, which have been read before."""
        found = self.rows("SELECT times, hashes, rows FROM leaves WHERE bundle = ?", bundle)
        if not found or len(found[0][1]) != width * HASH_SIZE or len(found[0][0]) != width * _TIME:
            raise damaged(self.folder, "leaf hashes")
        rows = self.rows_between(bundle * TILE_WIDTH, bundle * TILE_WIDTH + width)
        if checksum(*rows) != found[0][2]:
            raise damaged(self.folder, f"acts from entry {bundle * TILE_WIDTH} on")
        return found[0][0], found[0][1], rows

    def after(self, time: str) -> tuple[int, int, str] | None:
        """Return the number of entries later than ``time``, the first of them and the newest time; None if there are none."""
        if self.head.time <= time:
            return None
        query = "SELECT bundle, times FROM leaves WHERE newest > ? ORDER BY bundle LIMIT 1"
        bundle, times = self.rows(query, time)[0]
        within = next(at for at in range(0, len(times), _TIME) if times[at : at + _TIME] > time) // _TIME
        first = bundle * TILE_WIDTH + within
        return self.head.size - first, first, self.head.time

    def add_roster(self, envelope: Envelope, after: Roster, *, index: int) -> None:
        """Keep a roster payload, and the roster ``after`` it."""
        self.connection.execute("INSERT INTO rosters VALUES (?, ?)", (index, dump_envelope(envelope)))
        self.roster = after

    def add_unchecked(self, index: int, code: str, detail: str) -> None:
        """Keep that an entry could not be judged here."""
        self.connection.execute("INSERT INTO unchecked VALUES (?, ?, ?)", (index, code, detail[:500]))

    def unchecked(self) -> tuple[int, str, str] | None:
        """Return how many entries could not be judged, with the number and detail of the first; None if all could."""
        (count,) = self.rows("SELECT count(*) FROM unchecked")[0]
        first = self.rows("SELECT idx, detail FROM unchecked ORDER BY idx LIMIT 1")
        return (count, *first[0]) if count else None

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first ``size`` entries, or None where they have not been read."""
        if size > self.head.size:
            return None
        frontier, left = Frontier.empty(), size
        for (hashes,) in self.connection.execute("SELECT hashes FROM leaves ORDER BY bundle"):
            width = min(left, TILE_WIDTH) * HASH_SIZE
            frontier = frontier.extend(hashes[at : at + HASH_SIZE] for at in range(0, min(width, len(hashes)), HASH_SIZE))
            left -= min(left, TILE_WIDTH)
            if not left:
                break
        return frontier.root()

    def read_hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node of the tree of the entries that have been read, about one hash a leaf.

        Raises:
            ProofError: a node that reaches beyond them.
        """
        return [self._hash(index << level, (index + 1) << level) for level, index in nodes]

    def _hash(self, start: int, end: int) -> bytes:
        """Return the hash over the leaves ``start … end-1``."""
        if not 0 <= start < end <= self.head.size:
            raise ProofError(f"leaves {start} to {end} of {self.head.size}", code="bad-index", index=start, size=self.head.size)
        query = "SELECT bundle, hashes FROM leaves WHERE bundle >= ? AND bundle <= ? ORDER BY bundle"
        frontier = Frontier.empty()
        for bundle, hashes in self.connection.execute(query, (start // TILE_WIDTH, (end - 1) // TILE_WIDTH)):
            first = bundle * TILE_WIDTH
            places = range(max(start - first, 0), min(end - first, TILE_WIDTH))
            frontier = frontier.extend(hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in places)
        return frontier.root()

    def keep_evidence(self, kept: bytes, shown: bytes, conviction: bytes | None = None) -> Evidence | None:
        """Keep two checkpoints that contradict each other, in the database and as files, and what proves it if it can be proven.

        Return where they are, None if not all is kept. Raises nothing where they cannot be written: that must never take the
        place of the contradiction itself.
        """
        names = _evidence_names(self.folder, kept, shown)
        try:
            with self.transaction():
                self.connection.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?)", (kept, shown))
            for name, note in zip(names, (kept, shown), strict=True):
                Path(name).parent.mkdir(exist_ok=True)
                Path(name).write_bytes(note)
            if conviction is not None:
                write_file(_conviction_file(self.folder, kept, shown), conviction)
        except (OSError, StoreError, driver().Error):
            return None
        return self._evidence(kept, shown)

    def evidence(self) -> list[Evidence]:
        """Return what has been kept as evidence, ever."""
        return [self._evidence(kept, shown) for kept, shown in self.rows("SELECT kept, shown FROM evidence")]

    def _evidence(self, kept: bytes, shown: bytes) -> Evidence:
        proof = _conviction_file(self.folder, kept, shown)
        return Evidence(kept, shown, _evidence_names(self.folder, kept, shown), str(proof) if proof.is_file() else "")

    def _load_head(self, founding: str) -> Head:
        head = read_head(self.folder, self.connection) or Head(founding)
        require_founding(self.folder, head, founding)
        return head

    def _load_roster(self) -> Roster:
        roster = Roster()
        for index, data in self.rows("SELECT idx, envelope FROM rosters ORDER BY idx"):
            envelope = load_envelope(data)
            if judge_roster(roster, envelope, index=index):
                raise damaged(self.folder, f"roster payload of entry {index}")
            roster = apply_roster(roster, envelope, index=index)
        if not self.head.blind and roster.hash != self.head.roster:
            raise damaged(self.folder, "roster")
        return roster

    def _check_newest_leaves(self) -> None:
        """Require that the leaf hashes end where the head does."""
        bundle, width = divmod(self.head.size - 1, TILE_WIDTH)
        found = self.rows("SELECT bundle, length(hashes), length(times), newest FROM leaves ORDER BY bundle DESC LIMIT 1")
        expected = [(bundle, (width + 1) * HASH_SIZE, (width + 1) * _TIME, self.head.time)] if self.head.size else []
        if found != expected:
            raise damaged(self.folder, "entries")


@contextlib.contextmanager
def open_state(folder: Path, founding: str) -> Iterator[AuditState]:
    """Open or begin the state in ``folder`` of the audit of the ledger ``founding``; one audit at a time.

    Raises:
        StoreError: it is damaged (``audit-state-damaged``), another ledger's (``audit-state-other``), a later version's
            (``audit-state-newer``), in use by another audit (``audit-running``), or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(str(error), code="cannot-write", path=str(folder), problem=str(error)) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"another audit uses {folder}", code="audit-running", folder=str(folder)) from None
        with _translated(folder), contextlib.closing(connect(folder / "audit.db")) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE}")  # of a new file: a row is a kilobyte
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            yield _opened(folder, connection, founding)
    finally:
        os.close(lock)


def _opened(folder: Path, connection: Any, founding: str) -> AuditState:
    from ledger.verifier.auditwhole import check_file, check_leaves

    try:
        prepare(folder, connection, founding)
        state = AuditState(folder, connection, founding)
        if state.head.size <= SMALL:
            check_file(state)
            check_leaves(state)
    except StoreError:
        raise
    except (LedgerError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(folder, f"{type(error).__name__}: {error}") from None
    return state


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Turn SQLite's complaints about what is in the file into damage; about disk or locks, they stay what they are."""
    sqlite = driver()
    try:
        yield
    except sqlite.OperationalError as error:
        raise StoreError(str(error), code="database", path=str(folder), problem=str(error)) from None
    except sqlite.Error as error:
        raise damaged(folder, str(error)) from None
    except StoreError as error:
        if error.code == "database" and any(word in str(error) for word in ("not a database", "malformed")):
            raise damaged(folder, str(error)) from None
        raise


def checksum(acts: Sequence[Row], documents: Sequence[Row]) -> bytes:
    """Return the SHA-256 of rows of the tables ``acts`` and ``documents``, as JSON."""
    return hashlib.sha256(orjson.dumps((acts, sorted(documents)))).digest()


def _conviction_file(folder: Path, kept: bytes, shown: bytes) -> Path:
    return folder / "evidence" / f"{hashlib.sha256(kept + shown).hexdigest()[:12]}.conviction"


def _evidence_names(folder: Path, kept: bytes, shown: bytes) -> tuple[str, str]:
    name = hashlib.sha256(kept + shown).hexdigest()[:12]
    return str(folder / "evidence" / f"{name}-kept.txt"), str(folder / "evidence" / f"{name}-shown.txt")
