"""One publication with everything in it, from submission to promise, on a disk that may fail; and what must hold after it."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.publisher.handover import Submission, hand_over, sequence_once
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.staging import stage
from tests.faults.disk import Crash, Disk, Plan
from tests.faults.oracle import Outside, check_audit, check_everything
from tests.publisher.town import Town, no_passphrase

__all__ = ["Base", "Case", "play"]


@dataclass(frozen=True, slots=True)
class Base:
    """A town at rest, to be copied for each case: its ledger has ``size`` entries, and an audit has seen them all."""

    town: Town
    size: int
    withdrawn: str

    @classmethod
    def made(cls, folder: Path, size: int) -> Base:
        """Found a town below ``folder`` and publish until its ledger has ``size`` entries."""
        town = Town(folder)
        town.settle_in()
        first = town.act(b"%PDF-1.4 to be withdrawn")
        town.submit(first, *[town.act(b"%PDF-1.4 the same", number=f"{n}/2026") for n in range(size - 3)])
        check_audit(town.home, folder / "audit")
        return cls(town, size, next(iter(first.documents)))

    def copied(self, folder: Path, *, by_inbox: bool = False, small: bool = False) -> Case:
        """Return the town in a folder of its own, as the disk held it, and a publication to come.

        ``small``: so few files that each is synced by itself, and no sync of the whole disk hides one that is missing.
        """
        here = folder / "home"
        shutil.copytree(self.town.home.public, here / "public", copy_function=os.link)
        shutil.copytree(self.town.home.path, here, dirs_exist_ok=True, ignore=shutil.ignore_patterns("public"))
        shutil.copytree(self.town.folder / "audit", folder / "audit")
        town = copy.copy(self.town)
        town.folder, town.home = folder, Home.open(here)
        withdraw = {"event": "withdraw", "sha256": self.withdrawn, "law": "UU 27/2022", "reason": "data pribadi"}
        events = town.roster_envelopes({"event": "office", "id": "baru", "name": "Kantor Baru"}, withdraw)
        acts = [town.act(b"%PDF-1.4 new"), *map(Submission, events), town.act(b"%PDF-1.4 newer", number="another")]
        return Case(town, acts[:2] if small else acts, Disk(here), by_inbox)


@dataclass
class Case:
    """A town, what it is about to publish, and its disk."""

    town: Town
    acts: Sequence[Submission]
    disk: Disk
    by_inbox: bool = False

    def __post_init__(self) -> None:
        self.outside, self.second_struck = Outside(), False
        self.outside.look(self.town.home.public)

    def submit(self) -> None:
        """Hand the acts over, as the clerk's command does, and keep what is promised; or by the inbox, as the site does."""
        home = Home.open(self.town.home.path)
        if self.by_inbox:
            self._into_the_inbox(home)
        for outcome in hand_over(home, self.acts, keys=no_passphrase):
            assert outcome.index is not None, outcome.reasons
            self.outside.promise(outcome.id, outcome.index, outcome.proof)

    def _into_the_inbox(self, home: Home) -> None:
        stage(home, {sha256: path for act in self.acts for sha256, path in act.documents.items()})
        with contextlib.closing(Inbox(home)) as inbox:
            inbox.submit([act.envelope for act in self.acts])
        assert sequence_once(home, no_passphrase)

    def restart(self) -> None:
        """Be a new process that finishes whatever was interrupted."""
        assert sequence_once(Home.open(self.town.home.path), no_passphrase)

    def under(self, plan: Plan | None, work: Any) -> str | None:
        """Do ``work`` on a disk that fails as planned; return what an operator is told. A foreign error is a fault of ours."""
        with self.disk.installed(plan):
            try:
                work()
            except LedgerError as error:
                told = error.code
            except Crash:
                told = "crash"
            else:
                told = None
        self.outside.look(self.town.home.public)
        return told

    def check(self) -> None:
        """Send everything again, and require every invariant; an audit from before goes on, and a new one begins."""
        self.restart()
        self.submit()
        folder = self.town.folder
        check_everything(self.town.home, self.outside, states=[folder / "audit", folder / "audit-anew"])
        assert len(self.outside.promised) == len(self.acts)


def play(case: Case, first: Plan, second: Plan | None = None, *, power: bool = False) -> str | None:
    """Play one publication with a fault, a second one at the restart, and perhaps a power cut when all seems done."""
    told = case.under(first, case.submit)
    if second is not None:
        case.under(second, case.restart)
        case.second_struck = case.disk.struck
    if power:
        case.under(None, case.submit)
        case.disk.cut_power()
    case.check()
    return told
