"""The entries of an audit, one after another: chain, time, roster, signatures and authority, by the one replay.

Trusted are the pinned founding and what the state holds from earlier runs; an entry's bytes have been held against the
signed tree by ``auditread``. What a later version wrote is counted as not checked and never called false, and neither
is what can only be judged by knowing it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from ledger.errors import FormatError, LedgerError, NewerFormatError, Reason
from ledger.index import Batch, keys_of
from ledger.index.examined import sound_record
from ledger.records.entry import NO_ROSTER, Entry, first_prev, parse_entry
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record
from ledger.records.replay import judge
from ledger.records.roster import apply_roster
from ledger.verifier.auditread import Bundle, ReadEntry, restored
from ledger.verifier.auditstate import AuditState
from ledger.verifier.auditwhole import Certainty
from ledger.verifier.findings_acts import FoundInActs

__all__ = ["EntryFault", "EntryReplay"]

_ABOUT_SIGNATURES = ("bad-signature", "signatures-are-not-the-signers")
_NEEDS_EARLIER_ACTS = ("unknown-target", "number-used")


class EntryFault(Exception):  # noqa: N818 (what it carries is a fault of the ledger, not an error of this program)
    """Entry ``index`` is false: the ``check`` that it fails, the ``code`` of the sentence, and the reasons against it."""

    def __init__(self, check: str, code: str, index: int, detail: str = "", reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(f"entry {index}: {code} {detail}")
        self.check, self.code, self.index, self.detail, self.reasons = check, code, index, detail, reasons


class EntryReplay:
    """Reads bundles onto a state, inside the caller's transaction.

    ``prev``, ``time``, ``roster`` and ``blind`` are the head's, moved with each entry.
    """

    def __init__(self, state: AuditState, origin: str, certainty: Certainty) -> None:
        self.state, self.origin, self.certainty = state, origin, certainty
        head = state.head
        self.prev, self.time, self.roster, self.blind = head.prev, head.time, head.roster, head.blind
        self.has_unchecked = state.unchecked() is not None
        self.found, self.acts = FoundInActs(state), Batch(state.index)

    def read(self, bundle: Bundle) -> EntryFault | None:
        """Judge and keep the entries of ``bundle``, the state's next, and move the head behind them.

        Return what is wrong with the first that may not stand there: what is before it is kept, and the head with it.

        Raises:
            StoreError: the state is damaged, so that nothing can be said.
        """
        fault, times = None, list[str]()
        entries = [_parsed(data) for data in bundle.entries]
        self.acts = self._expecting(entries)
        try:
            for place, (leaf, one) in enumerate(zip(bundle.leaves, entries, strict=True)):
                self._read_one(bundle.start + place, one)
                self.prev = leaf.hex()
                times.append(self.time)
        except EntryFault as found:
            fault = found
        if times:
            self._move_head(bundle, times)
        return fault

    def _expecting(self, entries: list[ReadEntry | LedgerError]) -> Batch:
        """Return the acts so far, of which what judging these entries needs is looked up together."""
        acts = Batch(self.state.index)
        known = [(one.record, one.keys) for one in entries if isinstance(one, ReadEntry) and one.record is not None]
        acts.expect([record for record, _ in known], [keys for _, keys in known])
        return acts

    def _move_head(self, bundle: Bundle, times: list[str]) -> None:
        leaves = bundle.leaves[: len(times)]
        self.acts.write()
        self.found.keep()
        self.state.add_leaves(bundle.start, leaves, times)
        head = self.state.head
        tree = head.tree().extend(leaves)
        frontier = tree.to_bytes().hex()
        head = replace(head, size=tree.size, frontier=frontier, prev=self.prev, time=self.time)
        self.state.save(replace(head, roster=self.roster, blind=self.blind))

    def _read_one(self, index: int, one: ReadEntry | LedgerError) -> None:
        """Judge and keep the entry at ``index``; raises EntryFault before anything of it is kept."""
        if isinstance(one, NewerFormatError):
            self._add_unchecked(index, "newer-format", str(one))
            self.blind = self.blind or "entry"
            return
        if isinstance(one, LedgerError):
            raise EntryFault("chain", "entry-malformed", index, str(one))
        self._check_chain(index, one.entry)
        self._check_founding(index, one.entry)
        blind = self._check_roster(index, one.entry)
        self.roster, self.blind = self._keep(index, one, blind)
        self.time = one.entry.time

    def _check_chain(self, index: int, entry: Entry) -> None:
        expected = self.prev if index else first_prev(self.origin)
        if entry.prev != expected:
            raise EntryFault("chain", "chain-broken", index)
        if entry.time < self.time:
            raise EntryFault("chain", "time-backwards", index, f"{entry.time} < {self.time}")

    def _check_founding(self, index: int, entry: Entry) -> None:
        if index == 0 and (entry.envelope.payload_type != ROSTER_TYPE or entry.envelope.id != self.state.head.founding):
            raise EntryFault("founding", "other-founding", index, entry.envelope.id[:16])

    def _check_roster(self, index: int, entry: Entry) -> str:
        """Require that the entry names the newest roster; return why the roster is not known, if so."""
        if entry.roster == (self.roster if index else NO_ROSTER):
            return "" if self.blind == "entry" else self.blind
        if self.blind:
            return "roster"
        raise EntryFault("authority", "roster-not-newest", index)

    def _keep(self, index: int, one: ReadEntry, blind: str) -> tuple[str, str]:
        """Judge and keep what the entry carries; return the newest roster's hash, and why it is not known."""
        entry, record = one.entry, one.record
        is_roster = entry.envelope.payload_type == ROSTER_TYPE
        newest = entry.envelope.id if is_roster else entry.roster
        if blind:
            self._keep_unjudged(index, entry, record, "roster-not-known", "")
            return newest, blind
        reasons = self._judge(index, one)
        if any(reason.unknown for reason in reasons):
            self._add_unchecked(index, "newer-format", "; ".join(map(str, reasons)))
            return newest, "roster" if is_roster else ""
        if reasons and self._may_lean_on_newer(reasons):
            self._keep_unjudged(index, entry, record, "leans-on-newer", "; ".join(map(str, reasons)))
            return newest, ""
        if reasons:
            self._accuse(index, reasons)
        if is_roster:
            self._keep_roster(index, entry)
        elif record is not None:
            self._add_record(index, entry, record)
        return newest, ""

    def _judge(self, index: int, one: ReadEntry) -> list[Reason]:
        roster, entry = self.state.roster, one.entry
        return judge(roster, self.acts, entry.envelope, index=index, time=entry.time, record=one.record, verified=one.verified)

    def _add_record(self, index: int, entry: Entry, record: Record) -> None:
        self.acts.add(record, index=index, time=entry.time)
        self.found.add(record, index)

    def _add_unchecked(self, index: int, code: str, detail: str) -> None:
        self.state.add_unchecked(index, code, detail)
        self.has_unchecked = True

    def _keep_roster(self, index: int, entry: Entry) -> None:
        after = apply_roster(self.state.roster, entry.envelope, index=index)
        if after.origin != self.origin:
            raise EntryFault("founding", "other-origin-inside", index, after.origin)
        self.state.add_roster(entry.envelope, after, index=index)

    def _keep_unjudged(self, index: int, entry: Entry, record: Record | None, code: str, detail: str) -> None:
        """Count the entry as not checked; its documents and look-ups are still looked for."""
        self._add_unchecked(index, code, detail)
        if record is not None and self.acts.by_ref(record.ref) is None and self.acts.by_id(record.id) is None:
            self._add_record(index, entry, record)

    def _may_lean_on_newer(self, reasons: list[Reason]) -> bool:
        """Tell whether acts that could not be read here might answer all of ``reasons``."""
        return all(reason.code in _NEEDS_EARLIER_ACTS for reason in reasons) and self.has_unchecked

    def _accuse(self, index: int, reasons: list[Reason]) -> NoReturn:
        """Raise the fault, after making sure that it is the ledger's and not this machine's."""
        self.certainty.require()
        name = "signature" if any(reason.code in _ABOUT_SIGNATURES for reason in reasons) else "authority"
        raise EntryFault(name, "entry-not-allowed", index, "; ".join(map(str, reasons)), tuple(reasons))


def _parsed(data: bytes | tuple[object, ...]) -> ReadEntry | LedgerError:
    """Return an entry as a child left it, or as it is read here; or what is wrong with it."""
    if type(data) is tuple:
        return restored(data)
    try:
        entry = parse_entry(data)  # type: ignore[arg-type]
    except (FormatError, NewerFormatError) as error:
        return error
    record = sound_record(entry.envelope)
    return ReadEntry(entry, record, {}, () if record is None else keys_of(record))
