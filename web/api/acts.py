"""One act as the API tells it: the record as signed, by whom, what became of it, its documents, and where its proof is."""

from __future__ import annotations

from typing import Any

from ledger.errors import UsageError
from ledger.records.entry import Entry, local_date
from ledger.records.envelope import Signature
from ledger.records.record import Record
from ledger.records.replay import act_of
from ledger.records.roster import Roster
from ledger.records.shapes import date_of
from web.api.standing import Say, change_json, head_json, standing_json, standing_of
from web.site import Reading

__all__ = ["act_json", "act_record", "document_json"]


def act_record(reading: Reading, index: int) -> tuple[Entry, Record]:
    """Return entry and record of the act at ``index``.

    Raises:
        UsageError: ``not-an-act``: a roster event, or a record of a later version.
    """
    found = reading.record(index)
    if found is None:
        raise UsageError(f"entry {index} is no act", code="not-an-act", index=index)
    return found


def act_json(reading: Reading, index: int, say: Say) -> dict[str, Any]:
    """Return the act at ``index``; raises as ``act_record``."""
    entry, record = act_record(reading, index)
    act = act_of(record, index=index, time=entry.time)
    standing = standing_of(reading, act)
    recorded_on = local_date(entry.time, reading.roster.utc_offset)
    return {
        "index": index,
        "time": entry.time,
        "recorded_on": recorded_on,
        "lag_days": _days(act.signed_on, recorded_on),
        "id": record.id,
        "ref": record.ref,
        "record": record.data,
        "signatures": [_signature_json(reading.roster, one) for one in entry.envelope.signatures],
        "status": standing_json(reading, standing, say),
        "history": [*_named(reading, record), *(change_json(reading, one) for one in standing.changes)],
        "history_more": standing.more,
        "documents": [document_json(reading.roster, one) for one in record.data["documents"]],
        "size": reading.size,
        "proof_url": f"/api/v1/records/{index}/proof",
        "entry_url": f"/api/v1/records/{index}/entry",
        "bundle_url": f"/api/v1/records/{index}/bundle",
        "page_url": f"/records/{index}",
    }


def document_json(roster: Roster, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of a record with its address; without one where it is withheld, or withdrawn since."""
    if "sha256" not in document:
        return {**document, "url": None, "withdrawn": None}
    event = roster.withdrawn.get(document["sha256"])
    if event is not None:
        return {**document, "url": None, "withdrawn": {"law": event["law"], "reason": event["reason"]}}
    return {**document, "url": f"/documents/{document['sha256'][:2]}/{document['sha256']}", "withdrawn": None}


def _signature_json(roster: Roster, signature: Signature) -> dict[str, Any]:
    one = roster.enrolments.get(signature.keyid)
    return {"keyid": signature.keyid, "holder": one and one.holder, "position": one and one.position}


def _named(reading: Reading, record: Record) -> list[dict[str, Any]]:
    """Return the acts that this one names, here or outside."""
    found = []
    for relation in record.relations:
        shown: dict[str, Any] = {"type": relation["type"], "direction": "names", "reason": relation.get("reason")}
        if "outside" in relation:
            found.append({**shown, "outside": relation["outside"]})
            continue
        act = reading.acts.by_ref(relation["ref"])
        found.append({**shown, **(head_json(act) if act else {"ref": relation["ref"]})})
    return found


def _days(earlier: str, later: str) -> int:
    first, last = date_of(earlier), date_of(later)
    return (last - first).days if first and last else 0
