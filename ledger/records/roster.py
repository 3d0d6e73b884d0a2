"""The roster: who may do what. A chain of signed payloads of its own, inside the ledger.

``n`` counts from 0 and ``prev_roster`` is the hash of the payload before, so nothing can be replayed, left out or
re-ordered. Each payload is signed by the authority's threshold, the founding by every authority key, and each new key
signs its own enrolment. A ``Roster`` is a value: applying a payload makes a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ledger.errors import FormatError, NewerFormatError, Reason, SignatureError, VerificationError
from ledger.keys import PublicKey
from ledger.records import canonical
from ledger.records.entry import NO_ROSTER
from ledger.records.envelope import Envelope, check_signature
from ledger.records.events import MAX_ROSTER, ROSTER_TYPE, check_payload, judge_event, key_of, log_vkeys, new_keys

__all__ = ["Enrolment", "LogVkeys", "Roster", "apply_roster", "judge_roster", "replay_roster"]

_Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A key and what its holder may sign: ``index`` is the entry that enrolled it; ``until`` None is open."""

    key: PublicKey
    holder: str
    position: str
    offices: tuple[str, ...]
    kinds: tuple[str, ...]
    begins: str
    until: str | None
    index: int
    retired_at: int | None = None
    revoked_at: int | None = None
    suspect_from: int | None = None

    @property
    def active(self) -> bool:
        """Neither retired nor revoked."""
        return self.retired_at is None and self.revoked_at is None

    def covers(self, date: str) -> bool:
        """Tell whether the local ``date`` lies in the term."""
        return self.begins <= date and (self.until is None or date <= self.until)


@dataclass(frozen=True, slots=True)
class LogVkeys:
    """The log's two vkeys, and the tree sizes whose checkpoints they sign: ``from_size`` up to before ``until_size``."""

    vkeys: tuple[str, str]
    from_size: int
    until_size: int | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """The state after the newest payload; ``hash`` is that payload's SHA-256 in hex, ``founding`` the first one's."""

    n: int = -1
    hash: str = NO_ROSTER
    founding: str = ""
    origin: str = ""
    name: str = ""
    utc_offset: str = "+00:00"
    languages: tuple[str, ...] = ()
    authority: Mapping[str, PublicKey] = field(default_factory=dict)
    threshold: int = 0
    log_keys: tuple[LogVkeys, ...] = ()
    used_keys: frozenset[str] = frozenset()
    offices: Mapping[str, _Event] = field(default_factory=dict)
    forms: Mapping[str, _Event] = field(default_factory=dict)
    enrolments: Mapping[str, Enrolment] = field(default_factory=dict)
    rules: Mapping[str, _Event] = field(default_factory=dict)
    competences: frozenset[tuple[str, str]] = frozenset()
    series: Mapping[str, _Event] = field(default_factory=dict)
    duties: tuple[_Event, ...] = ()
    withdrawn: Mapping[str, _Event] = field(default_factory=dict)
    reaffirmed: frozenset[str] = frozenset()

    def line_of(self, office: str) -> list[str]:
        """Return ``office`` and those above it, the nearest first."""
        line: list[str] = []
        current: str | None = office
        while current is not None and current in self.offices and current not in line:
            line.append(current)
            current = self.offices[current].get("parent")
        return line

    def log_keys_at(self, size: int) -> list[LogVkeys]:
        """Return the log keys that sign a checkpoint of ``size``: one set, or two while they overlap."""
        return [
            keys for keys in self.log_keys if keys.from_size <= size and (keys.until_size is None or size < keys.until_size)
        ]

    def suspects(self, signers: list[str], index: int) -> list[str]:
        """Return those ``signers`` of entry ``index`` whose key was revoked as untrustworthy from there on."""
        return [
            keyid
            for keyid in signers
            if (enrolment := self.enrolments.get(keyid)) is not None
            and enrolment.suspect_from is not None
            and enrolment.suspect_from <= index
        ]


