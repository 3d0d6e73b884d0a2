"""Acts in dispute: a signer's key was later revoked from before them on, and the authority has not reaffirmed them."""

from __future__ import annotations

import hashlib
import json

from ledger.verifier.auditstate import AuditState
from ledger.verifier.auditwhole import Certainty

__all__ = ["disputed"]


def disputed(state: AuditState, certainty: Certainty) -> tuple[str, ...]:
    """Return the references of the disputed acts, oldest first.

    They are kept: new acts are asked, and all of them again only where the roster revokes or reaffirms more.

    Raises:
        StoreError: the state is damaged, so that nobody can be accused by it.
    """
    roster = state.roster
    suspects = {keyid: one.suspect_from for keyid, one in roster.enrolments.items() if one.suspect_from is not None}
    by = hashlib.sha256(json.dumps([suspects, sorted(roster.reaffirmed)], sort_keys=True).encode("ascii")).hexdigest()
    since, renewed = int(state.mark("disputed") or 0), state.mark("disputed-by") != by
    if renewed:
        since = min(suspects.values(), default=state.head.size)
    with state.transaction():
        if renewed:
            state.connection.execute("DELETE FROM disputed")
        rows = state.rows("SELECT idx, id, ref, signers FROM acts WHERE idx >= ? ORDER BY idx", since) if suspects else []
        found = [(index, ref) for index, act_id, ref, signers in rows
                 if act_id not in roster.reaffirmed and roster.suspects(signers.split(), index)]  # fmt: skip
        state.connection.executemany("INSERT INTO disputed VALUES (?, ?)", found)
        state.set_mark("disputed-by", by)
        state.set_mark("disputed", state.head.size)
    if found:
        certainty.require()
    return tuple(ref for (ref,) in state.rows("SELECT ref FROM disputed ORDER BY idx"))
