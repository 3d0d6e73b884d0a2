"""What an audit says: the verdict on a whole ledger, its findings, and both as JSON and as lines for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.errors import Reason
from ledger.verifier.findings import Finding
from ledger.verifier.verdict import Check, Say, Verdict

__all__ = ["AuditReport", "AuditVerdict", "render"]

_MARKS = {"passed": "+", "failed": "x", "disputed": "!", "not_checked": "?"}
_AS_ASKED = ("documents-left-out",)


@dataclass(frozen=True, slots=True)
class AuditVerdict(Verdict):
    """The verdict on a whole ledger: everything that was not checked counts, but what the caller left out."""

    def unchecked(self) -> list[str]:
        """Return the names of the checks that could not be made."""
        return [one.name for one in self.checks if one.state == "not_checked" and one.code not in _AS_ASKED]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found: ``size`` entries audited in all, ``new_entries`` of them now; ``reasons`` against a false one.

    ``note`` is the checkpoint that was audited, if the policy accepts it: what is compared elsewhere is this one.
    """

    verdict: AuditVerdict
    findings: tuple[Finding, ...]
    size: int
    new_entries: int
    reasons: tuple[Reason, ...] = ()
    disputed: tuple[str, ...] = ()
    note: bytes | None = None

    def exit_status(self, *, strict_findings: bool = False) -> int:
        """Return 0, 1 or 3 (design, section 7); findings count only where they are asked to."""
        status = self.verdict.exit_status()
        return 1 if status == 0 and strict_findings and any(not one.remark for one in self.findings) else status

    def to_json(self, say: Say) -> dict[str, Any]:
        """Return the report as JSON values, every finding included."""
        return {
            "subject": self.verdict.subject,
            "origin": self.verdict.origin,
            "founding": self.verdict.founding,
            "status": self.exit_status(),
            "size": self.size,
            "new_entries": self.new_entries,
            "headline": _headline(self, say),
            "checks": [_check_json(one, say) for one in self.verdict.checks],
            "reasons": [{"code": one.code, "path": one.path, "values": one.values} for one in self.reasons],
            "disputed": list(self.disputed),
            "findings": [one.to_json(say) for one in self.findings],
        }


def render(report: AuditReport, say: Say) -> list[str]:
    """Return the report's verdict as lines for people; ``findings.render`` has the findings."""
    lines = [_headline(report, say), ""]
    lines += [f"  {_MARKS[one.state]} {_sentence(one, say)}" for one in report.verdict.checks]
    lines += [f"    - {say(f'reason.{one.code}', path=one.path, detail=str(one), **one.values)}" for one in report.reasons]
    return [*lines, f"  ? {say('audit.never')}"]


def _headline(report: AuditReport, say: Say) -> str:
    values = {"size": report.size, "new": report.new_entries, "findings": sum(not one.remark for one in report.findings)}
    name = {0: "true", 3: "unchecked"}.get(report.verdict.exit_status())
    if name is None:
        name = "false" if any(one.state == "failed" for one in report.verdict.checks) else "disputed"
    return say(f"audit.headline-{name}", **values)


def _sentence(check: Check, say: Say) -> str:
    values = {"detail": "", **check.values}
    found = say(f"audit.{check.code}", **values)
    return found if not found.startswith("audit.") else say(f"error.{check.code}", **values)


def _check_json(check: Check, say: Say) -> dict[str, Any]:
    values = {key: value if isinstance(value, (str, int)) else str(value) for key, value in check.values.items()}
    return {"name": check.name, "state": check.state, "code": check.code, "values": values, "sentence": _sentence(check, say)}