def judge_roster(roster: Roster, envelope: Envelope, *, index: int | None) -> list[Reason]:
    """Return every reason against ``envelope`` as the next roster payload, at entry ``index``; none: it may be applied.

    With ``index`` None its place in the ledger is not known, and what depends on it is not judged.
    """
    try:
        data = canonical.parse(envelope.payload, limit=MAX_ROSTER)
    except FormatError as error:
        return [Reason(error.code, "", error.values)]
    shape = list(check_payload(data)) or list(_judge_chain(roster, data, index))
    if shape:
        return shape
    reasons: list[Reason] = []
    current = roster
    for position, event in enumerate(data["events"]):
        found = list(judge_event(current, event, index=index, path=f"events[{position}]"))
        reasons.extend(found)
        if not found:
            current = _apply_event(current, event, _INDEX_UNKNOWN if index is None else index)
    return reasons or list(_judge_signatures(roster, envelope, data["events"]))


def apply_roster(roster: Roster, envelope: Envelope, *, index: int) -> Roster:
    """Return the roster after an ``envelope`` that ``judge_roster`` has nothing against."""
    data = canonical.parse(envelope.payload, limit=MAX_ROSTER)
    for event in data["events"]:
        roster = _apply_event(roster, event, index)
    return replace(roster, n=data["n"], hash=envelope.id, founding=roster.founding or envelope.id)


def replay_roster(envelopes: list[Envelope], *, founding: str) -> list[Roster]:
    """Return the roster after each of ``envelopes`` (``roster.jsonl``), the founding first.

    Where each stood in the ledger is not known here, so what depends on it (``suspect_from``) is not judged.

    Raises:
        VerificationError: the chain does not begin with ``founding``, is broken, or is not signed by the authority.
        NewerFormatError: a later version's event.
    """
    if not envelopes or envelopes[0].id != founding:
        raise VerificationError("the roster does not begin with the pinned founding", code="other-founding")
    rosters: list[Roster] = []
    current = Roster()
    for n, envelope in enumerate(envelopes):
        if envelope.payload_type != ROSTER_TYPE:
            raise VerificationError(f"roster line {n} is no roster payload", code="roster-chain", n=n)
        reasons = judge_roster(current, envelope, index=None if n else 0)
        if any(reason.unknown for reason in reasons):
            raise NewerFormatError(f"roster payload {n}: {'; '.join(map(str, reasons))}")
        if reasons:
            raise VerificationError(f"roster payload {n}: {'; '.join(map(str, reasons))}", code="roster-chain", n=n)
        current = apply_roster(current, envelope, index=_INDEX_UNKNOWN * (n > 0))
        rosters.append(current)
    return rosters


_INDEX_UNKNOWN = 2**53


def _judge_chain(roster: Roster, data: _Event, index: int | None) -> Iterator[Reason]:
    founds = any(event["event"] == "founding" for event in data["events"])
    if data["n"] != roster.n + 1:
        yield Reason("roster-out-of-turn", "n", {"value": data["n"], "expected": roster.n + 1})
    if data["prev_roster"] != roster.hash:
        yield Reason("roster-out-of-turn", "prev_roster", {"value": data["prev_roster"][:16], "expected": roster.hash[:16]})
    if data["n"] == 0 and (len(data["events"]) != 1 or not founds or index != 0):
        yield Reason("bad-founding", "events")
    if data["n"] > 0 and founds:
        yield Reason("bad-founding", "events")
    if data["n"] > 0 and data["founding"] != roster.founding:
        yield Reason("other-founding", "founding", {"value": data["founding"][:16], "expected": roster.founding[:16]})


def _judge_signatures(roster: Roster, envelope: Envelope, events: list[_Event]) -> Iterator[Reason]:
    """The authority's threshold, and every new key for itself; nobody else."""
    needed = {key.keyid: key for event in events for key in map(key_of, new_keys(event))}
    allowed = {**roster.authority, **needed}
    signed = set()
    for signature in envelope.signatures:
        key = allowed.get(signature.keyid)
        if key is None:
            yield Reason("signer-is-not-authority", "signatures", {"keyid": signature.keyid[:16]})
            continue
        try:
            check_signature(envelope, signature, key)
        except SignatureError:
            yield Reason("bad-signature", "signatures", {"keyid": signature.keyid[:16]})
        signed.add(signature.keyid)
    for keyid in needed:
        if keyid not in signed:
            yield Reason("no-proof-of-possession", "signatures", {"keyid": keyid[:16]})
    count = len(signed & roster.authority.keys())
    if count < roster.threshold:
        yield Reason("too-few-authority-signatures", "signatures", {"count": count, "threshold": roster.threshold})


