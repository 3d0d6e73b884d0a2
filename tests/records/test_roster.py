"""The roster: a chain that cannot be replayed, cut or re-ordered, in which every key shows that it is there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ledger.errors import NewerFormatError, VerificationError
from ledger.records import canonical
from ledger.records.entry import NO_ROSTER
from ledger.records.envelope import Envelope, add_signature
from ledger.records.events import EVENTS, ROSTER_TYPE, check_payload
from ledger.records.roster import Roster, apply_roster, judge_roster, replay_roster
from tests.city import Keys, keyid_of, signing_key, spki_of

ORIGIN = "bening.example/kota"
A, B, C = (signing_key(f"authority {name}") for name in "abc")
CLERK, CHIEF, STRANGER = (signing_key(name) for name in ("clerk", "chief", "stranger"))
LOG = Keys(ORIGIN)


def founding_event(*authority: Any, threshold: int = 1, log: Keys = LOG, origin: str = ORIGIN) -> dict[str, Any]:
    keys = [spki_of(key) for key in authority]
    event: dict[str, Any] = {"event": "founding", "origin": origin, "name": "Kota Contoh", "utc_offset": "+07:00"}
    return event | {"languages": ["id", "en"], "authority": {"keys": keys, "threshold": threshold}, "log": {"vkeys": log.vkeys}}


def payload(roster: Roster, *events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"v": 1, "n": roster.n + 1, "prev_roster": roster.hash, "events": list(events)}
    if roster.founding:
        data["founding"] = roster.founding
    return data | changes


def sealed(data: dict[str, Any], *signers: Any) -> Envelope:
    envelope = Envelope(ROSTER_TYPE, canonical.dump(data), ())
    for key in signers:
        envelope = add_signature(envelope, keyid_of(key), lambda text, key=key: bytes(key.sign(text).signature))
    return envelope


def codes(roster: Roster, envelope: Envelope, index: int | None = 10) -> list[str]:
    return [reason.code for reason in judge_roster(roster, envelope, index=index)]


def applied(roster: Roster, *events: dict[str, Any], signers: tuple[Any, ...] = (A,), index: int = 10) -> Roster:
    envelope = sealed(payload(roster, *events), *signers)
    assert codes(roster, envelope, index) == []
    return apply_roster(roster, envelope, index=index)


def founded() -> Roster:
    return applied(Roster(), founding_event(A), index=0)


OFFICE = {"event": "office", "id": "setda", "name": "Sekretariat", "parent": None}
FORM = {"event": "form", "id": "sk", "kind": "decision", "name": "Keputusan", "law": None}
ENROL = {
    "event": "enrol", "key": spki_of(CLERK), "holder": "Bagian Hukum", "position": "Kepala", "offices": ["setda"],
    "kinds": ["decision"], "from": "2026-01-01", "until": None,
}  # fmt: skip
RETIRE = {"event": "retire", "key": keyid_of(CLERK)}
REVOKE = {"event": "revoke", "key": keyid_of(CLERK), "suspect_from": 7, "reason": "dicuri"}
SERIES = {
    "event": "series", "id": "sk-setda", "office": "setda", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}",
    "start": 1, "resets": "yearly", "complete_from": "2026-01-01",
}  # fmt: skip
GOOD: list[dict[str, Any]] = [
    founding_event(A),
    OFFICE,
    FORM,
    ENROL,
    RETIRE,
    REVOKE,
    {"event": "reaffirm", "acts": ["a" * 64]},
    {"event": "rule", "kind": "decision", "signatures": 2, "positions": ["Kepala"]},
    {"event": "rule", "office": "setda", "over": "setda"},
    SERIES,
    {"event": "duty", "office": "setda", "forms": ["sk"], "from": "2026-01-01"},
    {"event": "withdraw", "sha256": "a" * 64, "law": "UU 27/2022", "reason": "data pribadi"},
    {"event": "authority", "keys": [spki_of(B)], "threshold": 1},
    {"event": "log_key", "vkeys": Keys(ORIGIN, "new").vkeys, "from_size": 20, "overlap_until_size": 30},
]


def staffed() -> Roster:
    return applied(founded(), OFFICE, FORM, ENROL, signers=(A, CLERK), index=3)


# -- founding


def test_founding_by_one() -> None:
    """The first payload founds the ledger; its hash is the ledger's identity."""
    envelope = sealed(payload(Roster(), founding_event(A)), A)
    roster = apply_roster(Roster(), envelope, index=0)
    assert codes(Roster(), envelope, 0) == []
    assert roster.founding == roster.hash == envelope.id
    assert (roster.n, roster.origin, roster.utc_offset, roster.languages) == (0, ORIGIN, "+07:00", ("id", "en"))
    assert roster.used_keys == {keyid_of(A), keyid_of(LOG.ed25519)}


