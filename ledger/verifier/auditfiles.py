"""The files of a ledger beside its tree, held against what its entries say: roster, policy, look-ups, documents.

What the ledger clearly does not serve, or serves with other bytes, failed. What could not be read is not checked. The
ledger may grow while it is audited, so files may run ahead of the audited checkpoint, never behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import FetchError, FormatError, LedgerError
from ledger.records.roster import Roster, replay_roster
from ledger.tlog.note import format_vkey
from ledger.tlog.policy import LOG_PQ, Policy, parse_policy, policy_founding
from ledger.verifier.auditstate import AuditState
from ledger.verifier.client import MAX_POLICY, FolderSource, fetch_document, read_roster
from ledger.verifier.reader import View
from ledger.verifier.verdict import Check, check_of
from ledger.verifier.weaker import needs_post_quantum, weaker

__all__ = ["check_documents", "check_log_key", "check_look_ups", "check_policy_files", "check_roster_file"]

MAX_BUCKET = 32 * 1024 * 1024
MAX_ROSTER_FILE = 128 * 1024 * 1024
PATIENCE = 2.0
_BATCH = 64
_GLANCE = 1 << 16
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


def check_look_ups(view: View, state: AuditState) -> Check:
    """Require that every act stands in its look-up buckets, where people will look for it; each run reads them all."""
    waiting = state.buckets()
    try:
        incomplete = _incomplete(view, state, waiting)
        if incomplete:
            time.sleep(PATIENCE)  # a checkpoint is out a moment before its look-ups
            incomplete = _incomplete(view, state, list(incomplete))
    except FetchError as error:
        return check_of("look-up", error)
    if not incomplete:
        return Check("look-up", "passed", "look-ups", {"count": len(waiting)})
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
    """Fetch every document that has not been seen yet, and require its size and hash; withdrawn ones may be gone.

    Those that an earlier run has read are only looked at: still served, as long as they were. The sentence says so.
    """
    names = [one for one in state.documents() if one.partition(" ")[0] not in state.roster.withdrawn]
    todo = set(state.todo("document"))
    state.done("document", sorted(todo - set(names)))
    found = _Documents([one for one in names if one in todo], [one for one in names if one not in todo])
    everything = found.waiting + found.earlier
    for start in range(0, len(everything), _BATCH):
        batch = everything[start : start + _BATCH]
        good = [name for name in batch if found.accepts(name, _problem(view, name, whole=name in todo))]
        state.done("document", good)
        state.again("document", [name for name in batch if name not in good and name not in todo])
        progress("documents", min(start + _BATCH, len(everything)), len(everything))
    yield from _document_checks(view, state, found)


@dataclass(slots=True)
class _Documents:
    """Documents, each as "sha256 size": to be read in whole, read in an earlier run, and what was wrong with which."""

    waiting: list[str]
    earlier: list[str]
    failed: list[tuple[str, str]] = field(default_factory=list)
    unread: list[FetchError] = field(default_factory=list)

    def accepts(self, name: str, problem: str | FetchError | None) -> bool:
        """Keep a problem; tell whether there is none."""
        if isinstance(problem, FetchError):
            self.unread.append(problem)
        elif problem is not None:
            self.failed.append((name.partition(" ")[0], problem))
        return problem is None


def _problem(view: View, name: str, *, whole: bool) -> str | FetchError | None:
    sha256, _, size = name.partition(" ")
    return (_document_problem if whole else _glance)(view, sha256, int(size))


def _glance(view: View, sha256: str, size: int) -> str | FetchError | None:
    """Look whether a document is still there, without reading much of it: its beginning, and its size where that is cheap."""
    path, begun, digest = f"documents/{sha256[:2]}/{sha256}", 0, hashlib.sha256()
    source = view.source
    try:
        with contextlib.closing(_generator(source.stream(path, limit=size))) as chunks:
            for chunk in chunks:
                begun += len(chunk)
                digest.update(chunk)
                if begun >= _GLANCE and begun < size:
                    break
            else:
                return None if digest.hexdigest() == sha256 and begun == size else "document-differs"
        if isinstance(source, FolderSource) and (source.root / path).stat().st_size != size:
            return "document-differs"
    except FetchError as error:
        return _OF_DOCUMENTS.get(error.code, error)
    except OSError:
        return "document-not-served"
    return None


def _generator(chunks: Iterator[bytes]) -> Generator[bytes]:
    """Yield ``chunks``; closed with the caller's, so that nothing stays open."""
    yield from chunks


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


def _document_checks(view: View, state: AuditState, found: _Documents) -> Iterator[Check]:
    gone = [sha256 for sha256, code in found.failed if code == "document-not-served"]
    withdrawn = _newest_roster(view, state).withdrawn if gone else {}
    ahead = [one for one in gone if one in withdrawn]
    others = {
        "document-not-served": [one for one in gone if one not in withdrawn],
        "document-differs": [sha256 for sha256, code in found.failed if code == "document-differs"],
    }
    for code, some in others.items():
        if some:
            yield Check("document", "failed", code, {"count": len(some), "examples": _examples(state, some)})
    if ahead:
        values: dict[str, object] = {"count": len(ahead), "examples": _examples(state, ahead)}
        yield Check("document", "not_checked", "documents-withdrawn-ahead", values)
    if found.unread:
        values = {"count": len(found.unread), "detail": str(found.unread[0])}
        yield Check("document", "not_checked", "documents-unread", values)
    if not found.failed and not found.unread:
        yield _served(state, found)


def _served(state: AuditState, found: _Documents) -> Check:
    withdrawn = sum(1 for sha256 in state.roster.withdrawn if state.index.by_document(sha256))
    count = len({one.partition(" ")[0] for one in found.waiting + found.earlier})
    values: dict[str, object] = {"count": count, "withdrawn": withdrawn}
    if not found.earlier:
        return Check("document", "passed", "documents", values)
    return Check("document", "passed", "documents-again", values | {"new": len(found.waiting), "earlier": len(found.earlier)})


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
