"""Signing: only keys that are asked, every signature in its place, for acts, roster events and foundings alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.desk.acts import (
    describe,
    is_asked,
    join_signatures,
    missing_signers,
    progress_lines,
    progress_of,
    read_act,
    sign_act,
)
from ledger.desk.roster_file import draft_payloads
from ledger.errors import LedgerError, NewerFormatError, UsageError
from ledger.keyfile import PrivateKey
from ledger.records import canonical
from ledger.records.envelope import Envelope, dump_envelope
from ledger.records.record import RECORD_TYPE
from ledger.words import say
from tests.city import City, public_of, signing_key, spki_of


def private(name: str) -> PrivateKey:
    return PrivateKey(public_of(signing_key(name)), signing_key(name))


def unsigned(city: City, **fields: object) -> Envelope:
    return Envelope(RECORD_TYPE, canonical.dump(city.record(**fields).data), ())  # type: ignore[arg-type]


def test_an_act_is_complete_when_all_have_signed(tmp_path: Path) -> None:
    """Two signers in any order make the same envelope, and admission takes it."""
    city = City(tmp_path)
    second = city.enrol("Sekretaris", ["setda"])
    envelope = unsigned(city, signers=[city.clerk, second])
    keys = [private("Bagian Hukum"), private("Sekretaris")]
    assert missing_signers(envelope) == sorted([city.clerk, second])
    forth = sign_act(sign_act(envelope, keys[0]), keys[1])
    back = sign_act(sign_act(envelope, keys[1]), keys[0])
    assert forth == back
    assert missing_signers(forth) == []
    assert city.append(forth) > 0


def test_a_key_that_is_not_asked_cannot_sign(tmp_path: Path) -> None:
    """Nobody adds a signature to an act that does not name them."""
    with pytest.raises(UsageError) as error:
        sign_act(unsigned(City(tmp_path)), private("stranger"))
    assert error.value.code == "not-a-signer"


def test_a_roster_event_takes_the_authority_and_new_keys(tmp_path: Path) -> None:
    """The authority's keys and the key that is enrolled may sign; others may not, as far as the authority is known."""
    city = City(tmp_path)
    event = {"event": "enrol", "key": spki_of(signing_key("baru")), "holder": "Baru", "position": "Baru", "offices": ["setda"],
             "kinds": ["decision"], "from": "2026-01-01"}  # fmt: skip
    envelope = draft_payloads(city.roster, [event])[0]
    for name in ("authority 1", "authority 2", "baru"):
        envelope = sign_act(envelope, private(name), city.roster.authority)
    assert missing_signers(envelope) == []
    city.append(envelope)
    with pytest.raises(UsageError):
        sign_act(envelope, private("stranger"), city.roster.authority)
    assert sign_act(envelope, private("stranger")).signatures != envelope.signatures


def test_a_founding_knows_its_own_signers(tmp_path: Path) -> None:
    """No ledger is needed to tell who founds one."""
    founding = City(tmp_path).envelopes[0]
    assert sign_act(Envelope(founding.payload_type, founding.payload, ()), private("authority 1")).signatures
    with pytest.raises(UsageError):
        sign_act(founding, private("stranger"))


def test_the_file_is_the_canonical_envelope(tmp_path: Path) -> None:
    """Written and read back it is the same; anything else in the file is refused."""
    city = City(tmp_path / "city")
    envelope, path = unsigned(city), tmp_path / "ACT.json"
    path.write_bytes(dump_envelope(envelope))
    assert read_act(path) == envelope
    path.write_bytes(dump_envelope(envelope) + b"\n")
    with pytest.raises(LedgerError):
        read_act(path)
    path.write_bytes(dump_envelope(Envelope("application/x", envelope.payload, ())))
    with pytest.raises(NewerFormatError):
        read_act(path)
    with pytest.raises(UsageError):
        read_act(tmp_path / "nothing")


@pytest.mark.parametrize("lang", ["id", "en"])
def test_whoever_signs_is_shown_what_it_says(tmp_path: Path, lang: str) -> None:
    """Title, number and documents of an act; every fact of a roster event."""
    city = City(tmp_path)
    act = city.record(title="Penetapan Taman")
    shown = "\n".join(describe(Envelope(RECORD_TYPE, act.payload, ()), lambda key, **v: say(key, lang, **v), city.roster))
    for text in ("Penetapan Taman", str(act.data["number"]), act.documents[0]["sha256"]):
        assert text in shown
    event = draft_payloads(city.roster, [{"event": "office", "id": "dinas-pu", "name": "Dinas PU"}])[0]
    assert "Dinas PU" in "\n".join(describe(event, lambda key, **v: say(key, lang, **v)))


