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
from ledger.verifier.auditread import Bundle, ReadEntry, parsed, restored
from ledger.verifier.auditrun import CLEAR, NAMES, OFFICE, REF, Run
from ledger.verifier.auditstate import AuditState
from ledger.verifier.auditwhole import Certainty
from ledger.verifier.findings_acts import FoundInActs

__all__ = ["EntryFault", "EntryReplay"]

_ABOUT_SIGNATURES = ("bad-signature", "signatures-are-not-the-signers")
_NEEDS_EARLIER_ACTS = ("unknown-target", "number-used")
_MOST_NAMES = 400_000  # kept in memory, up to which a run that began with nothing need not ask the index for names

Row = tuple[Any, ...]
Opened = ReadEntry | LedgerError | Run


class EntryFault(Exception):  # noqa: N818 (what it carries is a fault of the ledger, not an error of this program)
    """Entry ``index`` is false: the ``check`` that it fails, the ``code`` of the sentence, and the reasons against it."""

    def __init__(self, check: str, code: str, index: int, detail: str = "", reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(f"entry {index}: {code} {detail}")
        self.check, self.code, self.index, self.detail, self.reasons = check, code, index, detail, reasons


class EntryReplay:
    """Reads bundles onto a state, inside the caller's transaction, which ends with ``settle``; ``raw`` gives an entry's bytes.

    ``prev``, ``time``, ``roster`` and ``blind`` are the head's, moved with each entry. What runs say is written without keys,
    and the keys together when the index is asked for something, or in the end.
    """

    def __init__(self, state: AuditState, origin: str, raw: Callable[[int], bytes], certainty: Certainty) -> None:
        self.state, self.origin, self.raw, self.certainty = state, origin, raw, certainty
        head = state.head
        self.prev, self.time, self.roster, self.blind = head.prev, head.time, head.roster, head.blind
        self.has_unchecked = state.unchecked() is not None
        self.found, self.acts, self.rows = FoundInActs(state), Batch(state.index, whole=False), Rows(whole=False)
        self.names = set[int]()  # of the acts before, those that may be used again here; all of them if ``knows_all``
        self.knows_all = head.size == 0
        self.kept: tuple[list[Row], list[Row]] = ([], [])  # rows of acts and documents of the bundle that is being read
        self.whole: Run | None = None  # the bundle that was read last, if it was one run
        self.offices: dict[str, str] | None = None  # of acts in runs by reference, from the first relation on

    def read(self, bundle: Bundle) -> EntryFault | None:
        """Judge and keep the entries of ``bundle``, the state's next, and move the head behind them.

        Return what is wrong with the first that may not stand there: what is before it is kept, and the head with it.

        Raises:
            StoreError: the state is damaged, so that nothing can be said.
        """
        fault, times = None, list[str]()
        self.kept = ([], [])
        found = [_opened(one) for one in bundle.entries]
        self._expect(found)
        try:
            for one in found:
                self._read_some(bundle, times, one)
        except EntryFault as caught:
            fault = caught
        only = found[0] if len(found) == 1 else None
        self.whole = only if isinstance(only, Run) and not only.relations and self.rows.last == only.acts[-1][0] else None
        if times:
            self._move_head(bundle, times)
        return fault

    def settle(self) -> None:
        """Write all that is left to write: the transaction ends."""
        self.rows.write(self.state.connection)
        self.offices = None if self.offices is None else {}
        if not self.knows_all or len(self.names) > _MOST_NAMES:
            self.names, self.knows_all = set(), False

    def _read_some(self, bundle: Bundle, times: list[str], one: Opened) -> None:
        """Judge and keep one entry or a run; ``times`` are those of the entries before, and are added to."""
        at = len(times)
        if isinstance(one, Run) and self._keep_run(one):
            times += [act[1] for act in one.acts]
            self.prev, self.time = bundle.leaves[len(times) - 1].hex(), one.until
            return
        count = len(one.acts) if isinstance(one, Run) else 1
        for index, leaf in enumerate(bundle.leaves[at : at + count], bundle.start + at):
            if isinstance(one, Run):
                self._read_one(index, restored(one.parts) if one.parts else parsed(self.raw(index)))
            else:
                self._read_one(index, one)
            self.prev = leaf.hex()
            times.append(self.time)

    def _expect(self, found: Sequence[Opened]) -> None:
        """Look up together what keeping these entries needs to know of the acts before."""
        self.acts = Batch(self.state.index, whole=False)
        if not self.knows_all:
            names = [name for one in found if isinstance(one, Run) for name in one.names]
            self.names.update(self.state.index.known(names))
        if not any(isinstance(one, Run) for one in found):  # a batch must not remember what was unknown before a run was kept
            waiting = [(one.record, one.keys) for one in found if isinstance(one, ReadEntry) and one.record is not None]
            self._ask_index()
            self.acts.expect([record for record, _ in waiting], [keys for _, keys in waiting])

    def _keep_run(self, run: Run) -> bool:
        """Keep a run if its place is this one and none of its names may have been used before."""
        if run.prev != self.prev or run.roster != self.roster or self.blind or run.since < self.time:
            return False
        if not self.names.isdisjoint(run.names):
            return False
        if run.relations and not all(self._is_supposed(kind, target, run.acts[0][OFFICE]) for _, kind, target in run.relations):
            return False
        self.names.update(run.names)
        if self.offices is not None:
            self.offices.update((act[REF], act[OFFICE]) for act in run.acts)
        self._note_rows(run.acts, run.documents)
        self.rows.acts += run.acts
        self.rows.documents += run.documents
        self.rows.relations += run.relations
        self.rows.keys += run.keys
        self.rows.last = run.acts[-1][0]
        for index, ref, looked in run.looked:
            self.found.note(index, ref, looked)
        return True

    def _note_rows(self, acts: Sequence[Row], documents: Sequence[Row]) -> None:
        self.kept[0].extend(acts)
        self.kept[1].extend(documents)

    def _is_supposed(self, kind: str, target: str, office: str) -> bool:
        """Tell whether an act that a clear one names is as was supposed: it exists, and is of that office if that counts."""
        found = None if self.offices is None else self.offices.get(target)
        if found is None:
            self._ask_index()
            self.offices = self.offices or {}
            act = self.acts.by_ref(target)
            found = None if act is None else act.office
        return found is not None and (kind not in BINDING or found == office)

    def _ask_index(self) -> None:
        """Let the index know the acts in the runs so far."""
        self.rows.write(self.state.connection)

    def _move_head(self, bundle: Bundle, times: list[str]) -> None:
        leaves = bundle.leaves[: len(times)]
        self.rows.write_acts(self.state.connection)
        self.acts.write()
        self.found.keep()
        self.state.add_leaves(bundle.start, leaves, times, self.kept)
        head = self.state.head
        tree = head.tree().extend(leaves)
        frontier = tree.to_bytes().hex()
        head = replace(head, size=tree.size, frontier=frontier, prev=self.prev, time=self.time)
        self.state.save(replace(head, roster=self.roster, blind=self.blind))

    def _read_one(self, index: int, one: ReadEntry | LedgerError) -> None:
        """Judge and keep the entry at ``index``; raises EntryFault before anything of it is kept."""
        self._ask_index()
        if isinstance(one, NewerFormatError):
            self._add_unchecked(index, "newer-format", str(one))
            self.blind = self.blind or "entry"
            return
        if isinstance(one, LedgerError):
            raise EntryFault("chain", "entry-malformed", index, str(one))
        self._check_chain(index, one.entry)
        self._check_founding(index, one.entry)
        self.names.update(one.keys[NAMES])
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
        rows = self.acts.rows
        self._note_rows(rows.acts[-1:], [one for one in rows.documents if one[0] == index])
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
        if record is not None and self.acts.by_ref(record.ref) is None:
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
    return Run(*data) if data[0] == CLEAR else restored(data)