def test_founding_by_two_of_three_is_signed_by_every_one() -> None:
    """The threshold is for later; each founder shows that the key is there."""
    data = payload(Roster(), founding_event(A, B, C, threshold=2))
    assert codes(Roster(), sealed(data, A, B, C), 0) == []
    assert codes(Roster(), sealed(data, A, B), 0) == ["no-proof-of-possession"]
    assert codes(Roster(), sealed(data, A, B, C, STRANGER), 0) == ["signer-is-not-authority"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (payload(Roster(), founding_event(A, A)), "twice"),
        (payload(Roster(), founding_event(A, threshold=2)), "threshold-too-high"),
        (payload(Roster(), founding_event(A, log=Keys("other.example"))), "bad-vkeys"),
        (payload(Roster(), founding_event(A, origin="Bening")), "bad-origin"),
        (payload(Roster(), founding_event(A, origin="a/" + "b" * 200)), "bad-origin"),
        (payload(Roster(), founding_event(A), OFFICE), "bad-founding"),
        (payload(Roster(), OFFICE), "bad-founding"),
        (payload(Roster(), founding_event(A), founding="f" * 64), "unknown-key"),
        (payload(Roster(), founding_event(A), n=1, founding="f" * 64), "roster-out-of-turn"),
        (payload(Roster(), founding_event(A), prev_roster="1" * 64), "roster-out-of-turn"),
        (payload(Roster(), {**founding_event(A), "log": {"vkeys": LOG.vkeys[::-1]}}), "bad-vkeys"),
        (payload(Roster(), {**founding_event(A), "log": {"vkeys": LOG.vkeys[:1]}}), "bad-count"),
        (payload(Roster(), {**founding_event(A), "log": {"vkeys": [LOG.vkeys[0]] * 2}}), "bad-vkeys"),
    ],
)
def test_no_founding(data: dict[str, Any], code: str) -> None:
    """What is not the one founding event, with true keys, founds nothing."""
    assert code in codes(Roster(), sealed(data, A), 0)


def test_the_founding_stands_in_entry_0_only() -> None:
    """At another index, or a second time, it is refused."""
    envelope = sealed(payload(Roster(), founding_event(A)), A)
    assert "bad-founding" in codes(Roster(), envelope, 1)
    again = sealed(payload(founded(), founding_event(B)), A, B)
    assert "bad-founding" in codes(founded(), again)


def test_the_logs_key_is_nobodys_authority() -> None:
    """One key, one role: the log's key may not also be an authority's, from the founding on."""
    data = payload(Roster(), founding_event(LOG.ed25519))
    assert codes(Roster(), sealed(data, LOG.ed25519), 0) == ["key-has-a-role"]


# -- the chain


