"""Findings: what an auditor would look at first. Apart from the verdict: a finding accuses nobody and changes no status.

Each rule is one small function in ``RULES``. Law and custom are data with validity dates in ``rules.toml``. A rule that
cannot know says so: gaps are stated only for number books that an office has declared (design, section 9; a naive rule
over 950 real contracts reports 95,204 missing numbers).

What acts give is kept in the audit's state and brought up to date by the acts that are new (``refresh``): one act alone
when it is read (``findings_acts``), numbers for the books and numbers that new acts touch (``findings_numbers``), dates by
counts (here). Where a rule, ``rules.toml`` or what the roster says of it has changed, all acts are asked again. An audit in
many steps finds what one in a single step does.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from ledger.records.refs import format_ref, is_ref
from ledger.verifier.auditstate import AuditState
from ledger.verifier.verdict import Say

if TYPE_CHECKING:
    from ledger.verifier.audit import AuditReport

__all__ = ["Finding", "Ground", "find", "render", "take_in_dates"]

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
        return self.state.rows(query, *values)

    def kept(self, rule: str) -> Iterator[Finding]:
        """Yield what is kept of a rule over several acts: code, references and values."""
        for (body,) in self.rows("SELECT body FROM findings WHERE rule = ? ORDER BY place, n", rule):
            code, acts, values = orjson.loads(body)
            yield Finding(code, tuple(acts), values)

    def kept_of_acts(self, rule: str, where: str = "true") -> Iterator[Finding]:
        """Yield what is kept of a rule over single acts: code and values, under the act's reference."""
        for ref, body in self.rows(f"SELECT scope, body FROM findings f WHERE rule = ? AND {where} ORDER BY place, n", rule):
            code, values = orjson.loads(body)
            yield Finding(code, (ref,), values)


Rule = Callable[[Ground], Iterator[Finding]]


def find(state: AuditState, *, now: int) -> tuple[Finding, ...]:
    """Return every finding in what ``state`` holds; ``now`` is POSIX seconds."""
    from ledger.records.entry import format_time
    from ledger.verifier import findings_acts, findings_contracts, findings_numbers

    ground = Ground(state, format_time(now), findings_acts.rules_data())
    with state.transaction():
        findings_acts.refresh(state)
        findings_numbers.refresh(ground)
        take_in_dates(state)
        _refresh_signatories(ground)
    rules = (*findings_numbers.RULES, *RULES, *findings_contracts.RULES)
    return tuple(found for rule in rules for found in rule(ground))


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


# -- time and terms


def take_in_dates(state: AuditState) -> None:
    """Take in the acts that are new: how many have numbers, and their dates; inside the caller's transaction."""
    values = {"since": int(state.mark("dates") or 0), "offset": state.roster.utc_offset, "late": LATE_DAYS}
    numbered, delays, is_ahead = Counter[str](), Counter[tuple[str, int]](), False
    for office, signed_on, entered, count, with_number in state.connection.execute(_BY_DATE, values):
        numbered[office] += with_number
        days = _days_between(signed_on, entered)
        is_ahead = is_ahead or days < 0
        if days >= 0:
            delays[office, days] += count
    with_numbers = [(office, count) for office, count in numbered.items() if count]
    state.connection.executemany(f"INSERT INTO numbered VALUES (?, ?) {_ADDED}", with_numbers)
    counted = [(*key, count) for key, count in delays.items()]
    state.connection.executemany(f"INSERT INTO delays VALUES (?, ?, ?) {_ADDED}", counted)
    if any(days > LATE_DAYS for _, days in delays):
        state.connection.execute(_TAKE_IN_LATE, values)
    if is_ahead:
        state.connection.execute(_TAKE_IN_AHEAD, values)
    state.set_mark("dates", state.head.size)


def _days_between(signed_on: str, entered: str) -> int:
    return (datetime.date.fromisoformat(entered) - datetime.date.fromisoformat(signed_on)).days


_ADDED = "ON CONFLICT DO UPDATE SET count = count + excluded.count"
_BY_DATE = """
    SELECT office, signed_on, date(time, :offset) AS entered, count(*), count(number)
    FROM acts WHERE idx >= :since GROUP BY office, signed_on, entered
"""
_TAKE_IN_LATE = """
    INSERT INTO late SELECT office, days, idx, ref FROM (
      SELECT office, CAST(julianday(date(time, :offset)) - julianday(signed_on) AS INTEGER) AS days, idx, ref
      FROM acts WHERE idx >= :since AND signed_on <= date(time, :offset)
    ) WHERE days > :late
"""
_TAKE_IN_AHEAD = """
    INSERT INTO findings SELECT 'date-ahead', idx, 0, ref, json_array('date-ahead', json_object(
      'number', coalesce(number, '–'), 'office', office, 'signed_on', signed_on, 'entered', date(time, :offset)
    )) FROM acts WHERE idx >= :since AND signed_on > date(time, :offset)
"""


