"""The authority at work on a live ledger: thresholds, terms, revocation, withdrawal, new keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import AdmissionError, PolicyError, StoreError
from ledger.keyfile import load_log_keys, new_log_keys
from ledger.publisher.fsck import check_home
from ledger.publisher.home import Home, add_log_key
from ledger.publisher.state import open_state
from ledger.publisher.store import Store
from ledger.tlog.note import parse_note
from ledger.tlog.policy import parse_policy
from tests.publisher.town import ORIGIN, Town, codes


@pytest.fixture
def council(tmp_path: Path) -> Town:
    made = Town(tmp_path, authorities=3, threshold=2)
    made.settle_in()
    return made


def test_two_of_three_are_enough_and_one_is_not(council: Town) -> None:
    """A roster event needs the threshold's signatures, whoever gives them."""
    event = {"event": "office", "id": "new", "name": "Kantor Baru"}
    assert codes(council.roster(event, signers=council.authority[:1])[0]) == {"too-few-authority-signatures"}
    assert council.roster(event, signers=council.authority[1:])[0].index == 2


def test_a_founding_needs_every_key(tmp_path: Path) -> None:
    """One authority key that has not signed stops the founding."""
    from ledger.publisher.founding import draft_founding, found
    from ledger.records.envelope import add_signature
    from tests.publisher.town import no_passphrase

    town = Town(tmp_path, authorities=2, threshold=1)
    envelope = draft_founding(
        origin="x.test/y", name="X", utc_offset="+07:00", languages=["id"], threshold=1,
        authority=[one.public.spki_base64() for one in town.authority],
        vkeys=load_log_keys(tmp_path / "log.pem", None).vkeys("x.test/y"),
    )  # fmt: skip
    one = add_signature(envelope, town.authority[0].public.keyid, town.authority[0].sign)
    with pytest.raises(AdmissionError) as error:
        found(tmp_path / "second", one, log_keys=[tmp_path / "log.pem"], keys=no_passphrase)
    assert {reason.code for reason in error.value.reasons} == {"no-proof-of-possession"}
    assert not (tmp_path / "second").exists()


def test_a_founding_does_not_overwrite(town: Town) -> None:
    """A folder in use stays as it is."""
    from ledger.publisher.founding import found
    from ledger.records.entry import parse_entry
    from tests.publisher.town import no_passphrase

    with Store(town.home, read_only=True) as store:
        envelope = parse_entry(store.entry(0)).envelope
    with pytest.raises(StoreError) as error:
        found(town.home.path, envelope, log_keys=[town.folder / "log.pem"], keys=no_passphrase)
    assert error.value.code == "folder-in-use"


def test_an_event_cannot_be_replayed(council: Town) -> None:
    """The same signed event, or one drafted before another, is out of turn."""
    first = council.roster_envelopes({"event": "office", "id": "a", "name": "A"})[0]
    second = council.roster_envelopes({"event": "office", "id": "b", "name": "B"})[0]
    assert council.submit(first)[0].index == 2
    assert council.submit(first)[0].already
    assert codes(council.submit(second)[0]) == {"roster-out-of-turn"}


def test_terms_and_ends_of_keys(town: Town) -> None:
    """Not yet, no longer, retired, revoked: each has its own reason; what was signed before stands."""
    town.roster(
        town.enrolment("future", **{"from": "2999-01-01"}),
        town.enrolment("past", until="2020-12-31"),
        town.enrolment("leaving"),
        town.enrolment("stolen"),
    )
    kept = town.published(b"kept", by=["leaving"])
    town.roster({"event": "retire", "key": town.key("leaving").public.keyid})
    town.roster({"event": "revoke", "key": town.key("stolen").public.keyid, "suspect_from": 3})
    found = {name: codes(town.submit(town.act(name.encode(), by=[name]))[0]) for name in ("future", "past", "leaving", "stolen")}
    assert all("no-signer-for-office-and-kind" in one for one in found.values())
    assert [next(iter(one - {"no-signer-for-office-and-kind"})) for one in found.values()] == [
        "key-outside-term",
        "key-outside-term",
        "key-retired",
        "key-revoked",
    ]
    assert kept.index == 3
    assert check_home(town.home) == []


