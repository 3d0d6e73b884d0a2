"""The files of a ledger beside its tree, held against what its entries say: roster, policy, look-ups, documents.

What the ledger clearly does not serve, or serves with other bytes, failed. What could not be read is not checked. The
ledger may grow while it is audited, so files may run ahead of the audited checkpoint, never behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ledger.errors import FetchError, FormatError, LedgerError
from ledger.tlog.note import format_vkey
from ledger.tlog.policy import LOG_PQ, Policy, parse_policy, policy_founding
from ledger.verifier.auditstate import AuditState
from ledger.verifier.client import fetch_document, fetch_policy
from ledger.verifier.reader import View
from ledger.verifier.verdict import Check, check_of

__all__ = ["check_documents", "check_log_key", "check_look_ups", "check_policy_file", "check_roster_file"]

MAX_BUCKET = 32 * 1024 * 1024
MAX_ROSTER_FILE = 128 * 1024 * 1024
PATIENCE = 2.0
_BATCH = 64
_OF_DOCUMENTS = {
    "fetch-missing": "document-not-served",
    "document-differs": "document-differs",
    "fetch-too-large": "document-differs",
}
_SHOWN = 5

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


def check_policy_file(view: View, state: AuditState) -> Check:
    """Hold the policy that the ledger offers against its founding and the log keys of its roster."""
    try:
        data = fetch_policy(view.source)
        policy = parse_policy(data)
    except FetchError as error:
        return _unread("policy", error, "policy")
    except FormatError as error:
        return Check("policy", "failed", "policy-file-malformed", {"detail": str(error)})
    if policy_founding(data) != state.head.founding:
        return Check("policy", "failed", "policy-file-other-founding")
    if not _names_log_keys(policy, state, view.size):
        return Check("policy", "failed", "policy-file-other-keys")
    return Check("policy", "passed", "policy-file")


def _names_log_keys(policy: Policy, state: AuditState, size: int) -> bool:
    named = {format_vkey(key) for key in policy.logs}
    witness = policy.witnesses.get(LOG_PQ)
    if witness is not None and witness.key is not None:
        named.add(format_vkey(witness.key))
    known = [set(keys.vkeys) for keys in state.roster.log_keys if keys.until_size is None or size < keys.until_size]
    return bool(named) and any(named <= vkeys for vkeys in known)


def check_look_ups(view: View, state: AuditState) -> Check:
    """Require that every act stands in its look-up buckets, where people will look for it."""
    waiting = state.todo("look-up")
    total = state.connection.execute("SELECT count(DISTINCT kind || prefix) FROM lookups").fetchone()[0]
    try:
        incomplete = _incomplete(view, state, waiting)
        if incomplete:
            time.sleep(PATIENCE)  # a checkpoint is out a moment before its look-ups
            incomplete = _incomplete(view, state, list(incomplete))
    except FetchError as error:
        return check_of("look-up", error)
    state.done("look-up", [name for name in waiting if name not in incomplete])
    if not incomplete:
        return Check("look-up", "passed", "look-ups", {"count": total})
    missing = [index for indexes in incomplete.values() for index in indexes]
    values = {"count": len(set(missing)), "index": min(missing), "path": f"lookup/{min(incomplete)}"}
    return Check("look-up", "failed", "look-up-incomplete", values)


def _incomplete(view: View, state: AuditState, names: list[str]) -> dict[str, list[int]]:
    """Return, for each bucket that lacks lines, the indexes of the acts that it lacks."""
    found: dict[str, list[int]] = {}
    for name in names:
        kind, _, prefix = name.partition("/")
        try:
            lines = set(view.source.fetch(f"lookup/{name}", limit=MAX_BUCKET).split(b"\n"))
        except FetchError as error:
            if error.code != "fetch-missing":
                raise
            lines = set()
        lacking = [index for value, index in state.index.bucket(kind, prefix) if f"{value} {index}".encode("ascii") not in lines]
        if lacking:
            found[name] = lacking
    return found


def check_documents(view: View, state: AuditState, progress: Progress) -> Iterator[Check]:
    """Fetch every document that has not been seen yet, and require its size and hash; withdrawn ones may be gone."""
    waiting = [name.split(" ") for name in state.todo("document")]
    gone = [one for one in waiting if one[0] in state.roster.withdrawn]
    state.done("document", [" ".join(one) for one in gone])
    waiting = [one for one in waiting if one[0] not in state.roster.withdrawn]
    failed: list[tuple[str, str]] = []
    unread: list[tuple[str, FetchError]] = []
    for start in range(0, len(waiting), _BATCH):
        seen = []
        for sha256, size in waiting[start : start + _BATCH]:
            problem = _document_problem(view, sha256, int(size))
            if problem is None:
                seen.append(f"{sha256} {size}")
            elif isinstance(problem, FetchError):
                unread.append((sha256, problem))
            else:
                failed.append((sha256, problem))
        state.done("document", seen)
        progress("documents", min(start + _BATCH, len(waiting)), len(waiting))
    yield from _document_checks(state, failed, unread)


def _document_problem(view: View, sha256: str, size: int) -> str | FetchError | None:
    counter: Any = _Counter()
    try:
        fetch_document(view.source, sha256, size, counter)
    except FetchError as error:
        return _OF_DOCUMENTS.get(error.code, error)
    return None if counter.size == size else "document-differs"


class _Counter:
    """A place to write to that only counts."""

    size = 0

    def write(self, data: bytes) -> int:
        """Count."""
        self.size += len(data)
        return len(data)


def _document_checks(state: AuditState, failed: list[tuple[str, str]], unread: list[tuple[str, FetchError]]) -> Iterator[Check]:
    total = state.connection.execute("SELECT count(DISTINCT sha256) FROM documents").fetchone()[0]
    for code in ("document-not-served", "document-differs"):
        some = [sha256 for sha256, found in failed if found == code]
        if some:
            values = {"count": len(some), "examples": _examples(state, some)}
            yield Check("document", "failed", code, values)
    if unread:
        _, error = unread[0]
        yield Check("document", "not_checked", "documents-unread", {"count": len(unread), "detail": str(error)})
    if not failed and not unread:
        withdrawn = [sha256 for sha256 in state.roster.withdrawn if state.index.by_document(sha256)]
        yield Check("document", "passed", "documents", {"count": total - len(withdrawn), "withdrawn": len(withdrawn)})


def _examples(state: AuditState, hashes: list[str]) -> str:
    shown = []
    for sha256 in hashes[:_SHOWN]:
        acts = state.index.by_document(sha256)
        shown.append(f"{acts[0].ref} ({sha256[:12]}…)" if acts else sha256[:12])
    return ", ".join(shown) + (" …" if len(hashes) > _SHOWN else "")


def _unread(name: str, error: LedgerError, path: str) -> Check:
    if error.code == "fetch-missing":
        return Check(name, "failed", "file-missing", {"path": path})
    return check_of(name, error)
