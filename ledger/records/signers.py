"""The signatures of one record, held against the roster: who signed, whether they might, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.errors import Reason, SignatureError
from ledger.records.entry import local_date
from ledger.records.envelope import Envelope, Signature, check_signature
from ledger.records.roster import Enrolment, Roster

__all__ = ["Signers"]


class Signers:
    """The signatures of one record, held against the roster."""

    def __init__(
        self, roster: Roster, envelope: Envelope, data: dict[str, Any], time: str, verified: Mapping[str, bool]
    ) -> None:
        self.roster, self.envelope, self.data, self.verified = roster, envelope, data, verified
        self.date = local_date(time, roster.utc_offset)
        self.enrolments: list[Enrolment] = []

    def judge(self) -> list[Reason]:
        """Return the reasons against the signatures, and keep the enrolments of those that count."""
        reasons: list[Reason] = []
        if [one.keyid for one in self.envelope.signatures] != self.data["signers"]:
            reasons.append(Reason("signatures-are-not-the-signers", "signers"))
        for signature in self.envelope.signatures:
            reason = self._judge_one(signature.keyid)
            enrolment = self.roster.enrolments.get(signature.keyid)
            if reason is None and enrolment is not None:
                if self._holds(signature, enrolment):
                    self.enrolments.append(enrolment)
                else:
                    reason = Reason("bad-signature", "signatures", {"keyid": signature.keyid[:16]})
            if reason is not None:
                reasons.append(reason)
        return reasons + list(self._judge_rule())

    def _holds(self, signature: Signature, enrolment: Enrolment) -> bool:
        if self.verified.get(signature.keyid):
            return True
        try:
            check_signature(self.envelope, signature, enrolment.key)
        except SignatureError:
            return False
        return True

    def _judge_one(self, keyid: str) -> Reason | None:
        enrolment = self.roster.enrolments.get(keyid)
        values: dict[str, object] = {"keyid": keyid[:16], "date": self.date}
        if enrolment is None:
            return Reason("key-not-enrolled", "signatures", values)
        values |= {"holder": enrolment.holder, "begins": enrolment.begins, "until": enrolment.until or "…"}
        if enrolment.revoked_at is not None:
            return Reason("key-revoked", "signatures", values)
        if enrolment.retired_at is not None:
            return Reason("key-retired", "signatures", values)
        if not enrolment.covers(self.date):
            return Reason("key-outside-term", "signatures", values)
        return None

    def _judge_rule(self) -> Iterator[Reason]:
        """Enough different holders, enrolled for this office and kind, and in the positions that the rule names."""
        kind, office = self.data["kind"], self.data["office"]
        counting = [one for one in self.enrolments if office in one.offices and kind in one.kinds]
        values: dict[str, object] = {"kind": kind, "office": office}
        if not counting:
            yield Reason("no-signer-for-office-and-kind", "signers", values)
            return
        rule = self.roster.rules.get(kind)
        if rule is None:
            return
        positions = rule.get("positions") or []
        holders = {one.holder for one in counting if not positions or one.position in positions}
        if len(holders) < rule["signatures"]:
            shown = ", ".join(positions) or "…"
            values |= {"count": len(holders), "needed": rule["signatures"], "positions": shown}
            yield Reason("rule-not-met", "signers", values)
