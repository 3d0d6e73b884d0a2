"""A ledger whose home folder is on this machine, as commands work on it."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.errors import Reason
from ledger.publisher.home import Home

if TYPE_CHECKING:
    from ledger.commands.ledgers import State
    from ledger.publisher.handover import Outcome
    from ledger.publisher.state import Fate
    from ledger.records.envelope import Envelope
    from ledger.records.roster import Roster

__all__ = ["FolderLedger", "days_since"]


class FolderLedger:
    """The ledger in a home folder; ``keys`` opens the log's keys where this run has to be the sequencer for a moment."""

    def __init__(self, home: Home, keys: Callable[[Path], bytes | None]) -> None:
        self.home, self.keys = home, keys

    @property
    def founding(self) -> str:
        """Hex SHA-256 of the founding."""
        return self.home.founding

    @property
    def address(self) -> str | None:
        """The site's public address, as ``bening.toml`` names it."""
        return self.home.url

    def read(self, ahead: Callable[[State], object] | None = None) -> AbstractContextManager[State]:
        """Open the newest state; whatever is asked of it is answered here, so nothing is gathered ``ahead``."""
        from ledger.publisher.state import open_state

        return open_state(self.home)

    def roster(self) -> Roster:
        """Return the newest roster."""
        with self.read() as state:
            return state.roster

    def roster_at_hand(self, *, newest: bool) -> Roster | None:
        """Return the newest roster."""
        return self.roster()

    def fate(self, act_id: str) -> Fate:
        """Return what became of a submission."""
        from ledger.publisher.state import fate_of

        return fate_of(self.home, act_id)

    def lacking(self, documents: Sequence[dict[str, Any]]) -> list[Reason]:
        """Return a reason for each document that is neither published nor staged with its stated size and hash."""
        from ledger.publisher.documents import judge_documents

        return list(judge_documents(self.home, documents))

    def hand_over(self, acts: Sequence[tuple[Envelope, Mapping[str, Path]]], *, bulk: bool = False) -> list[Outcome]:
        """Publish acts in their order."""
        from ledger.publisher.handover import Submission, hand_over

        submissions = [Submission(envelope, documents) for envelope, documents in acts]
        return hand_over(self.home, submissions, keys=self.keys, bulk=bulk)

    def take_up(self) -> None:
        """Publish what waits, unless a sequencer runs that does."""
        from ledger.publisher.handover import sequence_once

        sequence_once(self.home, self.keys)

    def status(self) -> dict[str, Any]:
        """Return everything that an operator wants to know."""
        from ledger.commands.watching import alerts_of
        from ledger.publisher.inbox import Inbox
        from ledger.publisher.store import Store

        home = self.home
        with Store(home, read_only=True) as store:
            head, size, roster, notes = store.head(), store.published_size(), store.roster(), store.notes()
            published = store.head_at(size)
        inbox = Inbox(home)
        waiting = inbox.count_pending()
        inbox.close()
        return {
            "name": roster.name,
            "origin": home.origin,
            "founding": home.founding,
            "size": size,
            "unpublished": (head.size if head else 0) - size,
            "last_entry": published.time if published else None,
            "quiet_days": days_since(published.time) if published else None,
            "root": published.root.hex() if published else None,
            "waiting": waiting,
            "sequencer_running": home.is_sequenced(),
            "free_mib": shutil.disk_usage(home.path).free // 2**20,
            "restored": home.restore_mark.exists(),
            "notes": [" · ".join(note) for note in notes],
            "alerts": [{"code": one.code, "level": one.level, "values": one.values} for one in alerts_of(home)],
        }


def days_since(time: str) -> int:
    """Return the whole days since an entry's time."""
    moment = datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    return (datetime.datetime.now(datetime.UTC) - moment).days