def _apply_event(roster: Roster, event: _Event, index: int) -> Roster:
    return _APPLY[event["event"]](roster, event, index)


def _found(roster: Roster, event: _Event, index: int) -> Roster:
    founded = replace(
        roster,
        origin=event["origin"],
        name=event["name"],
        utc_offset=event["utc_offset"],
        languages=tuple(event["languages"]),
    )
    founded = _set_authority(founded, event["authority"], index)
    return _add_log_keys(founded, event["log"]["vkeys"], from_size=0, overlap_until=0)


def _set_authority(roster: Roster, event: _Event, index: int) -> Roster:
    keys = {key.keyid: key for key in map(key_of, event["keys"])}
    return replace(roster, authority=keys, threshold=event["threshold"], used_keys=roster.used_keys | keys.keys())


def _add_log_keys(roster: Roster, vkeys: list[str], *, from_size: int, overlap_until: int) -> Roster:
    ed25519, _ = log_vkeys(vkeys, roster.origin)
    older = tuple(replace(keys, until_size=keys.until_size or overlap_until) for keys in roster.log_keys)
    new = LogVkeys((vkeys[0], vkeys[1]), from_size)
    used = roster.used_keys | {PublicKey.from_raw(ed25519.key).keyid}
    return replace(roster, log_keys=(*older, new), used_keys=used)


def _enrol(roster: Roster, event: _Event, index: int) -> Roster:
    key = key_of(event["key"])
    enrolment = Enrolment(
        key=key,
        holder=event["holder"],
        position=event["position"],
        offices=tuple(event["offices"]),
        kinds=tuple(event["kinds"]),
        begins=event["from"],
        until=event.get("until"),
        index=index,
    )
    return replace(
        roster,
        enrolments={**roster.enrolments, key.keyid: enrolment},
        used_keys=roster.used_keys | {key.keyid},
    )


def _end_key(roster: Roster, event: _Event, index: int) -> Roster:
    enrolment = roster.enrolments[event["key"]]
    if event["event"] == "retire":
        ended = replace(enrolment, retired_at=index)
    else:
        earlier = [size for size in (enrolment.suspect_from, event["suspect_from"]) if size is not None]
        revoked_at = index if enrolment.revoked_at is None else enrolment.revoked_at
        ended = replace(enrolment, revoked_at=revoked_at, suspect_from=min(earlier))
    return replace(roster, enrolments={**roster.enrolments, event["key"]: ended})


def _add_rule(roster: Roster, event: _Event, index: int) -> Roster:
    if "kind" in event:
        return replace(roster, rules={**roster.rules, event["kind"]: event})
    return replace(roster, competences=roster.competences | {(event["office"], event["over"])})


_APPLY: dict[str, Callable[[Roster, _Event, int], Roster]] = {
    "founding": _found,
    "office": lambda roster, event, index: replace(roster, offices={**roster.offices, event["id"]: event}),
    "form": lambda roster, event, index: replace(roster, forms={**roster.forms, event["id"]: event}),
    "series": lambda roster, event, index: replace(roster, series={**roster.series, event["id"]: event}),
    "retire": _end_key,
    "revoke": _end_key,
    "authority": _set_authority,
    "enrol": _enrol,
    "rule": _add_rule,
    "duty": lambda roster, event, index: replace(roster, duties=(*roster.duties, event)),
    "withdraw": lambda roster, event, index: replace(roster, withdrawn={**roster.withdrawn, event["sha256"]: event}),
    "reaffirm": lambda roster, event, index: replace(roster, reaffirmed=roster.reaffirmed | set(event["acts"])),
    "log_key": lambda roster, event, index: _add_log_keys(
        roster, event["vkeys"], from_size=event["from_size"], overlap_until=event["overlap_until_size"]
    ),
}
