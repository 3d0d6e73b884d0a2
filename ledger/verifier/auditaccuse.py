"""What an audit keeps when a ledger contradicts what it has signed before: both checkpoints, and a conviction where one holds.

A smaller checkpoint of the same history is a copy of yesterday, unless the ledger's own ML-DSA-44 lines say that it was
signed later. A fork is evidence either way; only where the larger tree can be read does one file prove it.
"""

from __future__ import annotations

from pathlib import Path

from ledger.errors import LedgerError
from ledger.tlog.conviction import TIME_ORDER, Conviction, format_conviction, parse_conviction
from ledger.verifier.auditstate import AuditState, Evidence
from ledger.verifier.convict import log_keys_of, make_conviction
from ledger.verifier.reader import View
from ledger.verifier.verdict import Check

__all__ = ["accuse", "seen_before"]


def accuse(state: AuditState, view: View, code: str, values: dict[str, object]) -> str:
    """Keep the evidence of a history that is ``forked`` or ``rolled-back``; return its sentence's code, add ``values``."""
    found = _convict(state, view)
    if found is None and code == "rolled-back":
        return code
    data = None if found is None else format_conviction(found)
    kept = state.keep_evidence(bytes.fromhex(state.head.kept_note), view.note, data)
    values["files"] = ", ".join(kept.files if kept else ())
    values["conviction"] = kept.conviction if kept else ""
    if kept is None:
        return "forked-not-kept" if code == "forked" else code
    return f"{code}-convicted" if kept.conviction else code


def seen_before(evidence: Evidence) -> Check:
    """Return the check that says again what was once found, and where the evidence is."""
    files = ", ".join(filter(None, (*evidence.files, evidence.conviction)))
    return Check("history", "failed", "shrunk-before" if _has_shrunk(evidence) else "forked-before", {"files": files})


def _convict(state: AuditState, view: View) -> Conviction | None:
    """Return what proves that the view and the kept checkpoint are not of one honest ledger."""
    read = view.tiles.read_hashes if view.size >= state.head.kept_size else state.read_hashes
    return make_conviction(bytes.fromhex(state.head.kept_note), view.note, log_keys_of(view.policy, state.roster), read)


def _has_shrunk(evidence: Evidence) -> bool:
    try:
        return bool(evidence.conviction) and parse_conviction(Path(evidence.conviction).read_bytes()).kind == TIME_ORDER
    except (OSError, LedgerError):  # the two checkpoints are there all the same
        return False