def test_replayed_reordered_and_left_out() -> None:
    """A payload stands at one place only: not again, not earlier, not after a gap, not in another ledger."""
    roster = founded()
    first = sealed(payload(roster, OFFICE), A)
    after = apply_roster(roster, first, index=1)
    second = sealed(payload(after, FORM), A)
    assert codes(after, second) == []
    assert codes(after, first) == ["roster-out-of-turn"] * 2
    assert codes(roster, second) == ["roster-out-of-turn"] * 2
    assert codes(after, sealed(payload(after, FORM, prev_roster="1" * 64), A)) == ["roster-out-of-turn"]
    assert codes(after, sealed(payload(after, FORM, n=7), A)) == ["roster-out-of-turn"]
    assert codes(after, sealed(payload(after, FORM, founding="1" * 64), A)) == ["other-founding"]
    assert codes(after, sealed({key: value for key, value in payload(after, FORM).items() if key != "founding"}, A)) == ["missing"]


def test_threshold() -> None:
    """Two of three sign for all three; one alone, or one twice, does not."""
    roster = applied(Roster(), founding_event(A, B, C, threshold=2), signers=(A, B, C), index=0)
    data = payload(roster, OFFICE)
    assert codes(roster, sealed(data, A, C)) == []
    assert codes(roster, sealed(data, B)) == ["too-few-authority-signatures"]
    assert codes(roster, sealed(data)) == ["too-few-authority-signatures"]
    assert codes(roster, sealed(data, A, STRANGER)) == ["signer-is-not-authority", "too-few-authority-signatures"]


def test_a_signature_that_does_not_hold() -> None:
    """A signature over other bytes is named, whatever else is in order."""
    roster = founded()
    other = sealed(payload(roster, FORM), A)
    envelope = Envelope(ROSTER_TYPE, canonical.dump(payload(roster, OFFICE)), other.signatures)
    assert codes(roster, envelope) == ["bad-signature"]


# -- keys


def test_proof_of_possession() -> None:
    """Nobody is enrolled with a key that did not sign the enrolment itself."""
    roster = applied(founded(), OFFICE, FORM)
    data = payload(roster, ENROL)
    assert codes(roster, sealed(data, A)) == ["no-proof-of-possession"]
    assert codes(roster, sealed(data, CLERK)) == ["too-few-authority-signatures"]
    assert codes(roster, sealed(data, A, CLERK)) == []


def test_one_key_one_role_for_ever() -> None:
    """A key is enrolled once: not again after it retired, not as authority, not as the log's, not twice in one payload."""
    roster = staffed()
    assert codes(roster, sealed(payload(roster, ENROL), A, CLERK)) == ["key-has-a-role"]
    retired = applied(roster, RETIRE)
    assert codes(retired, sealed(payload(retired, ENROL), A, CLERK)) == ["key-has-a-role"]
    as_authority = {"event": "authority", "keys": [spki_of(CLERK)], "threshold": 1}
    assert codes(roster, sealed(payload(roster, as_authority), A, CLERK)) == ["key-has-a-role"]
    for key in (A, LOG.ed25519):
        event = {**ENROL, "key": spki_of(key)}
        assert codes(roster, sealed(payload(roster, event), A, key)) == ["key-has-a-role"]
    twice = payload(roster, *[{**ENROL, "key": spki_of(CHIEF)}] * 2)
    assert codes(roster, sealed(twice, A, CHIEF)) == ["key-has-a-role"]


def test_a_key_of_small_order_is_nobodys() -> None:
    """A point of small order, by which anybody could sign, is refused."""
    low = "MCowBQYDK2VwAyEA" + "A" * 43 + "="
    roster = applied(founded(), OFFICE, FORM)
    assert codes(roster, sealed(payload(roster, {**ENROL, "key": low}), A)) == ["bad-key"]


def test_terms() -> None:
    """A term holds from its first to its last day; without ``until`` it stays open."""
    roster = applied(founded(), OFFICE, FORM)
    roster = applied(roster, {**ENROL, "until": "2026-06-30"}, signers=(A, CLERK))
    enrolment = roster.enrolments[keyid_of(CLERK)]
    days = ("2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01")
    assert [enrolment.covers(day) for day in days] == [False, True, True, False]
    assert staffed().enrolments[keyid_of(CLERK)].covers("2999-01-01")


