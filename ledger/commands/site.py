"""A ledger elsewhere, asked by its site's API, as commands work on it: ``ledger.remote`` under what this reader has pinned.

Where the ledger is pinned (``bening trust add``), every answer that counts is held against the pinned keys and founding, and
against the newest checkpoint and roster that were seen: a promise of another history is none. Where it is not pinned, it is
held against what the site says of itself, after seeing that this agrees with itself; and that is said, every time.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ledger.commands.common import Session
from ledger.commands.folder import days_since
from ledger.errors import FetchError, LedgerError, PolicyError, ProofError, Reason
from ledger.remote.client import ALLOW_HTTP, Client, is_loopback

if TYPE_CHECKING:
    from ledger.commands.ledgers import State
    from ledger.records.envelope import Envelope
    from ledger.records.roster import Roster
    from ledger.remote.handover import Outcome
    from ledger.remote.state import RemoteActs, RemoteState, Trust
    from ledger.settings import Settings
    from ledger.tlog.policy import Opened, Policy
    from ledger.verifier.client import Source
    from ledger.verifier.pins import Pin
    from ledger.verifier.reader import View

__all__ = ["SiteLedger", "plain_http_hosts"]

_CACHED = (0.5, 1.0, 2.0, 4.0)  # seconds


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a submission, as the site says; ``published`` only where the entry was found to be that act."""

    state: str
    index: int | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Base:
    """What answers are held against: a policy and a founding, pinned (``pin``) or the site's own."""

    policy: Policy
    founding: str
    source: Source
    pin: Pin | None


@dataclass(frozen=True, slots=True)
class _Noting:
    """A state whose index finds nothing and notes what it was asked."""

    roster: Roster
    index: RemoteActs
    size: int


