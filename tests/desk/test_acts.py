"""Signing: only keys that are asked, every signature in its place, for acts, roster events and foundings alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.desk.acts import describe, missing_signers, read_act, sign_act
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
