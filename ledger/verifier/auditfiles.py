"""The files of a ledger beside its tree, held against what its entries say: roster, policy, look-ups, documents.

What the ledger clearly does not serve, or serves with other bytes, failed. What could not be read is not checked. The
ledger may grow while it is audited, so files may run ahead of the audited checkpoint, never behind it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from ledger.errors import FetchError, FormatError, LedgerError, NewerFormatError
from ledger.records.entry import parse_time
from ledger.records.roster import Roster, replay_roster
from ledger.tlog.note import format_vkey
from ledger.tlog.policy import LOG_PQ, Policy, parse_policy, policy_founding
from ledger.verifier.auditdocuments import Documents
from ledger.verifier.auditlookups import LookUps
from ledger.verifier.auditstate import AuditState
from ledger.verifier.auditwhole import Certainty
from ledger.verifier.client import MAX_POLICY, read_roster
from ledger.verifier.reader import View
from ledger.verifier.verdict import Check, check_of
from ledger.verifier.weaker import needs_post_quantum, weaker

__all__ = ["check_documents", "check_log_key", "check_look_ups", "check_policy_files", "check_roster_file"]

MAX_ROSTER_FILE = 128 * 1024 * 1024
PATIENCE = 2.0
FRESH = 10 * 60

Progress = Callable[[str, int, int], None]


def check_log_key(view: View, state: AuditState) -> Check:
    """Hold the key that signed the checkpoint against the keys that the roster names for this size."""
    vkey = format_vkey(view.opened.log_key)
    if any(vkey in keys.vkeys for keys in state.roster.log_keys_at(view.size)):
        return Check("log-key", "passed", "log-key-in-roster")
    return Check("log-key", "failed", "log-key-not-in-roster", {"vkey": vkey[:80], "size": view.size})


def check_roster_file(view: View, state: AuditState) -> Check:
    """Hold ``roster.jsonl`` against the roster payloads of the entries."""
    rows = state.connection.execute("SELECT envelope FROM rosters ORDER BY idx").fetchall()
    expected = b"".join(bytes(data) + b"\n" for (data,) in rows)
    try:
        served = view.source.fetch("roster.jsonl", limit=MAX_ROSTER_FILE)
    except FetchError as error:
        return _unread("roster", error, "roster.jsonl")
    if served.startswith(expected):
        return Check("roster", "passed", "roster-file", {"count": len(rows)})
    return Check("roster", "failed", "roster-file-differs")


def check_policy_files(view: View, state: AuditState) -> Iterator[Check]:
    """Hold both policies that the ledger offers against its founding, the log keys of its roster, and the pinned policy."""
    found = [_policy_problem(view, state, path) for path in ("policy", "policy-ed25519")]
    problems = [one for one in found if one is not None]
    yield from problems or [Check("policy", "passed", "policy-file")]


def _policy_problem(view: View, state: AuditState, path: str) -> Check | None:
    values: dict[str, object] = {"path": path}
    try:
        data = view.source.fetch(path, limit=MAX_POLICY)
        policy = parse_policy(data)
    except FetchError as error:
        return _unread("policy", error, path)
    except FormatError as error:
        return Check("policy", "failed", "policy-file-malformed", values | {"detail": str(error)})
    except NewerFormatError as error:
        return check_of("policy", error)
    if policy_founding(data) != state.head.founding:
        return Check("policy", "failed", "policy-file-other-founding", values)
    if not _names_log_keys(policy, state.roster, view.size):
        if _names_log_keys(policy, _newest_roster(view, state), view.size):
            return Check("policy", "not_checked", "policy-file-ahead", values)
        return Check("policy", "failed", "policy-file-other-keys", values)
    complete = path != "policy" or needs_post_quantum(policy)
    if not complete or weaker(view.policy, policy, given=frozenset() if path == "policy" else frozenset({LOG_PQ})):
        return Check("policy", "failed", "policy-file-weaker", values)
    return None


def _names_log_keys(policy: Policy, roster: Roster, size: int) -> bool:
    named = {format_vkey(key) for key in policy.logs}
    witness = policy.witnesses.get(LOG_PQ)
    if witness is not None and witness.key is not None:
        named.add(format_vkey(witness.key))
    known = [set(keys.vkeys) for keys in roster.log_keys if keys.until_size is None or size < keys.until_size]
    return bool(policy.logs) and any(named <= vkeys for vkeys in known)


def _newest_roster(view: View, state: AuditState) -> Roster:
    """Return the roster after what ``roster.jsonl`` holds now: the ledger may have grown since its checkpoint was read.

    The authority has signed it all, and it continues the roster that was audited; else that one is returned.
    """
    try:
        rosters = replay_roster(read_roster(view.source), founding=state.head.founding)
    except LedgerError:
        return state.roster
    return rosters[-1] if any(one.hash == state.roster.hash for one in rosters) else state.roster


def check_look_ups(state: AuditState, look_ups: LookUps, certainty: Certainty, now: int) -> Check:
    """Require that every act stands in its look-up files, where people will look for it.

    A checkpoint is out a moment before its look-ups; a sequencer that is interrupted just then leaves them for its next
    start. So acts entered within ``FRESH`` seconds of ``now`` may be lacking: that is not checked, and not yet false.
    """
    look_ups.take_in()
    try:
        look_ups.read_all()
        read = look_ups.read
        if look_ups.lacking:
            time.sleep(PATIENCE)  # a checkpoint is out a moment before its look-ups
            look_ups.read_lacking()
    except FetchError as error:
        return check_of("look-up", error)
    (count,) = state.rows("SELECT count(*) FROM buckets")[0]
    if not look_ups.lacking:
        return Check("look-up", "passed", "look-ups" if read == count else "look-ups-again", {"count": count, "read": read})
    missing = [index for indexes in look_ups.lacking.values() for index in indexes]
    values = {"count": len(set(missing)), "index": min(missing), "path": f"lookup/{min(look_ups.lacking)}"}
    if _are_fresh(state, missing, now):
        return Check("look-up", "not_checked", "look-up-behind", values | {"minutes": FRESH // 60})
    certainty.require()
    return Check("look-up", "failed", "look-up-incomplete", values)


def _are_fresh(state: AuditState, indexes: list[int], now: int) -> bool:
    """Tell whether all these acts were entered just now, by their own times."""
    query = "SELECT min(time), max(time) FROM acts WHERE idx IN (SELECT value FROM json_each(?))"
    earliest, latest = state.rows(query, json.dumps(indexes))[0]
    return now - FRESH <= parse_time(earliest) and parse_time(latest) <= now + FRESH


def check_documents(view: View, state: AuditState, run: int, certainty: Certainty, progress: Progress) -> Iterator[Check]:
    """Require that every document is served as the acts name it; withdrawn ones may be gone."""
    found = Documents(state, view, run, progress)
    found.read_all()
    if found.failed:
        certainty.require()
    yield from found.checks(lambda: _newest_roster(view, state).withdrawn)


def _unread(name: str, error: LedgerError, path: str) -> Check:
    if error.code == "fetch-missing":
        return Check(name, "failed", "file-missing", {"path": path})
    return check_of(name, error)
