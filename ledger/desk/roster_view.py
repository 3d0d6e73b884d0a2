"""The roster as people read it: offices, forms, keys with their terms, rules, number books, promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.records.roster import Enrolment, Roster

__all__ = ["roster_json", "roster_lines"]

Say = Callable[..., str]


def roster_lines(roster: Roster, say: Say, today: str) -> list[str]:
    """Return the roster as lines for a terminal; ``today`` (local date) tells which terms are over."""
    lines = [
        say("roster.head", name=roster.name, origin=roster.origin, n=roster.n),
        say("roster.authority", count=len(roster.authority), threshold=roster.threshold),
    ]
    for key, one in roster.offices.items():
        lines.append(say("roster.office", id=key, name=one["name"], parent=one.get("parent") or "—"))
    lines += [say("roster.form", id=key, kind=one["kind"], name=one["name"]) for key, one in roster.forms.items()]
    lines += [_key_line(keyid, one, say, today) for keyid, one in roster.enrolments.items()]
    for kind, one in roster.rules.items():
        positions = ", ".join(one.get("positions") or []) or "—"
        lines.append(say("roster.rule", kind=kind, signatures=one["signatures"], positions=positions))
    lines += [say("roster.competence", office=office, over=over) for office, over in sorted(roster.competences)]
    for key, one in roster.series.items():
        shown = {"office": one["office"], "pattern": one["pattern"], "complete_from": one["complete_from"]}
        lines.append(say("roster.series", id=key, **shown))
    for one in roster.duties:
        lines.append(say("roster.duty", office=one["office"], forms=", ".join(one["forms"]), begins=one["from"]))
    return lines


def roster_json(roster: Roster) -> dict[str, Any]:
    """Return the roster as plain data."""
    return {
        "n": roster.n,
        "hash": roster.hash,
        "founding": roster.founding,
        "origin": roster.origin,
        "name": roster.name,
        "authority": {"keys": sorted(roster.authority), "threshold": roster.threshold},
        "offices": list(roster.offices.values()),
        "forms": list(roster.forms.values()),
        "keys": [_key_json(keyid, one) for keyid, one in roster.enrolments.items()],
        "rules": list(roster.rules.values()),
        "competences": [{"office": office, "over": over} for office, over in sorted(roster.competences)],
        "series": list(roster.series.values()),
        "duties": list(roster.duties),
        "withdrawn": list(roster.withdrawn.values()),
        "reaffirmed": sorted(roster.reaffirmed),
    }


def _key_line(keyid: str, one: Enrolment, say: Say, today: str) -> str:
    state = "revoked" if one.revoked_at is not None else "retired" if one.retired_at is not None else "over"
    if one.active and one.covers(today):
        state = "active"
    return say(
        "roster.key",
        keyid=keyid[:16],
        who=one.position if one.holder == one.position else f"{one.holder}, {one.position}",
        offices=", ".join(one.offices),
        kinds=", ".join(one.kinds),
        begins=one.begins,
        until=one.until or "…",
        state=say(f"roster.state-{state}"),
    )


def _key_json(keyid: str, one: Enrolment) -> dict[str, Any]:
    return {
        "keyid": keyid,
        "holder": one.holder,
        "position": one.position,
        "offices": list(one.offices),
        "kinds": list(one.kinds),
        "from": one.begins,
        "until": one.until,
        "enrolled_at": one.index,
        "retired_at": one.retired_at,
        "revoked_at": one.revoked_at,
        "suspect_from": one.suspect_from,
    }
