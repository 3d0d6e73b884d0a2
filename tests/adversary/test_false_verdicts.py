"""No lie ends in 0: one document, proof or typed number before ``verify``. ``xfail`` marks a bug that has been reproduced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import ledger.verifier.place
from ledger.errors import PolicyError
from ledger.records.events import ROSTER_TYPE
from ledger.verifier.choice import choose, verify_choices
from ledger.verifier.client import open_source
from ledger.verifier.trust import add_pin, propose_source
from ledger.verifier.verify import read_given, verify_file
from ledger.words import say
from tests.adversary.attack import BODY, FORGED, Scene, trouble
from tests.city import City


def bug(reason: str) -> pytest.MarkDecorator:
    """A property that does not hold yet; remove the mark with the bug."""
    return pytest.mark.xfail(strict=True, reason=reason)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# ---- the file in hand is always judged


@pytest.mark.parametrize("online", [True, False])
def test_a_file_beside_the_proof_of_a_roster_event(scene: Scene, online: bool) -> None:
    """A document is never true by the proof of an entry that names no document."""
    forged, proof = scene.put("forged.pdf", FORGED), scene.city.proof(1)
    verdict = scene.online(forged, proof) if online else scene.offline(forged, proof)
    assert verdict.exit_status() != 0


@pytest.mark.parametrize(("name", "start"), [("forged.pdf", b"c2sp.org/tlog-proof@v1\n"), ("forged.tlog-proof", b"")])
def test_a_file_that_looks_like_a_proof(scene: Scene, name: str, start: bytes) -> None:
    """With ``--proof``, FILE is the document, whatever its name or first bytes (a PDF may begin 1,024 bytes later)."""
    forged = scene.put(name, start + FORGED)
    assert scene.offline(forged, scene.city.proof(scene.index)).exit_status() != 0


def test_a_document_with_a_bundle_behind_it(scene: Scene) -> None:
    """A PDF with an honest bundle appended opens as that PDF: it is never true by the bundle."""
    forged = scene.put("forged.pdf", FORGED + b"\n%%EOF\n" + scene.bundle().read_bytes())
    assert scene.offline(forged).exit_status() != 0


def test_another_file_beside_a_true_proof(scene: Scene) -> None:
    """A proof of another act, of another document, or of no document is no proof of this one."""
    forged = scene.put("forged.pdf", FORGED)
    assert trouble(scene.offline(forged, scene.city.proof(scene.index))) == [("document", "document-differs")]
    assert trouble(scene.offline(scene.file, scene.city.proof(scene.index + 1))) == [("document", "document-differs")]


# ---- who signed, and by which roster


def test_a_mirror_that_hides_a_revocation(scene: Scene) -> None:
    """A mirror without any key cannot turn a disputed act into a true one by cutting ``roster.jsonl``."""
    scene.city.roster_event({"event": "revoke", "key": scene.city.clerk, "suspect_from": scene.index})
    path = scene.city.write() / "roster.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert scene.online().exit_status() != 0


def test_an_entry_that_names_an_old_roster_with_laxer_rules(scene: Scene) -> None:
    """Two signatures are needed since entry 6; an act with one that names the roster before is not true."""
    old = scene.city.roster
    scene.city.roster_event({"event": "rule", "kind": "decision", "signatures": 2, "positions": []})
    scene.slip_record(FORGED, old)
    scene.city.write()
    assert scene.online(scene.put("x.pdf", FORGED)).exit_status() != 0


def test_an_entry_that_names_a_roster_from_after_it(scene: Scene) -> None:
    """A key that was enrolled only later has signed nothing before."""
    city, before = scene.city, scene.city.roster
    ahead = city.fork(scene.path / "ahead")
    key = ahead.enrol("Nanti", ["setda"])
    city.signing[key] = ahead.signing[key]
    scene.slip_record(FORGED, ahead.roster, signers=[key])
    scene.slip(ahead.envelopes[-1], before)
    city.envelopes.append(ahead.envelopes[-1])
    city.write()
    assert scene.online(scene.put("x.pdf", FORGED)).exit_status() != 0


def test_a_retired_key_by_an_old_roster(scene: Scene) -> None:
    """An entry cannot name the roster in which its signer's key had not ended yet."""
    key = scene.city.enrol("Dua", ["setda"])
    old = scene.city.roster
    scene.city.roster_event({"event": "retire", "key": key})
    scene.slip_record(FORGED, old, signers=[key])
    scene.city.publish()
    scene.city.write()
    assert ("authority", "roster-outdated") in trouble(scene.online(scene.put("x.pdf", FORGED)))


