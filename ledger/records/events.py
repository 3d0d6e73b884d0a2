"""The events of the roster: their shapes, and what each needs of the roster before it.

A roster payload is ``{v, founding, n, prev_roster, events: […]}``. Payload 0, in entry 0, is the founding; its SHA-256 is
the ledger's identity, so it carries no ``founding`` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ledger.errors import LedgerError, Reason
from ledger.keys import PublicKey
from ledger.records.kinds import KINDS
from ledger.records.numbers import pattern_is_known
from ledger.records.shapes import (
    AnyShape,
    Shape,
    choice,
    date,
    digest,
    either,
    identifier,
    integer,
    listing,
    mapping,
    nullable,
    pattern,
    person_text,
    spki,
    text,
)
from ledger.tlog.encoding import parse_base64
from ledger.tlog.note import COSIGNATURE_MLDSA44, ED25519, VerifierKey, parse_vkey

if TYPE_CHECKING:
    from ledger.records.roster import Roster

__all__ = ["EVENTS", "ROSTER_TYPE", "check_payload", "judge_event", "key_of", "log_vkeys", "new_keys"]

ROSTER_TYPE = "application/vnd.bening.roster+json"
MAX_ROSTER = 32 * 1024
ORIGIN = r"(?=.{1,200}$)[a-z0-9.-]+(/[a-z0-9._-]+)*"

_LINE = person_text(300)
_EVENT = text(32)
_KEYS = listing(spki, least=1, most=16)
_VKEYS = listing(text(2400), least=2, most=2)


def _event(required: dict[str, AnyShape], optional: dict[str, AnyShape] | None = None) -> Shape:
    return mapping({"event": _EVENT, **required}, optional)


EVENTS: dict[str, Shape] = {
    "founding": _event(
        {
            "origin": pattern(ORIGIN, "bad-origin"),
            "name": _LINE,
            "utc_offset": pattern(r"[+-](0[0-9]|1[0-4]):(00|15|30|45)", "bad-offset"),
            "languages": listing(pattern(r"[a-z]{2,3}", "bad-language"), least=1, most=8),
            "authority": mapping({"keys": _KEYS, "threshold": integer(1, 16)}),
            "log": mapping({"vkeys": _VKEYS}),
        }
    ),
    "office": _event({"id": identifier, "name": _LINE}, {"parent": nullable(identifier)}),
    "form": _event({"id": identifier, "kind": choice(*KINDS), "name": _LINE}, {"law": nullable(_LINE)}),
    "enrol": _event(
        {
            "key": spki,
            "holder": _LINE,
            "position": _LINE,
            "offices": listing(identifier, least=1, most=256),
            "kinds": listing(choice(*KINDS), least=1, most=len(KINDS)),
            "from": date,
        },
        {"until": nullable(date)},
    ),
    "retire": _event({"key": digest}),
    "revoke": _event({"key": digest, "suspect_from": integer()}, {"reason": _LINE}),
    "reaffirm": _event({"acts": listing(digest, least=1, most=256)}),
    "rule": either(
        "kind",
        _event({"kind": choice(*KINDS), "signatures": integer(1, 16)}, {"positions": listing(_LINE, most=64)}),
        _event({"office": identifier, "over": identifier}),
    ),
    "series": _event(
        {
            "id": identifier,
            "office": identifier,
            "forms": listing(identifier, least=1, most=64),
            "pattern": text(200),
            "start": integer(),
            "resets": choice("yearly", "never"),
            "complete_from": date,
        }
    ),
    "duty": _event({"office": identifier, "forms": listing(identifier, least=1, most=64), "from": date}),
    "withdraw": _event({"sha256": digest, "law": _LINE, "reason": _LINE}),
    "authority": _event({"keys": _KEYS, "threshold": integer(1, 16)}),
    "log_key": _event({"vkeys": _VKEYS, "from_size": integer(1), "overlap_until_size": integer(1)}),
}

_PAYLOAD: dict[str, AnyShape] = {"v": integer(1, 1), "n": integer(), "prev_roster": digest}


def check_payload(data: Any) -> Iterator[Reason]:
    """Yield every fault in the shape of a roster payload."""
    if type(data) is not dict or data.get("v") != 1 or type(data["v"]) is not int:
        version = data.get("v") if type(data) is dict else None
        yield Reason("bad-version", "v", {"value": str(version)}, unknown=type(version) is int and version > 1)
        return
    founding = {} if data.get("n") == 0 else {"founding": digest}
    yield from mapping({**_PAYLOAD, "events": _any_list, **founding})(data, "")
    for position, event in enumerate(data["events"] if type(data.get("events")) is list else []):
        yield from _check_event(event, f"events[{position}]")


def _any_list(value: Any, path: str) -> Iterator[Reason]:
    if type(value) is not list:
        yield Reason("not-a-list", path)
    elif not 1 <= len(value) <= 256:
        yield Reason("bad-count", path, {"count": len(value), "low": 1, "high": 256})


def _check_event(event: Any, path: str) -> Iterator[Reason]:
    name = event.get("event") if type(event) is dict else None
    if type(name) is not str or name not in EVENTS:
        yield Reason("unknown-event", path, {"value": str(name)[:40]}, unknown=type(name) is str)
    else:
        yield from EVENTS[name](event, path)


def key_of(spki_base64: str) -> PublicKey:
    """Return the public key that an event states.

    Raises:
        LedgerError: PyNaCl would never accept a signature by it.
    """
    return PublicKey.from_spki(parse_base64(spki_base64))


def new_keys(event: dict[str, Any]) -> list[str]:
    """Return the keys, in base64 SPKI, whose holders must sign the event to show that they have them."""
    if event["event"] == "enrol":
        return [event["key"]]
    if event["event"] == "founding":
        return list(event["authority"]["keys"])
    return list(event["keys"]) if event["event"] == "authority" else []


def log_vkeys(texts: list[str], origin: str) -> tuple[VerifierKey, VerifierKey]:
    """Return the log's Ed25519 and ML-DSA-44 keys; both are named as the origin.

    Raises:
        LedgerError: not these two types, or another name.
    """
    first, second = (parse_vkey(one) for one in texts)
    if (first.algorithm, second.algorithm) != (ED25519, COSIGNATURE_MLDSA44) or {first.name, second.name} != {origin}:
        raise LedgerError("the log has one Ed25519 and one ML-DSA-44 key, both named as its origin")
    return first, second


def judge_event(roster: Roster, event: dict[str, Any], *, index: int | None, path: str) -> Iterator[Reason]:
    """Yield what speaks against a well-shaped ``event`` after ``roster``; ``index`` None: its place is not known."""
    for key in new_keys(event):
        yield from _judge_new_key(roster, event["event"], key, path)
    judge = _JUDGES.get(event["event"])
    if judge:
        yield from judge(roster, event, index, path)


def _judge_new_key(roster: Roster, event: str, key: str, path: str) -> Iterator[Reason]:
    try:
        keyid = key_of(key).keyid
    except LedgerError:
        yield Reason("bad-key", path)
        return
    stays = event == "authority" and keyid in roster.authority
    if keyid in roster.used_keys and not stays:
        yield Reason("key-has-a-role", path, {"keyid": keyid[:16]})


def _judge_office(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    parent = event.get("parent")
    if parent is not None:
        if parent not in roster.offices:
            yield Reason("unknown-office", f"{path}.parent", {"value": parent})
        elif event["id"] == parent or event["id"] in roster.line_of(parent):
            yield Reason("office-circle", f"{path}.parent", {"value": parent})


def _judge_form(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    known = roster.forms.get(event["id"])
    if known and known["kind"] != event["kind"]:
        yield Reason("form-changes-kind", path, {"value": event["id"]})


def _judge_enrol(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    yield from _known_offices(roster, event["offices"], path)
    if len(set(event["offices"])) != len(event["offices"]) or len(set(event["kinds"])) != len(event["kinds"]):
        yield Reason("twice", path)
    if event.get("until") is not None and event["until"] < event["from"]:
        yield Reason("until-before-from", path)


def _judge_key(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    enrolment = roster.enrolments.get(event["key"])
    if enrolment is None:
        yield Reason("key-not-enrolled", path, {"keyid": event["key"][:16]})
    elif event["event"] == "retire" and not enrolment.active:
        yield Reason("key-not-active", path, {"keyid": event["key"][:16]})
    if event["event"] == "revoke" and index is not None and event["suspect_from"] > index:
        yield Reason("suspect-from-ahead", path, {"value": event["suspect_from"], "limit": index})


def _judge_rule(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    yield from _known_offices(roster, [event[key] for key in ("office", "over") if key in event], path)


def _judge_series(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    if event["id"] in roster.series:
        yield Reason("series-exists", path, {"value": event["id"]})
    if not pattern_is_known(event["pattern"]):
        yield Reason("bad-pattern", f"{path}.pattern", {"value": event["pattern"]})
    yield from _judge_duty(roster, event, index, path)


def _judge_duty(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    yield from _known_offices(roster, [event["office"]], path)
    for form in event["forms"]:
        if form not in roster.forms:
            yield Reason("unknown-form", path, {"value": form})


def _judge_authority(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    if len(set(event["keys"])) != len(event["keys"]):
        yield Reason("twice", path)
    if event["threshold"] > len(event["keys"]):
        yield Reason("threshold-too-high", path, {"threshold": event["threshold"], "count": len(event["keys"])})


def _judge_founding(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    yield from _judge_authority(roster, event["authority"], index, path)
    faults = list(_judge_vkeys(roster, event["log"]["vkeys"], event["origin"], path))
    yield from faults
    if not faults:
        log_key, _ = log_vkeys(event["log"]["vkeys"], event["origin"])
        if any(parse_base64(key)[-32:] == log_key.key for key in event["authority"]["keys"]):
            yield Reason("key-has-a-role", path, {"keyid": PublicKey.from_raw(log_key.key).keyid[:16]})


def _judge_log_key(roster: Roster, event: dict[str, Any], index: int | None, path: str) -> Iterator[Reason]:
    yield from _judge_vkeys(roster, event["vkeys"], roster.origin, path)
    least = max(roster.log_keys[-1].from_size, -1 if index is None else index)
    if not least < event["from_size"] <= event["overlap_until_size"]:
        yield Reason("bad-overlap", path, {"index": "?" if index is None else index})


def _judge_vkeys(roster: Roster, texts: list[str], origin: str, path: str) -> Iterator[Reason]:
    try:
        ed25519, _ = log_vkeys(texts, origin)
    except LedgerError:
        yield Reason("bad-vkeys", path, {"origin": origin})
        return
    if PublicKey.from_raw(ed25519.key).keyid in roster.used_keys:
        yield Reason("key-has-a-role", path, {"keyid": PublicKey.from_raw(ed25519.key).keyid[:16]})


def _known_offices(roster: Roster, offices: list[str], path: str) -> Iterator[Reason]:
    for office in offices:
        if office not in roster.offices:
            yield Reason("unknown-office", path, {"value": office})


_Judge = Callable[["Roster", dict[str, Any], int | None, str], Iterator[Reason]]
_JUDGES: dict[str, _Judge] = {
    "founding": _judge_founding,
    "office": _judge_office,
    "form": _judge_form,
    "enrol": _judge_enrol,
    "retire": _judge_key,
    "revoke": _judge_key,
    "rule": _judge_rule,
    "series": _judge_series,
    "duty": _judge_duty,
    "authority": _judge_authority,
    "log_key": _judge_log_key,
}