def signed_after_entry(ground: Ground) -> Iterator[Finding]:
    """The paper's date is later than the day on which the act was entered."""
    yield from ground.kept_of_acts("date-ahead")


def entered_late(ground: Ground) -> Iterator[Finding]:
    """Days from the paper's date to the entry, for each office in which some took longer than ``LATE_DAYS``."""
    for office, refs in ground.rows(_LATE):
        late = tuple(refs.split(" "))
        ((everything, longest),) = ground.rows("SELECT sum(count), max(days) FROM delays WHERE office = ?", office)
        ((median,),) = ground.rows(_MEDIAN, office, everything // 2)
        values = {"office": office, "count": len(late), "all": everything, "days": LATE_DAYS}
        yield Finding("entered-late", late, values | {"median": median, "longest": longest})


_LATE = """
    SELECT office, group_concat(ref, ' ') FROM (SELECT office, ref FROM late ORDER BY office, days DESC, idx)
    GROUP BY office ORDER BY office
"""
_MEDIAN = """
    SELECT days FROM (SELECT days, sum(count) OVER (ORDER BY days DESC) AS acts FROM delays WHERE office = ?1)
    WHERE acts > ?2 ORDER BY days DESC LIMIT 1
"""


def time_ahead(ground: Ground) -> Iterator[Finding]:
    """Entries that carry a time which has not come yet; as time never runs backwards, they are the last ones."""
    found = ground.state.after(ground.now)
    if found is not None:
        count, first, newest = found
        yield Finding("time-ahead", (), {"count": count, "index": first, "time": newest})


def signatory_outside_term(ground: Ground) -> Iterator[Finding]:
    """Somebody signed the paper in a position that this roster gives them for another time only."""
    yield from ground.kept_of_acts("signatory-outside-term")


_SIGNATORIES = """
    SELECT a.idx, s.key, a.ref, a.number, a.office, a.signed_on,
           json_extract(s.value, '$.name'), json_extract(s.value, '$.position')
    FROM acts a, json_each(a.body, '$.signatories') s
    WHERE a.idx IN (SELECT idx FROM people WHERE idx >= ?1 AND who IN (SELECT value FROM json_each(?2)))
      AND json_extract(s.value, '$.capacity') = 'definitive' AND json_extract(s.value, '$.name') IS NOT NULL
"""


def _refresh_signatories(ground: Ground) -> None:
    """Ask the new acts, or all where the terms of somebody have changed, whoever in them is known to the roster."""
    from ledger.verifier.findings_acts import who_of

    state, terms = ground.state, dict[tuple[str, str], list[Any]]()
    for one in state.roster.enrolments.values():
        terms.setdefault((one.holder.casefold(), one.position.casefold()), []).append(one)
    known = sorted((*key, one.begins, one.until or "") for key, found in terms.items() for one in found)
    by = hashlib.sha256(json.dumps(known).encode("ascii")).hexdigest()
    if state.mark("signatories-by") != by:
        state.connection.execute("DELETE FROM findings WHERE rule = 'signatory-outside-term'")
        state.set_mark("signatories-by", by)
        state.set_mark("signatories", 0)
    since = int(state.mark("signatories") or 0)
    whose = json.dumps([who_of(*key) for key in terms])
    for index, n, ref, number, office, signed_on, name, position in ground.rows(_SIGNATORIES, since, whose):
        found = terms.get((name.casefold(), position.casefold()), [])
        if found and not any(one.covers(signed_on) for one in found):
            values = {"number": number or "–", "office": office, "name": name, "position": position, "signed_on": signed_on}
            body = json.dumps(["signatory-outside-term", values], ensure_ascii=False)
            row = ("signatory-outside-term", index, n, ref, body)
            state.connection.execute("INSERT INTO findings VALUES (?, ?, ?, ?, ?)", row)
    state.set_mark("signatories", state.head.size)


def listed(items: list[str]) -> str:
    """Return the first of ``items`` in one line."""
    return ", ".join(items[:_MANY]) + (" …" if len(items) > _MANY else "")


RULES: tuple[Rule, ...] = (signed_after_entry, entered_late, time_ahead, signatory_outside_term)