def test_an_act_is_revoked_only_by_its_office_or_one_above(town: Town) -> None:
    """Another office may not; the one above may, if it signs this kind; a rule that names the pair opens it."""
    target = town.published(b"target")
    town.roster(
        town.enrolment("farmer", offices=["tani"]),
        town.enrolment("secretary", offices=["setda"]),
    )
    revoking = {"relations": [{"type": "revokes", "ref": target.ref}]}
    other = town.act(b"other", by=["farmer"], office="tani", **revoking)
    assert codes(town.submit(other)[0]) == {"not-competent"}
    assert town.submit(town.act(b"above", by=["secretary"], office="setda", **revoking))[0].index is not None
    town.roster({"event": "rule", "office": "tani", "over": "hukum"})
    assert town.submit(other)[0].index is not None


def test_a_withdrawn_document_goes_and_its_hash_stays(town: Town) -> None:
    """The bytes leave the public folder and cannot come back; the ledger stays sound."""
    outcome = town.published(b"to be withdrawn")
    sha256 = town.file(b"to be withdrawn")["sha256"]
    assert town.home.document(sha256).exists()
    town.roster({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "data pribadi"})
    assert not town.home.document(sha256).exists()
    assert codes(town.submit(town.act(b"to be withdrawn", number="another"))[0]) == {"document-withdrawn"}
    with open_state(town.home) as state:
        assert [act.index for act in state.index.by_document(sha256)] == [outcome.index]
    assert check_home(town.home) == []


def test_the_authority_hands_over(council: Town) -> None:
    """New keys, signed for by the old threshold and by themselves; the old ones decide nothing any more."""
    heirs = [council.key("heir-1"), council.key("heir-2")]
    event = {"event": "authority", "keys": [one.public.spki_base64() for one in heirs], "threshold": 2}
    assert council.roster(event)[0].index == 2
    office = {"event": "office", "id": "z", "name": "Z"}
    assert "signer-is-not-authority" in codes(council.roster(office)[0])
    assert council.roster(office, signers=heirs)[0].index == 3


def test_the_log_changes_its_keys(town: Town, tmp_path: Path) -> None:
    """Overlap: both pairs sign; afterwards only the new one. Readers of the old policy see why."""
    old_policy = parse_policy((town.home.public / "policy").read_bytes())
    new_log_keys(tmp_path / "log2.pem", None, unencrypted=True)
    vkeys = list(load_log_keys(tmp_path / "log2.pem", None).vkeys(ORIGIN))
    town.roster({"event": "log_key", "vkeys": vkeys, "from_size": 4, "overlap_until_size": 5})
    with pytest.raises(StoreError) as error:
        town.published(b"no key file yet")
    assert error.value.code == "log-key-missing"
    add_log_key(town.home, tmp_path / "log2.pem")
    town.home = Home.open(town.home.path)
    town.submit(town.act(b"finish what was interrupted"))
    assert check_home(town.home) == []
    with Store(town.home, read_only=True) as store:
        lines = {row[0]: row[1] for row in store.connection.execute("SELECT size, count(*) FROM signatures GROUP BY size")}
    assert lines == {1: 2, 2: 2, 3: 2, 4: 4, 5: 2}
    note = (town.home.public / "checkpoint").read_bytes()
    assert len(parse_note(note).signatures) == 2
    new_policy = parse_policy((town.home.public / "policy").read_bytes())
    assert new_policy.check(note).checkpoint.size == 5
    with pytest.raises(PolicyError) as refused:
        old_policy.check(note)
    assert refused.value.code == "wrong-key"


def test_void_explains_numbers_without_a_document(town: Town) -> None:
    """A declared book's number is explained by a void act of the same office; an unknown book is refused."""
    series = {
        "event": "series", "id": "sk-hukum", "office": "hukum", "forms": ["sk"], "pattern": "*/{serial} Tahun {year}",
        "start": 1, "resets": "yearly", "complete_from": "2026-01-01",
    }  # fmt: skip
    town.roster(series)
    void = {
        "kind": "void", "form": "void", "number": None, "unnumbered_reason": "menjelaskan nomor", "signatories": [],
        "fields": {"series": "sk-hukum", "serials": [7], "reason": "cancelled"},
    }  # fmt: skip
    assert town.submit(town.act(None, **void))[0].index is not None
    unknown = {**void, "fields": {**void["fields"], "series": "nope"}}  # type: ignore[dict-item]
    assert codes(town.submit(town.act(None, **unknown))[0]) == {"unknown-series"}
    wrong = town.act(b"w", series="sk-hukum", serial=8, number="138/9 Tahun 2026")
    assert codes(town.submit(wrong)[0]) == {"serial-differs"}
    assert town.submit(town.act(b"w", series="sk-hukum", serial=9, number="138/9 Tahun 2026"))[0].index is not None
