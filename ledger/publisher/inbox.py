"""The inbox: submissions that wait, and what became of them. The only database that the web process may write.

A submission ends as *integrated* or as *refused, because …*; both can be asked for by the act's id. The same payload may
be submitted again at any time (a forged signature must not be able to block the true one), so rows are counted, not keyed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import Reason
from ledger.publisher.home import Home
from ledger.publisher.schema import INBOX_VERSION, open_checked
from ledger.records.envelope import Envelope, dump_envelope
from ledger.sqlite import transaction

__all__ = ["Inbox", "Pending"]


MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pending:
    """A submission that waits: its row number, the act's id, and the envelope's bytes as they came."""

    n: int
    id: str
    envelope: bytes


class Inbox:
    """The open ``inbox.db`` of a home."""

    def __init__(self, home: Home) -> None:
        self.connection = open_checked(home.inbox_db, INBOX_VERSION)

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def submit(self, envelopes: Sequence[Envelope], *, now: float | None = None) -> list[int]:
        """Keep ``envelopes`` durably, in order, and return their row numbers."""
        rows = [(one.id, int(now if now is not None else time.time()), dump_envelope(one)) for one in envelopes]
        with transaction(self.connection):
            self.connection.executemany("INSERT INTO submissions (id, time, envelope) VALUES (?, ?, ?)", rows)
            last = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'submissions'").fetchone()
        return list(range(last[0] - len(rows) + 1, last[0] + 1)) if rows else []

    def refuse(self, refused: Sequence[tuple[Envelope, Sequence[Reason]]]) -> None:
        """Keep what was refused, with its reasons, of submissions that never waited here."""
        rows = [(one.id, int(time.time()), dump_envelope(one), _dump(reasons)) for one, reasons in refused]
        insert = "INSERT INTO submissions (id, time, envelope, state, reasons) VALUES (?, ?, ?, 'refused', ?)"
        with transaction(self.connection):
            self.connection.executemany(insert, rows)

    def pending(self, limit: int) -> list[Pending]:
        """Return the oldest waiting submissions, at most ``limit`` and not much more than ``MOST_BYTES``."""
        rows = self.connection.execute(
            "SELECT n, id, envelope FROM submissions WHERE state = 'pending' ORDER BY n LIMIT ?", (limit,)
        )
        found, size = [], 0
        for n, act_id, envelope in rows:
            found.append(Pending(n, act_id, bytes(envelope)))
            size += len(envelope)
            if size > MOST_BYTES:
                break
        return found

    def settle(self, outcomes: Sequence[tuple[int, Sequence[Reason]]]) -> None:
        """Mark submissions as integrated, or as refused with their reasons."""
        rows = [("refused" if reasons else "integrated", _dump(reasons), n) for n, reasons in outcomes]
        with transaction(self.connection):
            self.connection.executemany("UPDATE submissions SET state = ?, reasons = ? WHERE n = ?", rows)

    def state_of(self, n: int) -> tuple[str, tuple[Reason, ...]]:
        """Return the state of row ``n`` and the reasons, if it was refused."""
        row = self.connection.execute("SELECT state, reasons FROM submissions WHERE n = ?", (n,)).fetchone()
        return (row[0], _load(row[1])) if row else ("unknown", ())

    def settled(self, rows: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        """Return the reasons (none: integrated) of those of ``rows`` that no longer wait."""
        if not rows:
            return {}
        found = self.connection.execute(
            "SELECT n, state, reasons FROM submissions WHERE n BETWEEN ? AND ? AND state != 'pending'", (min(rows), max(rows))
        )
        wanted = set(rows)
        return {n: _load(reasons) for n, _, reasons in found.fetchall() if n in wanted}

    def state_of_act(self, act_id: str) -> tuple[str, tuple[Reason, ...]]:
        """Return what became of the newest submission of an act, by its id; ``unknown`` where none is kept."""
        row = self.connection.execute(
            "SELECT state, reasons FROM submissions WHERE id = ? ORDER BY n DESC LIMIT 1", (act_id,)
        ).fetchone()
        return (row[0], _load(row[1])) if row else ("unknown", ())

    def count_pending(self) -> int:
        """Return how many submissions wait."""
        return int(self.connection.execute("SELECT count(*) FROM submissions WHERE state = 'pending'").fetchone()[0])

    def forget_settled(self, *, before: float) -> None:
        """Remove settled rows that are older than a POSIX time."""
        with transaction(self.connection):
            self.connection.execute("DELETE FROM submissions WHERE state != 'pending' AND time < ?", (int(before),))


def _dump(reasons: Sequence[Reason]) -> str:
    if not reasons:
        return "[]"
    kept = [{"code": one.code, "path": one.path, "values": one.values, "unknown": one.unknown} for one in reasons]
    return json.dumps(kept, default=str)


def _load(text: str | None) -> tuple[Reason, ...]:
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return tuple(Reason(one["code"], one["path"], one["values"], one["unknown"]) for one in found)
