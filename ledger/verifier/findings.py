"""Findings: what an auditor would look at first. Apart from the verdict: a finding accuses nobody and changes no status.

Each rule is one small function in ``RULES``, asked of the audit's state by SQL. Law and custom are data with validity
dates in ``rules.toml``. A rule that cannot know says so: gaps are stated only for number books that an office has
declared (design, section 9; a naive rule over 950 real contracts reports 95,204 missing numbers).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from ledger.records.refs import format_ref, is_ref
from ledger.verifier.auditstate import AuditState
from ledger.verifier.verdict import Say

if TYPE_CHECKING:
    from ledger.verifier.audit import AuditReport

__all__ = ["Finding", "Ground", "find", "render"]

LATE_DAYS = 30
_SHOWN = 3
_MANY = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: ``code`` names its sentence under ``[finding.<code>]``, ``acts`` the references concerned.

    A ``remark`` says what cannot be said, or counts something neutrally; it is no finding about anybody.
    """

    code: str
    acts: tuple[str, ...] = ()
    values: dict[str, object] = field(default_factory=dict)
    remark: bool = False

    def sentence(self, say: Say) -> str:
        """Return what was found, in the reader's language."""
        first = self.acts[0] if self.acts else ""
        return say(f"finding.{self.code}", **{"ref": format_ref(first) if is_ref(first) else first, **self.values})

    def to_json(self, say: Say) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "code": self.code,
            "remark": self.remark,
            "acts": list(self.acts),
            "values": self.values,
            "sentence": self.sentence(say),
        }


@dataclass(frozen=True, slots=True)
class Ground:
    """What rules stand on: the audit's ``state``, the time ``now`` (RFC 3339), and the ``data`` of ``rules.toml``."""

    state: AuditState
    now: str
    data: dict[str, Any]

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows of one query on the state."""
        return list(self.state.connection.execute(query, values).fetchall())

    @property
    def offset(self) -> str:
        """The city's offset, as SQLite's date functions take it."""
        return self.state.roster.utc_offset


Rule = Callable[[Ground], Iterator[Finding]]


def find(state: AuditState, *, now: int) -> tuple[Finding, ...]:
    """Return every finding in what ``state`` holds; ``now`` is POSIX seconds."""
    from ledger.records.entry import format_time

    data = tomllib.loads(resources.files("ledger.verifier").joinpath("rules.toml").read_text("utf-8"))
    ground = Ground(state, format_time(now), data)
    return tuple(found for rule in _rules() for found in rule(ground))


def _rules() -> tuple[Rule, ...]:
    from ledger.verifier import findings_contracts, findings_numbers

    return (*findings_numbers.RULES, *RULES, *findings_contracts.RULES)


def render(report: AuditReport, say: Say) -> list[str]:
    """Return the findings as lines for people: by code, with their number and the first few."""
    findings = [one for one in report.findings if not one.remark]
    remarks = [one for one in report.findings if one.remark]
    lines = [say("finding.heading")] if findings else [say("finding.none")]
    lines += _listed(findings, say)
    return [*lines, "", say("finding.remarks"), *_listed(remarks, say)] if remarks else lines


def _listed(findings: list[Finding], say: Say) -> list[str]:
    lines: list[str] = []
    for code in dict.fromkeys(one.code for one in findings):
        found = [one for one in findings if one.code == code]
        lines += ["", f"{say(f'finding.title-{code}')} ({len(found)})"]
        lines += [f"  - {one.sentence(say)}" for one in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"  {say('finding.more', count=len(found) - _SHOWN)}")
    return lines


# -- time


def signed_after_entry(ground: Ground) -> Iterator[Finding]:
    """The paper's date is later than the day on which the act was entered."""
    query = "SELECT ref, number, office, signed_on, date(time, ?1) FROM acts WHERE signed_on > date(time, ?1) ORDER BY idx"
    for ref, number, office, signed_on, entered in ground.rows(query, ground.offset):
        values = {"number": number or "–", "office": office, "signed_on": signed_on, "entered": entered}
        yield Finding("date-ahead", (ref,), values)


def entered_late(ground: Ground) -> Iterator[Finding]:
    """Days from the paper's date to the entry, for each office in which some took longer than ``LATE_DAYS``."""
    query = """
        SELECT office, ref, CAST(julianday(date(time, ?1)) - julianday(signed_on) AS INTEGER) AS days
        FROM acts WHERE signed_on <= date(time, ?1) ORDER BY office, days DESC, idx
    """
    offices: dict[str, list[tuple[str, int]]] = {}
    for office, ref, days in ground.rows(query, ground.offset):
        offices.setdefault(office, []).append((ref, days))
    for office, acts in offices.items():
        late = tuple(ref for ref, days in acts if days > LATE_DAYS)
        if late:
            values = {"office": office, "count": len(late), "all": len(acts), "days": LATE_DAYS}
            yield Finding("entered-late", late, values | {"median": acts[len(acts) // 2][1], "longest": acts[0][1]})


def time_ahead(ground: Ground) -> Iterator[Finding]:
    """Entries that carry a time which has not come yet."""
    count, first, newest = ground.rows("SELECT count(*), min(idx), max(time) FROM entries WHERE time > ?", ground.now)[0]
    if count:
        yield Finding("time-ahead", (), {"count": count, "index": first, "time": newest})


def signatory_outside_term(ground: Ground) -> Iterator[Finding]:
    """Somebody signed the paper in a position that this roster gives them for another time only."""
    query = """
        SELECT a.ref, a.number, a.office, a.signed_on, json_extract(s.value, '$.name'), json_extract(s.value, '$.position')
        FROM acts a, json_each(a.body, '$.signatories') s
        WHERE json_extract(s.value, '$.capacity') = 'definitive' AND json_extract(s.value, '$.name') IS NOT NULL ORDER BY a.idx
    """
    terms: dict[tuple[str, str], list[Any]] = {}
    for enrolment in ground.state.roster.enrolments.values():
        terms.setdefault((enrolment.holder.casefold(), enrolment.position.casefold()), []).append(enrolment)
    for ref, number, office, signed_on, name, position in ground.rows(query) if terms else ():
        known = terms.get((name.casefold(), position.casefold()), [])
        if known and not any(one.covers(signed_on) for one in known):
            values = {"number": number or "–", "office": office, "name": name, "position": position, "signed_on": signed_on}
            yield Finding("signatory-outside-term", (ref,), values)


def listed(items: list[str]) -> str:
    """Return the first of ``items`` in one line."""
    return ", ".join(items[:_MANY]) + (" …" if len(items) > _MANY else "")


RULES: tuple[Rule, ...] = (signed_after_entry, entered_late, time_ahead, signatory_outside_term)