def enrolment(city: City) -> Envelope:
    event = {"event": "enrol", "key": spki_of(signing_key("baru")), "holder": "Baru", "position": "Baru", "offices": ["setda"],
             "kinds": ["decision"], "from": "2026-01-01"}  # fmt: skip
    return draft_payloads(city.roster, [event])[0]


def test_without_a_roster_only_new_keys_are_known(tmp_path: Path) -> None:
    """Whether any other key is the authority's can be told with the roster only, and then it is told."""
    city = City(tmp_path)
    envelope, new = enrolment(city), public_of(signing_key("baru")).keyid
    authority, stranger = next(iter(city.roster.authority)), public_of(signing_key("stranger")).keyid
    assert [is_asked(envelope, one) for one in (new, authority, stranger)] == [True, None, None]
    assert [is_asked(envelope, one, city.roster.authority) for one in (new, authority, stranger)] == [True, True, False]
    founding = city.envelopes[0]
    assert [is_asked(founding, one) for one in (authority, stranger)] == [True, False]


@pytest.mark.parametrize("lang", ["id", "en"])
def test_it_is_told_whose_signatures_are_missing(tmp_path: Path, lang: str) -> None:
    """The authority's count against its threshold, and each new key by its id."""
    city = City(tmp_path)
    envelope, new = enrolment(city), public_of(signing_key("baru")).keyid

    def said(envelope: Envelope) -> str:
        return "\n".join(progress_lines(progress_of(envelope, city.roster), lambda key, **v: say(key, lang, **v)))

    start, waits = said(envelope), say("desk.new-key-waits", lang, keyid=new[:16])
    threshold = city.roster.threshold
    assert waits in start
    assert say("desk.authority-count", lang, count=0, threshold=threshold) in start
    envelope = sign_act(sign_act(envelope, private("authority 1")), private("baru"))
    assert say("desk.authority-count", lang, count=1, threshold=threshold) in said(envelope)
    assert say("desk.new-key-signed", lang, keyid=new[:16]) in said(envelope)
    assert waits not in said(envelope)
    unknown = progress_lines(progress_of(envelope), lambda key, **v: say(key, lang, **v))
    assert say("desk.authority-unknown", lang) in unknown


def test_copies_signed_apart_are_joined(tmp_path: Path) -> None:
    """As if signed one after the other; another payload, a stranger's or a damaged signature is refused."""
    city = City(tmp_path)
    envelope = enrolment(city)
    names = ("authority 1", "authority 2", "baru")
    copies = [sign_act(envelope, private(name)) for name in names]
    joined = join_signatures(copies[0], copies[1:], city.roster.authority)
    for name in names:
        envelope = sign_act(envelope, private(name))
    assert joined == envelope
    city.append(joined)
    other = draft_payloads(city.roster, [{"event": "office", "id": "x", "name": "X"}])[0]
    damaged = replace(copies[0], signatures=(replace(copies[0].signatures[0], sig=b"\0" * 64),))
    unsigned_copy = replace(copies[0], signatures=())
    for first, second, code in (
        (copies[0], other, "join-other-payload"),
        (copies[0], damaged, "join-conflict"),
        (copies[0], sign_act(unsigned_copy, private("stranger")), "not-a-signer"),
    ):
        with pytest.raises(UsageError) as error:
            join_signatures(first, [second], city.roster.authority)
        assert error.value.code == code


def test_signers_see_key_ids(tmp_path: Path) -> None:
    """Keys in events are shown as 16 hex digits, as people compare them, and vkeys without their long rest."""
    city = City(tmp_path)
    shown = "\n".join(describe(enrolment(city), lambda key, **v: say(key, "en", **v)))
    assert public_of(signing_key("baru")).keyid[:16] in shown
    assert spki_of(signing_key("baru")) not in shown
    shown = "\n".join(describe(city.envelopes[0], lambda key, **v: say(key, "en", **v)))
    assert all(keyid[:16] in shown for keyid in city.roster.authority)
    assert len(max(shown.split(), key=len)) < 100
    retire = draft_payloads(city.roster, [{"event": "retire", "key": city.clerk}])[0]
    assert f"key = {city.clerk[:16]}" in "\n".join(describe(retire, lambda key, **v: say(key, "en", **v)))
    assert city.clerk not in "\n".join(describe(retire, lambda key, **v: say(key, "en", **v)))
