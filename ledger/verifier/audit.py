"""The audit: everything that a published ledger says, read and recomputed, against a pinned policy and founding.

    1 checkpoint   signed and cosigned as the policy asks
    2 history      it continues what this audit has seen before (RFC 6962, 2.1.2); if not, both checkpoints are kept, and
                   what proves it to anybody (``tlog.conviction``)
    3 inclusion    the entries' own hashes make the signed root, a second time beside the tiles
    4 chain        each entry names the one before, and time does not run backwards
    5 founding     entry 0 is the pinned founding
    6 signature, authority   every act and roster payload, judged by ``records.replay`` as admission did
    7 log-key, roster, policy, look-up, document   the files beside the tree
    8 disputed     acts whose signer's key was revoked from before them on, until the authority reaffirms them

The state folder keeps what has been read: a later run reads only what is new, says again what was false, and never moves
past a false entry. Of the files that were in order it sees some again in each run, all of them in turn. Findings
(``ledger.verifier.findings``) are apart from the verdict and never change it.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError, ProofError, Reason, StoreError
from ledger.tlog.merkle import check_consistency
from ledger.tlog.organisations import co_recorded
from ledger.tlog.policy import Policy
from ledger.verifier.auditaccuse import accuse, seen_before
from ledger.verifier.auditclear import SELDOM
from ledger.verifier.auditdisputes import disputed
from ledger.verifier.auditentries import EntryFault, EntryReplay
from ledger.verifier.auditfiles import (
    check_documents,
    check_log_key,
    check_look_ups,
    check_policy_files,
    check_roster_file,
)
from ledger.verifier.auditlookups import LookUps
from ledger.verifier.auditread import Bundle, Children, bundles
from ledger.verifier.auditreport import AuditReport, AuditVerdict, render
from ledger.verifier.auditstate import AuditState, open_state
from ledger.verifier.auditwhole import Certainty, forget_files
from ledger.verifier.client import Source
from ledger.verifier.findings import Finding, find, take_in_dates
from ledger.verifier.reader import View, open_ledger
from ledger.verifier.trust import changed_keys
from ledger.verifier.verdict import Check, check_of

__all__ = ["AuditReport", "AuditVerdict", "audit", "render"]

Progress = Callable[[str, int, int], None]
_GATHERED, _SECONDS = 48, 10.0  # bundles, or seconds, in one transaction
_PLAN = ("checkpoint", "history", "inclusion", "chain", "founding", "signature", "authority")


def audit(
    source: Source,
    policy: Policy,
    founding: str,
    *,
    state_dir: Path,
    documents: bool = True,
    progress: Progress | None = None,
    now: int | None = None,
    kept: bool = True,
    again: bool = False,
) -> AuditReport:
    """Return the report on everything that ``source`` publishes, resuming from ``state_dir``.

    ``progress`` is told ("entries" or "documents", done, total); ``now`` is POSIX seconds, for entries ahead of it;
    ``kept``: the state folder is still there after this run; ``again``: check the whole state, and read every file beside
    the tree, as if for the first time.

    Raises:
        StoreError: the state folder is damaged, another ledger's, or in use; nothing is said about the ledger then.
    """
    with _seldom_collected(), open_state(state_dir, founding) as state:
        when = int(datetime.datetime.now(datetime.UTC).timestamp()) if now is None else now
        run = _Run(source, policy, state, documents, progress or (lambda what, done, total: None), kept, when)
        if again:
            run.certainty.require()
            forget_files(state)
        with contextlib.closing(run.children):
            run.execute()
        return run.report()


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let Python look for garbage in circles less often while many entries pass."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Run:
    """One run: the checks so far, in the order of the plan."""

    def __init__(self, source: Source, policy: Policy, state: AuditState, documents: bool, progress: Progress,
                 kept: bool, now: int) -> None:  # fmt: skip
        self.source, self.policy, self.state = source, policy, state
        self.with_documents, self.progress, self.kept, self.now = documents, progress, kept, now
        self.began_at, self.certainty = state.head.size, Certainty(state)
        self.children = Children(source, state.head.founding)
        self.checks: list[Check] = []
        self.reasons: tuple[Reason, ...] = ()
        self.disputed: tuple[str, ...] = ()
        self.note: bytes | None = None

    def execute(self) -> None:
        """Go through the plan until something keeps the rest from meaning anything."""
        self.checks += list(map(seen_before, self.state.evidence()))
        view = self._open()
        if view is None or not self._accept_history(view):
            return
        look_ups = LookUps(self.state, self.source, self._count_run(), self.children)
        if not self._read_entries(view, look_ups):
            return
        self.checks += [check_log_key(view, self.state), check_roster_file(view, self.state)]
        self.checks += [*check_policy_files(view, self.state), check_look_ups(self.state, look_ups, self.certainty, self.now)]
        if self.with_documents:
            self.checks += check_documents(view, self.state, look_ups.run, self.certainty, self.progress)
        else:
            self.checks.append(Check("document", "not_checked", "documents-left-out"))
        self._dispute()

    def _count_run(self) -> int:
        """Return the number of this run, by which files are told that were not seen for longest."""
        run = int(self.state.mark("runs") or 0) + 1
        with self.state.transaction():
            self.state.set_mark("runs", run)
        return run

    def report(self) -> AuditReport:
        """Return the report."""
        made = {one.name for one in self.checks}
        missing = [Check(name, "not_checked", "not-reached", {"check": name}) for name in _PLAN if name not in made]
        verdict = AuditVerdict(
            self.source.location,
            (*self.checks, *missing),
            origin=self.state.roster.origin,
            founding=self.state.head.founding,
        )
        size, findings = self.state.head.size, self._find(verdict, self.now)
        return AuditReport(verdict, findings, size, size - self.began_at, self.reasons, self.disputed, self.note)

    def _find(self, verdict: AuditVerdict, now: int) -> tuple[Finding, ...]:
        """Return the findings; none where they cannot be kept, if there is something worse to say than a full disk."""
        try:
            return find(self.state, now=now)
        except StoreError:
            if verdict.exit_status() != 1:
                raise
            return ()

    def _open(self) -> View | None:
        """Step 1: the newest checkpoint under the policy."""
        try:
            view = open_ledger(self.source, self.policy, self.state.head.founding)
        except LedgerError as error:
            changed = self._changed_keys() if error.code == "wrong-key" else None
            self.checks.append(changed or check_of("checkpoint", error))
            return None
        self.note = view.note
        witnesses = sorted(co_recorded(self.policy, view.opened.cosigned))
        code = "checkpoint-witnessed" if witnesses else "checkpoint-alone"
        values = {"size": view.size, "witnesses": ", ".join(witnesses), "origin": view.checkpoint.origin}
        self.checks.append(Check("checkpoint", "passed", code, values))
        return view

    def _changed_keys(self) -> Check | None:
        """The authority may have given the log other keys than the pinned ones: then it is to be pinned again, not false."""
        try:
            _, changed = changed_keys(self.source, self.policy, self.state.head.founding)
        except LedgerError:
            return None
        return Check("checkpoint", "not_checked", "log-keys-changed", {"n": changed, "name": self.policy.logs[0].name})

    def _accept_history(self, view: View) -> bool:
        """Step 2: what was seen before is still there. Keeps the checkpoint; or both, where they contradict."""
        head = self.state.head
        values: dict[str, object] = {"old": head.kept_size, "new": view.size}
        try:
            code, state = _compare(self.state, view, self.certainty)
        except StoreError:
            raise
        except LedgerError as error:
            self.checks.append(check_of("history", error))
            return False
        if code in ("forked", "rolled-back"):
            code = accuse(self.state, view, code, values)
        code = code if self.kept or code != "history-first" else "history-not-kept"
        self.checks.append(Check("history", state, code, values))
        if state != "passed":
            return False
        root, note = view.checkpoint.root.hex(), view.note.hex()
        with self.state.transaction():
            self.state.save(replace(head, kept_size=view.size, kept_root=root, kept_note=note))
        return True

    def _read_entries(self, view: View, look_ups: LookUps) -> bool:
        """Steps 3 to 6: every new entry; stops at the first that is false, and keeps what is before it."""
        replay = EntryReplay(self.state, view.checkpoint.origin, view.entry, self.certainty)
        try:
            with contextlib.closing(bundles(view, self.state.head.size, self.children)) as found:
                fault = self._replay(view, replay, found, look_ups)
        except LedgerError as error:
            if isinstance(error, StoreError):
                raise
            self.checks.append(check_of("inclusion", error))
            return False
        if fault is not None:
            self._add_fault(fault)
            return False
        if self.state.head.tree().root() != view.checkpoint.root:
            self.certainty.require()
            self.checks.append(Check("inclusion", "failed", "root-differs", {"size": view.size}))
            return False
        self._add_entry_checks(view)
        return True

    def _replay(
        self, view: View, replay: EntryReplay, found: Iterator[Bundle], look_ups: LookUps
    ) -> EntryFault | None:
        """Replay the bundles, some in each transaction; return what is wrong with the first false entry.

        What stops the reading is raised when what was read before it is kept.
        """
        fault, stopped, more = None, list[LedgerError](), True
        while more and fault is None:
            with self.state.transaction():
                until = time.monotonic() + _SECONDS
                for _ in range(_GATHERED):
                    bundle = _following(found, stopped)
                    fault = None if bundle is None else replay.read(bundle)
                    more = bundle is not None and fault is None
                    if more and replay.whole is not None:
                        look_ups.take(replay.whole)
                    self.progress("entries", self.state.head.size, view.size)
                    if not more or time.monotonic() > until:
                        break
                replay.settle()
                take_in_dates(self.state)
            look_ups.gather()
        if stopped:
            raise stopped[0]
        return fault

    def _add_fault(self, fault: EntryFault) -> None:
        values: dict[str, object] = {"index": fault.index, "detail": fault.detail}
        self.checks.append(Check(fault.check, "failed", fault.code, values))
        self.reasons = fault.reasons

    def _add_entry_checks(self, view: View) -> None:
        size = view.size
        self.checks.append(Check("inclusion", "passed", "entries-make-the-root", {"size": size}))
        self.checks.append(Check("chain", "passed", "chain-holds", {"size": size}))
        if self.state.roster.founding:
            self.checks.append(Check("founding", "passed", "founding-holds", {"founding": self.state.head.founding}))
        unchecked = self.state.unchecked()
        if unchecked is not None:
            values: dict[str, object] = dict(zip(("count", "index", "detail"), unchecked, strict=True))
            self.checks += [Check(name, "not_checked", "entries-newer", values) for name in ("signature", "authority")]
        elif self.state.roster.founding:
            self.checks.append(Check("signature", "passed", "signatures-hold", {"size": size}))
            self.checks.append(Check("authority", "passed", "authority-holds", {"size": size}))

    def _dispute(self) -> None:
        """Step 8: acts of keys that were revoked from before them on, and that nobody has reaffirmed."""
        self.disputed = disputed(self.state, self.certainty)
        if self.disputed:
            shown = ", ".join(self.disputed[:5]) + (" …" if len(self.disputed) > 5 else "")
            values: dict[str, object] = {"count": len(self.disputed), "examples": shown}
            self.checks.append(Check("disputed", "disputed", "acts-disputed", values))


def _following(found: Iterator[Bundle], stopped: list[LedgerError]) -> Bundle | None:
    """Return the next bundle; None at the end, or where reading stopped, and then why."""
    try:
        return next(found, None)
    except LedgerError as error:
        stopped.append(error)
        return None


def _compare(state: AuditState, view: View, certainty: Certainty) -> tuple[str, Any]:
    """Return how the view stands to the checkpoint that was kept: a code of a sentence, and the check's state.

    Raises:
        ProofError, FetchError: the tiles could not be read or are damaged, so that nothing can be said about history.
    """
    head = state.head
    kept_root = bytes.fromhex(head.kept_root)
    if head.kept_size < 0:
        return "history-first", "passed"
    if view.size < head.kept_size:
        certainty.require()
        before = state.root_at(view.size)
        return ("rolled-back", "failed") if before in (None, view.checkpoint.root) else ("forked", "failed")
    proof = view.prove_growth(head.kept_size)
    try:
        check_consistency(
            proof, old_size=head.kept_size, new_size=view.size, old_root=kept_root, new_root=view.checkpoint.root
        )
    except ProofError:
        return "forked", "failed"
    return ("history-same" if view.size == head.kept_size else "history-grown"), "passed"