class SiteLedger:
    """The ledger whose site is at ``url``. Nothing is asked before something is needed."""

    def __init__(self, here: Session, url: str, settings: Settings) -> None:
        self.here, self.trust_dir = here, settings.trust_dir
        self.client = Client(url, lang=here.lang, plain_http=plain_http_hosts(), tell=self._waits)
        self._check = functools.lru_cache(maxsize=16)(self._check_note)

    @property
    def founding(self) -> str:
        """Hex SHA-256 of the founding, pinned or as the site says."""
        return self.trust.founding

    @property
    def address(self) -> str | None:
        """The address that this ledger was named by; on this machine itself, the public one that the site names."""
        from ledger.remote.answers import ask

        if not is_loopback(urlsplit(self.client.url).hostname or ""):
            return self.client.url
        told = ask(self.client, "ledger")
        url = told.get("url") if isinstance(told, dict) else None
        return url if isinstance(url, str) and url else None

    @functools.cached_property
    def trust(self) -> Trust:
        """What the site's answers are judged by; asked once, and the ledger found to continue what was seen of it.

        Raises:
            LedgerError: it could not be read, or it is not the pinned ledger.
        """
        from ledger.remote.state import Trust

        base = self._base
        if base.pin is None:
            values = {"where": self.client.url, "founding": base.founding}
            self.here.note(self.here.say("site.not-pinned", **values))
            return Trust(base.founding, self._check)
        self._hold_newest(base.pin)
        return Trust(base.founding, self._check, base.pin.roster)

    @contextlib.contextmanager
    def read(self, ahead: Callable[[State], object] | None = None) -> Iterator[RemoteState]:
        """Open the newest published state; what ``ahead`` would ask is asked together."""
        from ledger.remote.state import RemoteActs, RemoteState

        state = RemoteState(self.client, self.trust)
        if ahead is not None:
            noting = RemoteActs(self.client, noting=True)
            ahead(_Noting(state.roster, noting, state.size))
            state.index.prefetch(noting.noted)
        yield state

    def roster(self) -> Roster:
        """Return the newest roster; at which entries keys came and went is as the site states it."""
        from ledger.remote.state import placed_roster

        with self.read() as state:
            return placed_roster(state)

    def roster_at_hand(self, *, newest: bool) -> Roster | None:
        """Return the newest roster, or without asking anybody the one that was seen last; None where none was."""
        from ledger.records.roster import replay_roster
        from ledger.verifier.pins import load_pins

        if newest:
            with self.read() as state:
                return state.roster
        pin = next((one for one in load_pins(self.trust_dir) if one.location == self.client.url and one.roster), None)
        return None if pin is None else replay_roster(list(pin.roster), founding=pin.founding)[-1]

    def fate(self, act_id: str) -> Fate:
        """Return what became of a submission; that it is published is believed only of the entry itself.

        Raises:
            ProofError: ``site-unproven``: another act stands there.
        """
        from ledger.remote.answers import fate_told

        told = fate_told(self.client, act_id)
        state = {"waiting": "pending", "integrated": "pending"}.get(told.state, told.state)
        if told.index is None or state != "published":
            return Fate(state, None, told.reasons)
        for pause in _CACHED:  # the checkpoint may come from a cache of some seconds
            view = self._view()
            if told.index < view.size:
                self._check_entry(view, told.index, act_id)
                return Fate("published", told.index)
            self.client.sleep(pause)
        return Fate("pending", told.index)

    def lacking(self, documents: Sequence[dict[str, Any]]) -> list[Reason]:
        """Return nothing: the site names the documents that it lacks, and takes nothing without them."""
        return []

    def hand_over(self, acts: Sequence[tuple[Envelope, Mapping[str, Path]]], *, bulk: bool = False) -> list[Outcome]:
        """Publish acts in their order; what is told to be published is proven, and of the history that was seen."""
        from ledger.remote.handover import Submission, hand_over

        trust = self.trust
        outcomes = hand_over(self.client, trust, [Submission(envelope, documents) for envelope, documents in acts])
        self._hold_promises([one.proof for one in outcomes if one.proof is not None])
        return outcomes

    def take_up(self) -> None:
        """Do nothing: the site's sequencer takes up what waits."""

    def status(self) -> dict[str, Any]:
        """Return what can be known publicly, each of it held against the signed checkpoint."""
        from ledger.records.entry import parse_entry
        from ledger.tlog.policy import LOG_PQ

        with self.read() as state:
            view, roster = self._view(), state.roster
        last = parse_entry(view.entry(view.size - 1)).time
        return {
            "name": roster.name,
            "origin": view.checkpoint.origin,
            "founding": self.founding,
            "size": view.size,
            "last_entry": last,
            "quiet_days": days_since(last),
            "root": view.checkpoint.root.hex(),
            "cosigned": ", ".join(name for name in view.opened.cosigned if name != LOG_PQ) or None,
            "pinned": self._base.pin is not None,
            "url": self.client.url,
        }

    # -- what answers are held against

    @functools.cached_property
    def _base(self) -> _Base:
        from ledger.remote.answers import refusal
        from ledger.verifier.choice import choose_source
        from ledger.verifier.trust import propose_source

        reply = self.client.get("checkpoint")  # before anything else: whether there is a ledger at this address, and no other
        if reply.status != 200:
            raise refusal(self.client, reply)
        trusted, source = choose_source(self.trust_dir, self.client.url)
        if source is None:
            raise FetchError(f"{self.client.url}: no source", code="no-api", where=self.client.url)
        if trusted.pin is not None:
            return _Base(trusted.pin.policy, trusted.pin.founding, source, trusted.pin)
        offered = propose_source(source)
        return _Base(offered.policy, offered.founding, source, None)

    def _check_note(self, note: bytes) -> Opened:
        """Accept a signed checkpoint by the policy, or by keys that the founding's authority has put in their place."""
        from ledger.records.roster import replay_roster
        from ledger.verifier.client import read_roster
        from ledger.verifier.logkeys import open_by_roster

        base = self._base
        try:
            return base.policy.check(note)
        except PolicyError as error:
            if error.code != "wrong-key":
                raise
        return open_by_roster(base.policy, note, replay_roster(read_roster(base.source), founding=base.founding))

    def _view(self, note: bytes | None = None) -> View:
        from ledger.verifier.client import fetch_checkpoint
        from ledger.verifier.reader import View

        base = self._base
        found = fetch_checkpoint(base.source) if note is None else note
        return View(base.source, base.policy, base.founding, found, self._check(found))

    def _check_entry(self, view: View, index: int, act_id: str) -> None:
        from ledger.records.entry import parse_entry
        from ledger.words import explain

        found = parse_entry(view.entry(index)).envelope.id
        if found != act_id:
            other = ProofError(found, code="promise-other-act", id=found[:16], expected=act_id[:16])
            values: dict[str, object] = {"where": self.client.url, "id": act_id[:16], "problem": explain(other, self.here.lang)}
            raise ProofError(f"entry {index} is another act", code="site-unproven", **values)

    def _hold_newest(self, pin: Pin) -> None:
        """Require that the ledger continues what was seen of it, and remember it; one served a little late is no alarm.

        Raises:
            ProofError: ``ledger-rolled-back``, ``ledger-forked``; both checkpoints are kept.
        """
        from ledger.verifier.trust import check_growth, follow

        view = self._view()
        if pin.checkpoint is not None and pin.note is not None and view.size < pin.checkpoint.size:
            with contextlib.suppress(LedgerError):
                check_growth(view.checkpoint, self._view(pin.note))
                return
        follow(pin, view)

    def _hold_promises(self, proofs: Sequence[bytes]) -> None:
        """Require that promises are of the history that was seen.

        Raises:
            ProofError: ``ledger-rolled-back``, ``ledger-forked``; both checkpoints are kept.
        """
        from ledger.tlog.proof import parse_proof
        from ledger.verifier.trust import check_growth, keep_evidence, load_pin

        if self._base.pin is None:
            return
        pin = load_pin(self._base.pin.folder)
        if pin.note is None:
            return
        seen = self._view(pin.note)
        for note in dict.fromkeys(parse_proof(one).checkpoint for one in proofs):
            try:
                promised = self._view(note)
                older, newer = sorted((promised, seen), key=lambda one: one.size)
                check_growth(older.checkpoint, newer)
            except FetchError as error:
                self.here.note(self.here.say("site.not-compared", where=self.client.url, problem=error.detail))
            except ProofError:
                keep_evidence(pin, note)
                raise

    def _waits(self, seconds: float) -> None:
        if sys.stderr.isatty() and not self.here.json:
            self.here.note(self.here.say("site.waits", seconds=round(seconds)))


def plain_http_hosts() -> list[str]:
    """Return the hosts that may be asked without encryption, as the environment names them."""
    return [one for one in os.environ.get(ALLOW_HTTP, "").split(",") if one]
