"""What speaks against an act before anybody has signed it: the one replay, and what is known of keys that are to sign.

Trusts the roster and the index that it is given, as admission does; admission judges again, with the signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger.errors import FormatError, Reason
from ledger.index import KnownActs
from ledger.records import canonical
from ledger.records.envelope import Envelope
from ledger.records.record import MAX_RECORD, RECORD_TYPE, check_record
from ledger.records.replay import judge_record
from ledger.records.roster import Enrolment, Roster

if TYPE_CHECKING:
    from ledger.desk.drafting import Request

__all__ = ["judge_draft", "judge_known"]

_UNSIGNED = ("signatures-are-not-the-signers", "no-signer-for-office-and-kind", "rule-not-met", "not-competent")


def judge_draft(data: dict[str, Any], roster: Roster, index: KnownActs, *, time: str) -> list[Reason]:
    """Return every reason against a record that nobody has signed yet."""
    found = list(check_record(data))
    form = str(data.get("form"))
    if found and "form" in data and form not in roster.forms:  # its kind would come from the roster: say that, not "kind"
        return [_no_such_form(form, roster), *(one for one in found if one.path != "kind")]
    if found:
        return found
    try:
        payload = canonical.dump(data)
    except FormatError as error:
        return [Reason(error.code, "", error.values)]
    if len(payload) > MAX_RECORD:
        return [Reason("too-long", "", {"size": len(payload), "limit": MAX_RECORD})]
    envelope = Envelope(RECORD_TYPE, payload, ())
    if index.by_id(envelope.id) is not None:
        return []  # the same act again: it will be answered with its entry
    judged = judge_record(roster, index, envelope, time=time)
    kept = [one for one in judged if one.code not in _UNSIGNED]
    told = [_no_such_form(form, roster) if one.code == "unknown-form" else one for one in kept]
    return [*told, *_judge_signers(data["signers"], data["office"], data["kind"], roster)]


def judge_known(request: Request, roster: Roster) -> list[Reason]:
    """Return what speaks against a request before anybody is asked for the rest: form, office, and the keys at hand."""
    reasons = []
    if request.form is not None and request.form not in roster.forms:
        reasons.append(_no_such_form(request.form, roster))
    if request.office is not None and request.office not in roster.offices:
        reasons.append(Reason("unknown-office", "office", {"value": request.office}))
    if reasons or request.office is None or request.kind is None:
        return reasons
    return _judge_signers(sorted(set(request.signers)), request.office, request.kind, roster)


def _no_such_form(form: str, roster: Roster) -> Reason:
    return Reason("no-such-form", "form", {"form": form, "known": ", ".join(roster.forms) or "—"})


def _judge_signers(signers: Sequence[str], office: str, kind: str, roster: Roster) -> list[Reason]:
    """Whether those who are to sign are enrolled for this, as far as it can be told before they have signed."""
    known = {keyid: roster.enrolments[keyid] for keyid in signers if keyid in roster.enrolments}
    reasons = [Reason("key-not-enrolled", "signers", {"keyid": keyid[:16]}) for keyid in signers if keyid not in known]
    counting = [one for one in known.values() if one.active and office in one.offices and kind in one.kinds]
    if not counting:
        return reasons + [_not_counting(keyid, one, office, kind) for keyid, one in known.items()]
    rule = roster.rules.get(kind)
    positions = (rule or {}).get("positions") or []
    holders = {one.holder for one in counting if not positions or one.position in positions}
    if rule and len(holders) < rule["signatures"]:
        values: dict[str, object] = {"kind": kind, "office": office, "count": len(holders), "needed": rule["signatures"]}
        reasons.append(Reason("rule-not-met", "signers", {**values, "positions": ", ".join(positions) or "…"}))
    return reasons


def _not_counting(keyid: str, one: Enrolment, office: str, kind: str) -> Reason:
    values: dict[str, object] = {"keyid": keyid[:16], "holder": one.holder}
    if not one.active:
        return Reason("key-retired" if one.revoked_at is None else "key-revoked", "signers", values)
    may = {"offices": ", ".join(one.offices), "kinds": ", ".join(one.kinds)}
    return Reason("key-not-for-this", "signers", {**values, **may, "office": office, "kind": kind})
