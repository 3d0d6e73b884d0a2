"""The entries of an audit, one after another: chain, time, roster, signatures and authority, by the one replay.

Trusted are the pinned founding and what the state holds from earlier runs; an entry's bytes have been held against the
signed tree by ``reader.View``. What a later version wrote is counted as not checked and never called false, and neither
is what can only be judged by knowing it.
"""

from __future__ import annotations

from typing import NoReturn

from ledger.errors import AdmissionError, FormatError, LedgerError, NewerFormatError, Reason
from ledger.records.entry import NO_ROSTER, Entry, first_prev, parse_entry
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.replay import judge
from ledger.records.roster import apply_roster
from ledger.tlog.merkle import leaf_hash
from ledger.verifier.auditstate import AuditState

__all__ = ["EntryFault", "EntryReplay"]

_ABOUT_SIGNATURES = ("bad-signature", "signatures-are-not-the-signers")
_NEEDS_EARLIER_ACTS = ("unknown-target", "number-used")


class EntryFault(Exception):  # noqa: N818 (what it carries is a fault of the ledger, not an error of this program)
    """Entry ``index`` is false: the ``check`` that it fails, the ``code`` of the sentence, and the reasons against it."""

    def __init__(self, check: str, code: str, index: int, detail: str = "", reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(f"entry {index}: {code} {detail}")
        self.check, self.code, self.index, self.detail, self.reasons = check, code, index, detail, reasons


class EntryReplay:
    """Reads entries onto a state, inside the caller's transaction; raises at the first that is false, before keeping it.

    The state's ``head`` moves with each entry; the caller saves it at the end of the transaction.
    """

    def __init__(self, state: AuditState, origin: str) -> None:
        self.state, self.origin = state, origin
        self.resumed = state.head.size > 0

    def read(self, index: int, data: bytes) -> None:
        """Judge and keep the entry at ``index``, the state's next.

        Raises:
            EntryFault: it may not stand there.
            StoreError: the state is damaged, so that nothing can be said.
        """
        try:
            entry = parse_entry(data)
        except NewerFormatError as error:
            self._keep_newer(index, data, error)
            return
        except FormatError as error:
            raise EntryFault("chain", "entry-malformed", index, str(error)) from None
        self._check_chain(index, entry)
        self._check_founding(index, entry)
        blind = self._check_roster(index, entry)
        roster, blind = self._keep(index, entry, blind)
        leaf = leaf_hash(data)
        self.state.add_entry(index, leaf, entry.time)
        self.state.head = self.state.head.grown(leaf, time=entry.time, roster=roster, blind=blind)

    def _keep_newer(self, index: int, data: bytes, error: LedgerError) -> None:
        head = self.state.head
        leaf = leaf_hash(data)
        self.state.add_unchecked(index, "newer-format", str(error))
        self.state.add_entry(index, leaf, head.time)
        self.state.head = head.grown(leaf, time=head.time, roster=head.roster, blind=head.blind or "entry")

    def _check_chain(self, index: int, entry: Entry) -> None:
        head = self.state.head
        expected = head.prev if index else first_prev(self.origin)
        if entry.prev != expected:
            raise EntryFault("chain", "chain-broken", index)
        if entry.time < head.time:
            raise EntryFault("chain", "time-backwards", index, f"{entry.time} < {head.time}")

    def _check_founding(self, index: int, entry: Entry) -> None:
        if index == 0 and (entry.envelope.payload_type != ROSTER_TYPE or entry.envelope.id != self.state.head.founding):
            raise EntryFault("founding", "other-founding", index, entry.envelope.id[:16])

    def _check_roster(self, index: int, entry: Entry) -> str:
        """Require that the entry names the newest roster; return why the roster is not known, if so."""
        head = self.state.head
        if entry.roster == (head.roster if index else NO_ROSTER):
            return "" if head.blind == "entry" else head.blind
        if head.blind:
            return "roster"
        raise EntryFault("authority", "roster-not-newest", index)

    def _keep(self, index: int, entry: Entry, blind: str) -> tuple[str, str]:
        """Judge and keep what the entry carries; return the newest roster's hash, and why it is not known."""
        is_roster = entry.envelope.payload_type == ROSTER_TYPE
        newest = entry.envelope.id if is_roster else entry.roster
        if blind:
            self._keep_unjudged(index, entry, "roster-not-known", "")
            return newest, blind
        reasons = judge(self.state.roster, self.state.index, entry.envelope, index=index, time=entry.time)
        if any(reason.unknown for reason in reasons):
            self.state.add_unchecked(index, "newer-format", "; ".join(map(str, reasons)))
            return newest, "roster" if is_roster else ""
        if reasons and self._may_lean_on_newer(reasons):
            self._keep_unjudged(index, entry, "leans-on-newer", "; ".join(map(str, reasons)))
            return newest, ""
        if reasons:
            self._accuse(index, reasons)
        if is_roster:
            self._keep_roster(index, entry)
        else:
            self.state.add_record(parse_record(entry.envelope.payload), index=index, time=entry.time)
        return newest, ""

    def _keep_roster(self, index: int, entry: Entry) -> None:
        after = apply_roster(self.state.roster, entry.envelope, index=index)
        if after.origin != self.origin:
            raise EntryFault("founding", "other-origin-inside", index, after.origin)
        self.state.add_roster(entry.envelope, after, index=index)

    def _keep_unjudged(self, index: int, entry: Entry, code: str, detail: str) -> None:
        """Count the entry as not checked; its documents and look-ups are still looked for."""
        self.state.add_unchecked(index, code, detail)
        record = _record_in(entry)
        if record is not None and self.state.index.by_ref(record.ref) is None and self.state.index.by_id(record.id) is None:
            self.state.add_record(record, index=index, time=entry.time)

    def _may_lean_on_newer(self, reasons: list[Reason]) -> bool:
        """Tell whether acts that could not be read here might answer all of ``reasons``."""
        return all(reason.code in _NEEDS_EARLIER_ACTS for reason in reasons) and bool(self.state.unchecked())

    def _accuse(self, index: int, reasons: list[Reason]) -> NoReturn:
        """Raise the fault, after making sure that it is the ledger's and not this machine's."""
        if self.resumed:
            self.state.check_index()
        name = "signature" if any(reason.code in _ABOUT_SIGNATURES for reason in reasons) else "authority"
        raise EntryFault(name, "entry-not-allowed", index, "; ".join(map(str, reasons)), tuple(reasons))


def _record_in(entry: Entry) -> Record | None:
    if entry.envelope.payload_type != RECORD_TYPE:
        return None
    try:
        return parse_record(entry.envelope.payload)
    except (FormatError, NewerFormatError, AdmissionError):
        return None