def test_a_retired_key_hidden_behind_padding(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search does not find is not checked, never true (4,096 entries of padding are cheap for a log)."""
    monkeypatch.setattr(ledger.verifier.place, "_WALK", 8)
    key = scene.city.enrol("Dua", ["setda"])
    old = scene.city.roster
    scene.city.roster_event({"event": "retire", "key": key})
    scene.slip_record(FORGED, old, signers=[key])
    for number in range(20):
        scene.slip(scene.city.sign("application/x", {"n": number}, [key]), old)
    scene.city.write()
    assert scene.online(scene.put("x.pdf", FORGED)).exit_status() != 0


def test_an_expired_key_with_time_turned_back(scene: Scene) -> None:
    """A key whose term has ended does not come back because an entry states a time before the one of the entry before."""
    key = scene.city.enrol("Lama", ["setda"], until="2026-01-06")
    scene.city.now += 30 * 86400
    scene.city.publish()
    scene.slip_record(FORGED, scene.city.roster, "2026-01-06T01:00:00Z", signers=[key])
    scene.city.publish()
    scene.city.write()
    assert scene.online(scene.put("x.pdf", FORGED)).exit_status() != 0


def _replayed(scene: Scene) -> int:
    index = scene.slip(scene.city.envelopes[2], scene.city.rosters[1])
    scene.city.publish()
    path = scene.city.write() / "roster.jsonl"
    path.write_bytes(b"".join(dict.fromkeys(path.read_bytes().splitlines(keepends=True))))
    return index


def test_a_replayed_roster_event(scene: Scene) -> None:
    """A roster payload that stands in the ledger a second time is not true at its second place."""
    index = _replayed(scene)
    assert scene.online(scene.put("r.tlog-proof", scene.city.proof(index))).exit_status() != 0


def test_a_replayed_roster_event_in_an_audit(scene: Scene) -> None:
    """The audit names the entry."""
    index = _replayed(scene)
    assert trouble(scene.audit().verdict) == [("authority", "roster-not-newest")]
    assert scene.audit().size == index


def test_one_payload_in_two_entries(scene: Scene) -> None:
    """The second entry of one payload is false, for ``verify`` and for ``audit``; the first one stays true."""
    again = scene.city.append(
        scene.city.sign("application/vnd.bening.record+json", scene.record.data, [scene.city.clerk]), check=False
    )
    scene.city.write()
    first, second = verify_file(scene.file, trusted=scene.trusted, source=open_source(str(scene.city.path)))
    assert (first.exit_status(), second.exit_status()) == (0, 1)
    assert ("names", "ref-used") in trouble(second)
    assert trouble(scene.audit().verdict) == [("authority", "entry-not-allowed")]
    assert scene.audit().size == again


def test_a_revocation_undone_by_an_office_that_may_not(scene: Scene) -> None:
    """A revocation stays one though another office, without competence, has "annulled" it."""
    city = scene.city
    city.office("lain")
    key = city.enrol("Lain", ["lain"])
    revocation, _ = city.publish(relations=[{"type": "revokes", "ref": scene.record.ref}])
    relations = [{"type": "annuls", "ref": revocation.ref}]
    city.publish(check=False, office="lain", signers=[key], relations=relations)
    city.write()
    assert [one.code for one in scene.online().notices] == ["change-revokes"]


def test_a_look_up_that_hides_a_revocation(scene: Scene) -> None:
    """Where the look-up hides a revocation, the sentence says that it repeats the look-up, and what would prove it."""
    scene.city.publish(relations=[{"type": "revokes", "ref": scene.record.ref}])
    scene.city.write()
    assert [one.code for one in scene.online().notices] == ["change-revokes"]
    shutil.rmtree(scene.city.path / "lookup" / "ref")
    later = scene.online().check("later")
    assert later is not None
    assert "look-up" in say(f"check.{later.code}", "en", **later.values)
    assert "bening audit" in say(f"check.{later.code}", "id", **later.values)


# ---- which ledger


def test_parts_of_two_ledgers(scene: Scene, tmp_path: Path) -> None:
    """Proof, source and document of two ledgers of one name do not make a true whole."""
    other = City(tmp_path / "lain", seed="other", origin=scene.city.origin)
    _, index = other.publish(documents={"sk.pdf": BODY})
    other.write()
    assert trouble(scene.online(proof=scene.city.proof(scene.index), where=other.path)) == [("ledger", "wrong-key")]
    assert trouble(scene.online(proof=other.proof(index))) == [("checkpoint", "wrong-key")]


@pytest.mark.parametrize(("trust", "status"), [("trust", 1), ("nobody", 3)])
def test_a_bundle_that_brings_its_own_policy(scene: Scene, tmp_path: Path, trust: str, status: int) -> None:
    """The policy inside a bundle is never trusted: false where the origin is pinned, else not checked."""
    (tmp_path / "evil").mkdir()
    evil = Scene(tmp_path / "evil")
    evil.city = City(tmp_path / "evil2", seed="evil", origin=scene.city.origin)
    evil.record, evil.index = evil.city.publish(documents={"sk.pdf": FORGED})
    evil.city.write()
    evil.pin = add_pin(tmp_path / "evil-trust", propose_source(open_source(str(evil.city.path))))
    bundle = evil.bundle()
    choices = choose(tmp_path / trust, read_given(bundle), policy=None, founding=None, location=None)
    assert {one.exit_status() for one in verify_choices(bundle, choices)} == {status}


def test_a_founding_that_is_not_the_pinned_one(scene: Scene) -> None:
    """Whoever names a founding is never answered by another one."""
    for location in (str(scene.city.path), scene.pin.name, None):
        with pytest.raises(PolicyError) as caught:
            choose(scene.path / "trust", None, policy=None, founding="0" * 64, location=location)
        assert caught.value.code == "other-founding"
    for trust, policy in (("trust", scene.city.policy), ("nobody", None)):
        with pytest.raises(PolicyError) as caught:
            choose(scene.path / trust, None, policy=policy, founding="0" * 64, location=str(scene.city.path))
        assert caught.value.code == "founding-differs"


def test_pinning_again_does_not_drop_witnesses(tmp_path: Path) -> None:
    """A source cannot lower the quorum of a pinned ledger by offering a policy with fewer witnesses."""
    scene = Scene(tmp_path, witnesses=("kpk", "bpk"))
    scene.city.witnesses = {}
    scene.city.write()
    with pytest.raises(PolicyError) as caught:
        scene.renew()
    assert caught.value.code == "policy-weaker"
    assert {"kpk", "bpk"} <= scene.trusted.policy.witnesses.keys()
    add_pin(scene.path / "trust", propose_source(open_source(str(scene.city.path))), accept_policy=True)
    assert "kpk" not in scene.trusted.policy.witnesses


# ---- this machine


def test_a_fork_whose_evidence_cannot_be_kept(scene: Scene) -> None:
    """A full or read-only disk does not turn a fork into 'not checked'."""
    fork = scene.city.fork(scene.path / "fork", size=scene.index + 1)
    fork.publish()
    fork.publish()
    fork.write()
    (scene.pin.folder / "evidence").symlink_to("/proc")
    assert ("history", "ledger-forked") in trouble(scene.online(where=fork.path))


def test_an_evidence_folder_that_cannot_be_made(scene: Scene) -> None:
    """Damage in the pin's folder is an ordinary answer, never a traceback."""
    fork = scene.city.fork(scene.path / "fork", size=scene.index + 1)
    fork.publish()
    fork.publish()
    fork.write()
    (scene.pin.folder / "evidence").write_bytes(b"")
    assert ("history", "ledger-forked") in trouble(scene.online(where=fork.path))


def test_roster_events_prove_only_themselves(scene: Scene) -> None:
    """The proof of a roster event, without a document, is judged as what it is."""
    verdict = scene.offline(scene.put("r.tlog-proof", scene.city.proof(2)))
    assert (verdict.exit_status(), verdict.facts) == (0, None)
    assert scene.city.envelopes[2].payload_type == ROSTER_TYPE