def test_retire_and_revoke() -> None:
    """Retiring ends a key; revoking also names the entry from which it is suspect, and the earliest one stays."""
    roster = staffed()
    enrolment = applied(roster, RETIRE, index=5).enrolments[keyid_of(CLERK)]
    assert (enrolment.retired_at, enrolment.revoked_at, enrolment.active) == (5, None, False)
    revoked = applied(roster, REVOKE, index=9)
    enrolment = revoked.enrolments[keyid_of(CLERK)]
    assert (enrolment.revoked_at, enrolment.suspect_from, enrolment.active) == (9, 7, False)
    assert revoked.suspects([keyid_of(CLERK)], 6) == []
    assert revoked.suspects([keyid_of(CLERK), keyid_of(A)], 7) == [keyid_of(CLERK)]
    earlier = applied(revoked, {**REVOKE, "suspect_from": 2}, index=10)
    later = applied(earlier, {**REVOKE, "suspect_from": 8}, index=11)
    assert later.enrolments[keyid_of(CLERK)].suspect_from == 2
    assert later.enrolments[keyid_of(CLERK)].revoked_at == 9
    assert codes(revoked, sealed(payload(revoked, RETIRE), A)) == ["key-not-active"]
    assert codes(roster, sealed(payload(roster, REVOKE), A), index=6) == ["suspect-from-ahead"]
    assert codes(roster, sealed(payload(roster, REVOKE), A), index=7) == []


def test_reaffirm() -> None:
    """Acts that the authority stands by are remembered by their ids."""
    roster = applied(staffed(), {"event": "reaffirm", "acts": ["a" * 64, "b" * 64]})
    assert applied(roster, {"event": "reaffirm", "acts": ["c" * 64]}).reaffirmed == {"a" * 64, "b" * 64, "c" * 64}


def test_the_authority_hands_over() -> None:
    """The old authority and every key of the new one sign; afterwards only the new one counts."""
    roster = founded()
    event = {"event": "authority", "keys": [spki_of(B), spki_of(C)], "threshold": 2}
    assert codes(roster, sealed(payload(roster, event), A, B)) == ["no-proof-of-possession"]
    assert codes(roster, sealed(payload(roster, event), B, C)) == ["too-few-authority-signatures"]
    after = applied(roster, event, signers=(A, B, C))
    assert codes(after, sealed(payload(after, OFFICE), A)) == ["signer-is-not-authority", "too-few-authority-signatures"]
    assert codes(after, sealed(payload(after, OFFICE), B, C)) == []
    back = {"event": "authority", "keys": [spki_of(A)], "threshold": 1}
    assert "key-has-a-role" in codes(after, sealed(payload(after, back), A, B, C))


def test_an_authority_key_may_stay() -> None:
    """A key that stays in the authority needs no new role, and still signs for itself."""
    event = {"event": "authority", "keys": [spki_of(A), spki_of(B)], "threshold": 1}
    after = applied(founded(), event, signers=(A, B))
    assert set(after.authority) == {keyid_of(A), keyid_of(B)}


def test_log_keys_overlap() -> None:
    """A new log key signs from its size on; the old one until the overlap ends; one set before and after."""
    new = Keys(ORIGIN, "new")
    event = {"event": "log_key", "vkeys": new.vkeys, "from_size": 20, "overlap_until_size": 30}
    roster = applied(founded(), event, index=10)
    at = {size: [keys.vkeys[0] for keys in roster.log_keys_at(size)] for size in (0, 19, 20, 29, 30, 1000)}
    old, fresh = LOG.vkeys[0], new.vkeys[0]
    assert at == {0: [old], 19: [old], 20: [old, fresh], 29: [old, fresh], 30: [fresh], 1000: [fresh]}
    assert keyid_of(new.ed25519) in roster.used_keys


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"from_size": 10}, "bad-overlap"),
        ({"from_size": 31}, "bad-overlap"),
        ({"vkeys": Keys("other.example", "new").vkeys}, "bad-vkeys"),
        ({"vkeys": LOG.vkeys}, "key-has-a-role"),
        ({"vkeys": ["x", "y"]}, "bad-vkeys"),
        ({"vkeys": Keys(ORIGIN, "authority a").vkeys}, "key-has-a-role"),
    ],
)
def test_log_keys_that_cannot_be(change: dict[str, Any], code: str) -> None:
    """A new log key begins after this entry, within its overlap, under this origin, with a key that has no role."""
    event: dict[str, Any] = {"event": "log_key", "vkeys": Keys(ORIGIN, "new").vkeys, "from_size": 20, "overlap_until_size": 30}
    roster = founded()
    if change.get("vkeys") == Keys(ORIGIN, "authority a").vkeys:
        assert keyid_of(signing_key("authority a")) in roster.used_keys
    assert codes(roster, sealed(payload(roster, event | change), A)) == [code]


