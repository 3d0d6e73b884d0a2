"""Which ledger a command speaks of: ``-L``, then ``BENING_LEDGER``, then the settings' default; and what it is asked for.

A command works on a ``Ledger``: a home folder on this machine (``folder``), or a site elsewhere (``site``). What truly
needs the machine (its keys, its databases, its clock) asks for the ``Home`` itself, and says so of a URL.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ledger.commands.common import Session
from ledger.errors import Reason, UsageError
from ledger.publisher.home import Home
from ledger.settings import Settings

if TYPE_CHECKING:
    from ledger.index import KnownActs
    from ledger.records.envelope import Envelope
    from ledger.records.roster import Roster

__all__ = ["Fate", "Ledger", "Outcome", "State", "check_place", "home_of", "ledger_of"]


class State(Protocol):
    """The roster and the acts after ``size`` entries."""

    @property
    def roster(self) -> Roster:
        """Who may do what."""

    @property
    def index(self) -> KnownActs:
        """The acts."""

    @property
    def size(self) -> int:
        """How many entries there are."""


class Fate(Protocol):
    """What became of a submission: ``published`` or ``integrated`` at ``index``, ``pending``, ``refused``, or ``unknown``."""

    @property
    def state(self) -> str:
        """One of these words."""

    @property
    def index(self) -> int | None:
        """Its place."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it was refused."""


class Outcome(Protocol):
    """What became of one act that was handed over: its place and proof, or every reason of the refusal."""

    @property
    def id(self) -> str:
        """Hex SHA-256 of the payload."""

    @property
    def ref(self) -> str | None:
        """The act's reference; None for a roster event."""

    @property
    def index(self) -> int | None:
        """Its place."""

    @property
    def already(self) -> bool:
        """The same payload had been published before."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it was refused."""

    @property
    def proof(self) -> bytes | None:
        """The ``.tlog-proof``."""


class Ledger(Protocol):
    """A ledger that a command works on, wherever it is."""

    @property
    def founding(self) -> str:
        """Hex SHA-256 of the founding."""

    @property
    def address(self) -> str | None:
        """The site's public address, for labels."""

    def read(self, ahead: Callable[[State], object] | None = None) -> AbstractContextManager[State]:
        """Open the newest state, until the block ends.

        ``ahead`` goes through what will be asked of its index, so that a site can be asked for all of that together; it may
        be called with a state whose index finds nothing.
        """

    def roster(self) -> Roster:
        """Return the newest roster, with the entries at which keys came and went."""

    def roster_at_hand(self, *, newest: bool) -> Roster | None:
        """Return the roster to describe what is signed; unless the ``newest`` is needed, nothing elsewhere is asked for it."""

    def fate(self, act_id: str) -> Fate:
        """Return what became of the act or roster event with this id."""

    def lacking(self, documents: Sequence[dict[str, Any]]) -> list[Reason]:
        """Return a reason for each document (as a record names it) that is known not to be there."""

    def hand_over(self, acts: Sequence[tuple[Envelope, Mapping[str, Path]]], *, bulk: bool = False) -> Sequence[Outcome]:
        """Publish envelopes with their documents (paths by SHA-256), in their order, and return one outcome each.

        ``bulk``: many such calls follow each other, and nobody asks for proofs; ``take_up`` comes after the last.

        Raises:
            AdmissionError: a document's bytes are not those of its hash.
            LedgerError: it cannot go on; handing over the same acts again is safe.
        """

    def take_up(self) -> None:
        """Publish what an earlier run may have left half-way."""

    def status(self) -> dict[str, Any]:
        """Return the ledger's state, as far as it can be seen from here."""


def ledger_of(here: Session) -> Ledger:
    """Return the ledger that this run speaks of.

    Raises:
        UsageError: none is named, there is none of that name, or its address cannot be used.
        StoreError: no home.
    """
    settings = Settings.load(os.environ)
    location = settings.locate(here.ledger)
    if location.kind == "url":
        from ledger.commands.site import SiteLedger

        return SiteLedger(here, location.value, settings)
    from ledger.commands.folder import FolderLedger

    return FolderLedger(Home.open(Path(location.value)), here.passphrase_of)


def home_of(here: Session) -> Home:
    """Return the home folder that this run speaks of.

    Raises:
        UsageError: a URL or a published folder: this needs the ledger's own machine.
        StoreError: no home.
    """
    location = Settings.load(os.environ).locate(here.ledger)
    if location.kind == "url":
        raise UsageError(f"{location.value} is not on this machine", code="needs-home", ledger=location.value)
    return Home.open(Path(location.value))


def check_place(where: str) -> None:
    """Accept a folder, or the address of a site that may be asked.

    Raises:
        UsageError: ``bad-site``, ``plain-http``.
    """
    if "://" in where:
        from ledger.commands.site import plain_http_hosts
        from ledger.remote.client import check_address

        check_address(where, plain_http_hosts())
