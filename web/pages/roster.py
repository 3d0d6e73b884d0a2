"""``/roster``, and the page of a roster entry: who may sign what now, and every decision of the authority in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g

from ledger.records import canonical
from ledger.records.entry import Entry, format_time, local_date, parse_entry
from ledger.records.events import MAX_ROSTER, key_of
from ledger.records.roster import Enrolment, Roster
from web.app import reading
from web.pages.fields import Say
from web.pages.frame import page, say_of
from web.pages.kept import kept
from web.pages.names import Names
from web.pages.proofs import picture_of
from web.present import Present
from web.site import Reading

__all__ = ["Decision", "Key", "Office", "blueprint", "decisions_of", "event_sentence", "keys_of", "offices_of", "show_decision"]

blueprint = Blueprint("roster", __name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """One roster payload: its number, its entry and time, and how many events of which kind it holds."""

    n: int
    index: int
    time: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and whether its holder may sign on a day: ``active``, ``later``, ``over``, ``retired`` or ``revoked``."""

    keyid: str
    enrolment: Enrolment
    state: str


@dataclass(frozen=True, slots=True)
class Office:
    """An office and those below it."""

    id: str
    name: str
    below: tuple[Office, ...]


@blueprint.get("/roster")
def roster() -> str:
    """Show the roster as it is now, and how it became so."""
    import time

    known = reading.roster
    today = local_date(format_time(int(time.time())), known.utc_offset)
    decisions = kept("decisions", reading, lambda: decisions_of(reading))
    return page(
        "roster.html",
        roster=known, names=Names(known), keys=keys_of(known, today), offices=offices_of(known), decisions=decisions,
        rules=known.rules.values(), competences=sorted(known.competences),
    )  # fmt: skip


def show_decision(index: int, entry: Entry) -> str:
    """Return the page of a roster entry."""
    data = canonical.parse(entry.envelope.payload, limit=MAX_ROSTER)
    say, show, names = say_of(g.lang), Present(g.lang, reading.roster.utc_offset), Names(reading.roster)
    events = [event_sentence(one, names, say, show) for one in data["events"]]
    signers = [(one.keyid, one.keyid in reading.roster.authority) for one in entry.envelope.signatures]
    shown = {"data": data, "events": events, "signers": signers, "names": names}
    return page("decision.html", index=index, entry=entry, picture=picture_of(reading, index), **shown)


def decisions_of(reading: Reading) -> list[Decision]:
    """Return every roster payload, the newest first."""
    found = []
    for index, stored in reading.store.roster_entries(reading.size):
        entry = parse_entry(stored)
        data = canonical.parse(entry.envelope.payload, limit=MAX_ROSTER)
        counts = Counter(event["event"] for event in data["events"])
        found.append(Decision(data["n"], index, entry.time, tuple(counts.items())))
    return found[::-1]


def keys_of(roster: Roster, today: str) -> list[Key]:
    """Return every key with its state on the local day ``today``: those that may sign first."""
    found = [Key(keyid, one, _state(one, today)) for keyid, one in roster.enrolments.items()]
    return sorted(found, key=lambda key: key.state != "active")


def _state(one: Enrolment, today: str) -> str:
    if one.revoked_at is not None:
        return "revoked"
    if one.retired_at is not None:
        return "retired"
    return "active" if one.covers(today) else "later" if today < one.begins else "over"


def offices_of(roster: Roster) -> tuple[Office, ...]:
    """Return the offices that stand below none, each with those below it."""
    below: dict[str | None, list[str]] = {}
    for identifier, office in roster.offices.items():
        below.setdefault(office.get("parent"), []).append(identifier)

    def branch(parent: str | None) -> Iterator[Office]:
        for identifier in below.get(parent, []):
            yield Office(identifier, roster.offices[identifier]["name"], tuple(branch(identifier)))

    return tuple(branch(None))


def event_sentence(event: dict[str, Any], names: Names, say: Say, show: Present) -> str:
    """Return what one event decides, in a sentence."""
    make = _VALUES.get(event["event"])
    variant = next((f"-{end}" for key, end in _VARIANTS.get(event["event"], ()) if event.get(key)), "")
    return say(f"page.event-{event['event']}{variant}", **(make(event, names, say, show) if make else {}))


def _founding(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    authority = event["authority"]
    return {"name": event["name"], "count": len(authority["keys"]), "threshold": authority["threshold"]}


def _office(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {"name": event["name"], "id": event["id"], "parent": names.office(event.get("parent") or "")}


def _form(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {"name": event["name"], "id": event["id"], "kind": say(f"page.kind-{event['kind']}"), "law": event.get("law")}


def _enrol(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {
        "who": ", ".join(dict.fromkeys((event["holder"], event["position"]))),
        "offices": ", ".join(map(names.office, event["offices"])),
        "kinds": ", ".join(say(f"page.kind-{kind}") for kind in event["kinds"]),
        "begins": show.date(event["from"]),
        "until": show.date(event["until"]) if event.get("until") else say("page.open-end"),
        "keyid": key_of(event["key"]).keyid[:16],
    }


def _key(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {
        "who": names.signer(event["key"]), "keyid": event["key"][:16],
        "index": event.get("suspect_from"), "reason": event.get("reason"),
    }  # fmt: skip


def _rule(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    if "over" in event:
        return {"office": names.office(event["office"]), "over": names.office(event["over"])}
    positions = ", ".join(event.get("positions") or []) or say("page.any-position")
    return {"kind": say(f"page.kind-{event['kind']}"), "count": event["signatures"], "positions": positions}


def _series(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {
        "id": event["id"], "office": names.office(event["office"]), "forms": names.forms(event["forms"]),
        "pattern": event["pattern"], "resets": say(f"page.resets-{event['resets']}"), "date": show.date(event["complete_from"]),
    }  # fmt: skip


def _duty(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {"office": names.office(event["office"]), "forms": names.forms(event["forms"]), "date": show.date(event["from"])}


def _withdraw(event: dict[str, Any], names: Names, say: Say, show: Present) -> dict[str, object]:
    return {"sha256": event["sha256"][:16], "law": event["law"], "reason": event["reason"]}


# What else an event may say has a sentence of its own.
_VARIANTS = {
    "office": (("parent", "below"),),
    "form": (("law", "law"),),
    "revoke": (("reason", "because"),),
    "rule": (("over", "over"),),
}
_VALUES: dict[str, Callable[[dict[str, Any], Names, Say, Present], dict[str, object]]] = {
    "founding": _founding,
    "office": _office,
    "form": _form,
    "enrol": _enrol,
    "retire": _key,
    "revoke": _key,
    "rule": _rule,
    "series": _series,
    "duty": _duty,
    "withdraw": _withdraw,
    "reaffirm": lambda event, names, say, show: {"count": len(event["acts"])},
    "authority": lambda event, names, say, show: {"count": len(event["keys"]), "threshold": event["threshold"]},
    "log_key": lambda event, names, say, show: {"size": event["from_size"], "until": event["overlap_until_size"]},
}