def test_log_keys_do_not_run_backwards() -> None:
    """A third key begins later than the second."""
    roster = applied(founded(), {"event": "log_key", "vkeys": Keys(ORIGIN, "b").vkeys, "from_size": 20, "overlap_until_size": 30})
    event = {"event": "log_key", "vkeys": Keys(ORIGIN, "c").vkeys, "from_size": 20, "overlap_until_size": 30}
    assert codes(roster, sealed(payload(roster, event), A)) == ["bad-overlap"]


# -- offices, forms, rules


def test_offices_stand_in_a_line() -> None:
    """Parents are known, and no office is above itself, also through others."""
    roster = applied(founded(), OFFICE, {**OFFICE, "id": "hukum", "parent": "setda"}, {**OFFICE, "id": "sub", "parent": "hukum"})
    assert roster.line_of("sub") == ["sub", "hukum", "setda"]
    for parent, code in (("nowhere", "unknown-office"), ("setda", "office-circle"), ("sub", "office-circle")):
        assert codes(roster, sealed(payload(roster, {**OFFICE, "parent": parent}), A)) == [code]
    moved = applied(roster, {**OFFICE, "id": "sub", "parent": "setda", "name": "Sub"})
    assert moved.line_of("sub") == ["sub", "setda"]
    assert roster.line_of("nowhere") == []


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({**FORM, "kind": "contract"}, "form-changes-kind"),
        ({**ENROL, "key": spki_of(CHIEF), "offices": ["nowhere"]}, "unknown-office"),
        ({**ENROL, "key": spki_of(CHIEF), "offices": ["setda", "setda"]}, "twice"),
        ({**ENROL, "key": spki_of(CHIEF), "kinds": ["order", "order"]}, "twice"),
        ({**ENROL, "key": spki_of(CHIEF), "until": "2025-12-31"}, "until-before-from"),
        ({**RETIRE, "key": keyid_of(CHIEF)}, "key-not-enrolled"),
        ({**REVOKE, "key": keyid_of(A)}, "key-not-enrolled"),
        ({"event": "rule", "office": "setda", "over": "nowhere"}, "unknown-office"),
        ({**SERIES, "office": "nowhere"}, "unknown-office"),
        ({**SERIES, "forms": ["spk"]}, "unknown-form"),
        ({**SERIES, "pattern": "no serial"}, "bad-pattern"),
        ({"event": "duty", "office": "setda", "forms": ["spk"], "from": "2026-01-01"}, "unknown-form"),
        ({"event": "authority", "keys": [spki_of(B), spki_of(B)], "threshold": 1}, "twice"),
        ({"event": "authority", "keys": [spki_of(B)], "threshold": 2}, "threshold-too-high"),
    ],
)
def test_what_an_event_needs_of_the_roster(event: dict[str, Any], code: str) -> None:
    """Each event is held against the roster before it."""
    roster = staffed()
    assert code in codes(roster, sealed(payload(roster, event), A, B, CHIEF))


def test_a_series_is_declared_once() -> None:
    """A number book cannot be declared anew, which would hide its gaps."""
    roster = applied(staffed(), SERIES)
    assert codes(roster, sealed(payload(roster, {**SERIES, "start": 100}), A)) == ["series-exists"]


