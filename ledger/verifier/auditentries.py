"""The entries of an audit, one after another: chain, time, roster, signatures and authority, by the one replay.

Trusted are the pinned founding and what the state holds from earlier runs; an entry's bytes have been held against the
signed tree by ``auditread``. What a later version wrote is counted as not checked and never called false, and neither
is what can only be judged by knowing it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from ledger.errors import LedgerError, NewerFormatError, Reason
from ledger.index import Batch, Rows
from ledger.records.entry import NO_ROSTER, Entry, first_prev
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record
from ledger.records.replay import BINDING, judge
from ledger.records.roster import apply_roster
from ledger.verifier.auditclear import CLEAR
from ledger.verifier.auditread import Bundle, ReadEntry, parsed, restored
from ledger.verifier.auditstate import AuditState
from ledger.verifier.auditwhole import Certainty
from ledger.verifier.findings_acts import FoundInActs

__all__ = ["EntryFault", "EntryReplay"]

_ABOUT_SIGNATURES = ("bad-signature", "signatures-are-not-the-signers")
_NEEDS_EARLIER_ACTS = ("unknown-target", "number-used")
_NAMES = 3  # of an act's keys: its id, its reference, and its number (or a document, where it has none)

Opened = ReadEntry | LedgerError | tuple[Any, ...]


class EntryFault(Exception):  # noqa: N818 (what it carries is a fault of the ledger, not an error of this program)
    """Entry ``index`` is false: the ``check`` that it fails, the ``code`` of the sentence, and the reasons against it."""

    def __init__(self, check: str, code: str, index: int, detail: str = "", reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(f"entry {index}: {code} {detail}")
        self.check, self.code, self.index, self.detail, self.reasons = check, code, index, detail, reasons


class EntryReplay:
    """Reads bundles onto a state, inside the caller's transaction; ``raw`` gives the bytes of an entry.

    ``prev``, ``time``, ``roster`` and ``blind`` are the head's, moved with each entry.
    """

    def __init__(self, state: AuditState, origin: str, raw: Callable[[int], bytes], certainty: Certainty) -> None:
        self.state, self.origin, self.raw, self.certainty = state, origin, raw, certainty
        head = state.head
        self.prev, self.time, self.roster, self.blind = head.prev, head.time, head.roster, head.blind
        self.has_unchecked = state.unchecked() is not None
        self.found, self.acts, self.rows = FoundInActs(state), Batch(state.index), Rows()
        self.known: set[int] = set()
        self.offices: dict[str, str] = {}

    def read(self, bundle: Bundle) -> EntryFault | None:
        """Judge and keep the entries of ``bundle``, the state's next, and move the head behind them.

        Return what is wrong with the first that may not stand there: what is before it is kept, and the head with it.

        Raises:
            StoreError: the state is damaged, so that nothing can be said.
        """
        fault, times = None, list[str]()
        entries = [_opened(one) for one in bundle.entries]
        self._expect(entries)
        try:
            for index, (leaf, one) in enumerate(zip(bundle.leaves, entries, strict=True), bundle.start):
                if not isinstance(one, tuple):
                    self._read_one(index, one)
                elif not self._keep_clear(one):
                    self._read_one(index, parsed(self.raw(index)) if one[-1] is None else restored(one[-1]))
                self.prev = leaf.hex()
                times.append(self.time)
        except EntryFault as found:
            fault = found
        if times:
            self._move_head(bundle, times)
        return fault

    def _expect(self, entries: Sequence[Opened]) -> None:
        """Look up together what keeping these entries needs to know of the acts before."""
        self.acts = Batch(self.state.index)
        clear = [one for one in entries if isinstance(one, tuple)]
        if clear:  # acts that are kept beside the batch: it must not remember what was unknown before them
            self.known = self.state.index.known([key for one in clear for key in one[4][:_NAMES]])
            return
        waiting = [(one.record, one.keys) for one in entries if isinstance(one, ReadEntry) and one.record is not None]
        self.known = set()
        self.acts.expect([record for record, _ in waiting], [keys for _, keys in waiting])

    def _keep_clear(self, one: tuple[Any, ...]) -> bool:
        """Keep an entry that is clear, if its place is this one and none of its names may have been used before."""
        _, prev, roster, time, keys, act, documents, relations, rows, found, _ = one
        index, ref, office, names = act[0], act[3], act[6], keys[:_NAMES]
        if prev != self.prev or roster != self.roster or self.blind or time < self.time or not self.known.isdisjoint(names):
            return False
        if relations and not all(self._is_supposed(kind, target, office) for _, kind, target in relations):
            return False
        self.known.update(names)
        self.offices[ref] = office
        self.rows.acts.append(act)
        self.rows.documents += documents
        self.rows.relations += relations
        self.rows.keys += rows
        self.rows.last = index
        self.found.note(index, ref, found)
        self.time = time
        return True

    def _is_supposed(self, kind: str, target: str, office: str) -> bool:
        """Tell whether an act that a clear one names is as was supposed: it exists, and is of that office if that counts."""
        found = self.offices.get(target)
        if found is None:
            act = self.acts.by_ref(target)
            found = None if act is None else act.office
        return found is not None and (kind not in BINDING or found == office)

    def _settle(self) -> None:
        """Write the acts that were clear, so that the index knows them."""
        self.rows.write(self.state.connection)
        self.offices = {}

    def _move_head(self, bundle: Bundle, times: list[str]) -> None:
        leaves = bundle.leaves[: len(times)]
        self._settle()
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
        self._settle()
        if isinstance(one, NewerFormatError):
            self._add_unchecked(index, "newer-format", str(one))
            self.blind = self.blind or "entry"
            return
        if isinstance(one, LedgerError):
            raise EntryFault("chain", "entry-malformed", index, str(one))
        self._check_chain(index, one.entry)
        self._check_founding(index, one.entry)
        self.known.update(one.keys[:_NAMES])
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


def _opened(data: Any) -> Opened:
    """Return an entry as a child left it, or as it is read here; or what is wrong with it."""
    if type(data) is bytes:
        return parsed(data)
    return data if data[0] == CLEAR else restored(data)