def test_events_of_one_payload_build_on_each_other() -> None:
    """An office may be used by the next event; a faulty event does not hide the faults of others."""
    roster = founded()
    assert codes(roster, sealed(payload(roster, OFFICE, FORM, ENROL), A, CLERK)) == []
    assert codes(roster, sealed(payload(roster, ENROL, OFFICE), A, CLERK)) == ["unknown-office"]
    two = payload(roster, {**RETIRE, "key": keyid_of(CHIEF)}, {**OFFICE, "parent": "nowhere"})
    assert codes(roster, sealed(two, A)) == ["key-not-enrolled", "unknown-office"]


def test_the_rest_is_kept() -> None:
    """Rules, competences, duties and withdrawals are found in the roster afterwards."""
    roster = staffed()
    for event in (GOOD[7], GOOD[8], GOOD[10], GOOD[11]):
        roster = applied(roster, event)
    assert roster.rules["decision"]["signatures"] == 2
    assert ("setda", "setda") in roster.competences
    assert [one["from"] for one in roster.duties] == ["2026-01-01"]
    assert roster.withdrawn["a" * 64]["law"] == "UU 27/2022"


# -- shapes


def bad_values(event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each key of an event left out, and each value replaced by one of a wrong type."""
    changes: list[tuple[str, dict[str, Any]]] = []
    for key in event:
        if key == "event":
            continue
        changes.append((f"{key} wrong", {**event, key: [[1]]}))
        optional = event[key] is None or (event["event"], key) in (("revoke", "reason"), ("rule", "positions"))
        if not optional:
            changes.append((f"{key} missing", {name: value for name, value in event.items() if name != key}))
    return changes


@pytest.mark.parametrize("event", GOOD, ids=lambda event: event["event"])
def test_every_events_shape(event: dict[str, Any]) -> None:
    """Each event is accepted as it stands, and refused with any key left out, of another type, or added."""

    def faults(changed: dict[str, Any]) -> list[Any]:
        n = 0 if event["event"] == "founding" else 1
        data: dict[str, Any] = {"v": 1, "n": n, "prev_roster": NO_ROSTER, "events": [changed]}
        return list(check_payload(data if n == 0 else data | {"founding": "f" * 64}))

    assert faults(event) == []
    for name, changed in bad_values(copy.deepcopy(event)):
        assert faults(changed), name
    (reason,) = faults({**event, "colour": "x"})
    assert (reason.code, reason.unknown) == ("unknown-key", True)


def test_the_events_of_the_design() -> None:
    """Each event of section 3.4 has an example above."""
    assert {event["event"] for event in GOOD} == set(EVENTS)


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        (lambda data: data | {"v": 2}, True),
        (lambda data: data | {"colour": 1}, True),
        (lambda data: data | {"events": [{"event": "anthem", "text": "x"}]}, True),
        (lambda data: data | {"events": [{**ENROL, "key": "MEMwBQYDK2VxAzoA" + "A" * 76}]}, True),
        (lambda data: data | {"events": [{**ENROL, "kinds": ["poem"]}]}, True),
        (lambda data: data | {"events": [{"event": 7}]}, False),
        (lambda data: data | {"events": ["office"]}, False),
        (lambda data: data | {"events": []}, False),
        (lambda data: data | {"events": {}}, False),
        (lambda data: data | {"events": [OFFICE] * 257}, False),
        (lambda data: data | {"n": -1 + 2**53}, False),
        (lambda data: data | {"v": True}, False),
        (lambda data: [data], False),
    ],
)
def test_a_later_version_is_marked(change: Callable[[dict[str, Any]], Any], unknown: bool) -> None:
    """A later version, event, key or algorithm is marked unknown; what is merely wrong is not."""
    roster = founded()
    reasons = judge_roster(roster, sealed(change(payload(roster, OFFICE)), A), index=10)
    assert reasons
    assert any(reason.unknown for reason in reasons) is unknown


def test_an_unknown_event_is_named() -> None:
    """An event that is not in the table is told by its name."""
    roster = founded()
    (reason,) = judge_roster(roster, sealed(payload(roster, {"event": "anthem"}), A), index=10)
    assert (reason.code, reason.values) == ("unknown-event", {"value": "anthem"})


def test_bytes_that_are_no_json() -> None:
    """A payload that is not canonical is one plain reason."""
    assert codes(founded(), Envelope(ROSTER_TYPE, b"{}\n", ())) == ["not-canonical"]
    assert codes(founded(), Envelope(ROSTER_TYPE, b" " * 40_000, ())) == ["too-long"]


# -- roster.jsonl, where places in the ledger are not known


def chain(*steps: tuple[list[dict[str, Any]], tuple[Any, ...]]) -> list[Envelope]:
    roster, envelopes = Roster(), []
    for index, (events, signers) in enumerate(steps):
        envelopes.append(sealed(payload(roster, *events), *signers))
        assert codes(roster, envelopes[-1], index) == []
        roster = apply_roster(roster, envelopes[-1], index=index)
    return envelopes


ROTATION = {"event": "log_key", "vkeys": Keys(ORIGIN, "new").vkeys, "from_size": 20, "overlap_until_size": 30}


def whole_chain() -> list[Envelope]:
    return chain(
        ([founding_event(A)], (A,)),
        ([OFFICE, FORM, ENROL], (A, CLERK)),
        ([ROTATION], (A,)),
        ([{**REVOKE, "suspect_from": 1}], (A,)),
    )


def test_replay_roster() -> None:
    """The whole chain gives the roster after each payload, also over a key rotation and a revocation."""
    envelopes = whole_chain()
    rosters = replay_roster(envelopes, founding=envelopes[0].id)
    assert [roster.hash for roster in rosters] == [envelope.id for envelope in envelopes]
    assert len(rosters[-1].log_keys) == 2
    assert not rosters[-1].enrolments[keyid_of(CLERK)].active


def test_replay_refuses_another_chain() -> None:
    """Another founding, a payload left out, exchanged or doubled, or a record among them: refused."""
    envelopes = whole_chain()
    first, second, third, fourth = envelopes
    other = Envelope("application/vnd.bening.record+json", fourth.payload, fourth.signatures)
    for bad in ([], [second], [first, third, fourth], [first, third, second], [first, second, second], [first, second, third, other]):
        with pytest.raises(VerificationError):
            replay_roster(bad, founding=first.id)
    with pytest.raises(VerificationError) as caught:
        replay_roster(envelopes, founding="f" * 64)
    assert caught.value.code == "other-founding"


@pytest.mark.parametrize("event", [ROTATION, {"event": "reaffirm", "acts": ["a" * 64]}, {**REVOKE, "suspect_from": 2**52}])
def test_replay_checks_signatures_of_every_event(event: dict[str, Any]) -> None:
    """Also a payload whose place matters must be signed: nobody adds one to a roster file."""
    envelopes = whole_chain()[:2]
    after = replay_roster(envelopes, founding=envelopes[0].id)[-1]
    forged = sealed(payload(after, event, {"event": "reaffirm", "acts": ["b" * 64]}), STRANGER)
    unsigned = Envelope(ROSTER_TYPE, forged.payload, ())
    for bad in (forged, unsigned):
        with pytest.raises(VerificationError):
            replay_roster([*envelopes, bad], founding=envelopes[0].id)
    signed = sealed(payload(after, event, {"event": "reaffirm", "acts": ["b" * 64]}), A)
    assert replay_roster([*envelopes, signed], founding=envelopes[0].id)[-1].hash == signed.id


def test_replay_of_a_later_version() -> None:
    """An event that this version does not know cannot be judged: newer, not false."""
    envelopes = whole_chain()
    after = replay_roster(envelopes, founding=envelopes[0].id)[-1]
    newer = sealed(payload(after, {"event": "anthem"}), A)
    with pytest.raises(NewerFormatError):
        replay_roster([*envelopes, newer], founding=envelopes[0].id)
