"""Verdicts about one act: what holds is said with its limits, and every way of tampering has a sentence of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import FormatError
from ledger.records import canonical
from ledger.records.envelope import Envelope
from ledger.records.record import RECORD_TYPE
from ledger.records.refs import format_ref
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import leaf_hash, root_hash
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import format_proof, parse_proof
from ledger.tlog.tiles import format_bundle
from ledger.verifier.bundle import make_bundle
from ledger.verifier.case import Trusted
from ledger.verifier.client import open_source
from ledger.verifier.reader import open_ledger
from ledger.verifier.trust import add_pin, load_pin, propose_source
from ledger.verifier.verdict import REQUIRED, Check, Verdict, combined_status, render
from ledger.verifier.verify import verify_file, verify_typed
from ledger.words import say
from tests.city import City, Keys, serve

BODY = b"%PDF-1.7 Surat Keputusan"


class Town:
    """A city with one act under test, and a reader who has pinned it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.city = City(path / "kota")
        self.record, self.index = self.city.publish(documents={"sk.pdf": BODY})
        self.city.publish()
        self.city.publish()
        self.city.write()
        self.pin = add_pin(path / "trust", propose_source(open_source(str(self.city.path))))
        self.file = path / "sk.pdf"
        self.file.write_bytes(BODY)

    @property
    def trusted(self) -> Trusted:
        return Trusted(self.pin.policy, self.pin.founding, self.pin)

    def online(self, file: Path | None = None, location: str | None = None) -> Verdict:
        source = open_source(location or str(self.city.path))
        return verify_file(file or self.file, trusted=self.trusted, source=source)[0]

    def offline(self, proof: bytes | None = None, trusted: Trusted | None = None, file: Path | None = None) -> Verdict:
        given = self.city.proof(self.index) if proof is None else proof
        return verify_file(file or self.file, trusted=trusted or self.trusted, proof=given)[0]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def _failed(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.name, one.code) for one in verdict.checks if one.state in ("failed", "disputed")]


def _text(verdict: Verdict, lang: str = "en") -> str:
    return "\n".join(render(verdict, lambda key, /, **values: say(key, lang, **values)))


# ---- what holds


@pytest.mark.parametrize("lang", ["id", "en"])
def test_a_published_file_online(town: Town, lang: str) -> None:
    """Signature and authority were checked: 0; and it is said what was not: lawful, BSrE, no witness."""
    with serve(town.city.path) as url:
        verdict = town.online(location=url)
    assert verdict.exit_status() == 0, _text(verdict)
    assert {one.name for one in verdict.checks if one.state == "passed"} >= {*REQUIRED, "document", "chain", "history"}
    later = verdict.check("later")
    assert later is not None
    assert later.state == "not_checked"  # a look-up is a hint: nothing of it has passed
    text = _text(verdict, lang)
    said = {
        "en": (
            "identical to the file that Kota Contoh published on 2026-01-05", "certified (BSrE) signature",
            "Whether this act is lawful", "No witness co-records this list", "Signed on paper by (as recorded)",
            "No revocation or change recorded here up to entry 5", "Published by",
        ),
        "id": (
            "sama persis dengan berkas yang diterbitkan Kota Contoh pada 2026-01-05", "tersertifikasi (BSrE)", "sah menurut hukum",
            "Tidak ada saksi", "Tidak ada pencabutan atau perubahan yang tercatat di sini sampai entri 5",
            "Diterbitkan oleh", "Penanda tangan naskah (seperti tercatat)", "Unit kerja", "Tanggal naskah",
        ),
    }  # fmt: skip
    for sentence in said[lang]:
        assert sentence in text
    assert not [line for line in text.split("\n") if line.strip(" +?!x").startswith(("check.", "verify.", "fact."))]


def test_words_that_are_never_said(town: Town) -> None:
    """No verdict claims validity, force, or that a witness looked at the act."""
    for lang in ("id", "en"):
        text = _text(town.online(), lang).lower()
        for word in ("valid", "genuine", "asli", "in force", "berlaku", "\u2713", "\u2714", "witnessed by", "disaksikan"):
            assert word not in text


def test_document_with_proof_and_pinned_roster_offline(town: Town) -> None:
    """A proof, a policy and the pinned roster are enough for 0; later changes are said not to be checked."""
    verdict = town.offline()
    assert verdict.exit_status() == 0, _text(verdict)
    assert verdict.check("later") == Check("later", "not_checked", "later-offline", {"size": 6, "time": "2026-01-05T02:04:00Z"})


def test_bare_policy_is_published_and_unchanged_but_signer_not_checked(town: Town) -> None:
    """Document + proof + policy without a roster: 3, and the headline says that something is missing."""
    verdict = town.offline(trusted=Trusted(parse_policy(town.city.policy), town.city.founding))
    assert (verdict.exit_status(), verdict.unchecked()) == (3, ["signature", "authority"])
    assert "Not everything that is needed could be checked" in _text(verdict).split("\n")[0]


def test_founding_that_nobody_named(town: Town) -> None:
    """A policy without a founding checks the log only."""
    verdict = town.offline(trusted=Trusted(parse_policy(town.city.policy), None))
    assert verdict.exit_status() == 3
    assert "founding" in verdict.unchecked()


def test_roster_from_a_file(town: Town) -> None:
    """A roster chain at hand, replayed from the founding, judges the signer."""
    trusted = Trusted(parse_policy(town.city.policy), town.city.founding, roster=tuple(town.city.envelopes))
    assert town.offline(trusted=trusted).exit_status() == 0


def test_proof_beside_the_document_is_used(town: Town) -> None:
    """``<document>.tlog-proof`` counts without being named; the proof alone is checked as well, without a document."""
    beside = town.path / "sk.pdf.tlog-proof"
    beside.write_bytes(town.city.proof(town.index))
    assert verify_file(town.file, trusted=town.trusted)[0].exit_status() == 0
    verdict = verify_file(beside, trusted=town.trusted)[0]
    assert (verdict.exit_status(), verdict.check("document")) == (0, None)


def test_not_pinned_is_loud(town: Town) -> None:
    """Policy and founding that come from the ledger itself never give 0."""
    verdict = town.offline(trusted=replace(town.trusted, pinned=False))
    assert verdict.exit_status() == 3
    assert "pinned" in verdict.unchecked()


def test_witnesses_co_record_and_the_logs_second_key_is_none(tmp_path: Path) -> None:
    """A witness is named with what it did not do; log-pq is never shown as one."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    city.publish(documents={"sk.pdf": BODY})
    city.write()
    (tmp_path / "sk.pdf").write_bytes(BODY)
    trusted = Trusted(parse_policy(city.policy), city.founding)
    verdict = verify_file(tmp_path / "sk.pdf", trusted=trusted, source=open_source(str(city.path)))[0]
    assert verdict.check("witnesses") == Check("witnesses", "passed", "witnessed", {"names": "kpk"})
    assert "kpk co-records that this list only grows. kpk has not examined the act." in _text(verdict)
    assert verdict.facts is not None
    assert verdict.facts.witnessed == "2026-01-05T02:04:00Z"
    assert "log-pq" not in _text(verdict)


def test_one_document_in_two_acts(town: Town) -> None:
    """Each act that names the file gets a verdict."""
    town.city.publish(documents={"lagi.pdf": BODY})
    town.city.write()
    verdicts = verify_file(town.file, trusted=town.trusted, source=open_source(str(town.city.path)))
    assert [one.facts.index for one in verdicts if one.facts] == [town.index, 6]
    assert combined_status(verdicts) == 0


# ---- absence is never falsehood


def test_another_file_is_not_found_and_not_false(town: Town) -> None:
    """A re-saved copy is not byte-identical: 3, with the sentence that helps, in both languages."""
    copy = town.path / "copy.pdf"
    copy.write_bytes(BODY + b"\n")
    verdict = town.online(copy)
    assert (verdict.exit_status(), verdict.check("document").code) == (3, "document-not-found")  # type: ignore[union-attr]
    assert _text(verdict).startswith(
        "This file is not byte-identical to a published one. Copies from messengers, scans and re-saves differ. "
        "Type the number or reference and compare"
    )
    assert "tidak sama persis dengan berkas yang terbit" in _text(verdict, "id")
    for lang in ("id", "en"):  # said once, and nothing about law or certificates, as nothing was found
        assert len(_text(verdict, lang).split("\n")) == 1


def test_a_lying_hint_is_no_evidence(town: Town) -> None:
    """A look-up line that leads to an act without this document, or nowhere, changes nothing."""
    copy = town.path / "copy.pdf"
    copy.write_bytes(b"another")
    code = hashlib.sha256(b"another").hexdigest()
    (town.city.path / f"lookup/sha256/{code[:3]}").write_text(f"{code} 1\n{code} 4\n{code} 999\n")
    verdict = town.online(copy)
    assert (verdict.exit_status(), [one.code for one in verdict.checks]) == (3, ["document-not-found"])


def test_typed_number_and_reference(town: Town) -> None:
    """What a person types from a paper lists the acts to compare; unknown is no falsehood."""
    view = open_ledger(open_source(str(town.city.path)), town.pin.policy, town.pin.founding)
    for typed in ({"ref": town.record.ref}, {"number": "nomor: 188 / 1 TAHUN 2026"}):
        verdicts = verify_typed(view, town.trusted, **typed)
        assert [one.facts.ref for one in verdicts if one.facts] == [town.record.ref]
        assert combined_status(verdicts) == 0
    nothing = verify_typed(view, town.trusted, number="999/X")
    assert (combined_status(nothing), nothing[0].checks[0].code) == (3, "typed-not-found")


def test_a_ledger_that_cannot_be_read_is_nobodys_evidence(town: Town) -> None:
    """No checkpoint, no connection: not checked. With a proof the rest still holds."""
    (town.city.path / "checkpoint").unlink()
    assert town.online().exit_status() == 3
    source = open_source("http://127.0.0.1:9")
    assert verify_file(town.file, trusted=town.trusted, source=source)[0].exit_status() == 3
    verdict = verify_file(town.file, trusted=town.trusted, source=source, proof=town.city.proof(town.index))[0]
    assert verdict.exit_status() == 0


# ---- tampering, each with its own sentence


def _differs(town: Town) -> Verdict:
    town.file.write_bytes(BODY.replace(b"Surat", b"surat"))
    return town.offline()


def _flipped_extra(town: Town) -> Verdict:
    proof = parse_proof(town.city.proof(town.index))
    return town.offline(format_proof(replace(proof, extra=(proof.extra or b"").replace(b"2026", b"2027", 1))))


def _missing_tile(town: Town) -> Verdict:
    (town.city.path / "tile/0/000.p/6").unlink()
    return town.online()


def _cut_tile(town: Town) -> Verdict:
    path = town.city.path / "tile/0/000.p/6"
    path.write_bytes(path.read_bytes()[:-32])
    return town.online()


def _cut_bundle(town: Town) -> Verdict:
    path = town.city.path / "tile/entries/000.p/6"
    path.write_bytes(path.read_bytes()[:-7])
    return town.online()


def _promises_more(town: Town) -> Verdict:
    leaves = [leaf_hash(one) for one in town.city.entries] + [bytes(32)]
    (town.city.path / "checkpoint").write_bytes(town.city.sign_checkpoint(Checkpoint(town.city.origin, 7, root_hash(leaves))))
    return town.online()


def _changed_tile(town: Town) -> Verdict:
    path = town.city.path / "tile/0/000.p/6"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    return town.online()


def _changed_entry(town: Town) -> Verdict:
    entries = [*town.city.entries]
    entries[town.index] = entries[town.index].replace(b"2026", b"2027", 1)
    (town.city.path / "tile/entries/000.p/6").write_bytes(format_bundle(entries))
    return town.online()


def _reordered_entries(town: Town) -> Verdict:
    entries = [*town.city.entries]
    entries[town.index], entries[-1] = entries[-1], entries[town.index]
    (town.city.path / "tile/entries/000.p/6").write_bytes(format_bundle(entries))
    return town.online()


def _reordered_chain(town: Town) -> Verdict:
    """The log signs a tree of its entries in another order: the chain tells."""
    city = town.city.fork(town.path / "kota2", size=4)
    city.publish(documents={"a.pdf": b"a"})
    city.publish(documents={"sk.pdf": BODY})
    city.entries[4:] = [city.entries[5], city.entries[4]]
    city.records = {4: city.records[5]}
    city.write()
    return verify_file(town.file, trusted=replace(town.trusted, pin=None), source=open_source(str(city.path)))[0]


def _rolled_back(town: Town) -> Verdict:
    town.city.write(size=5)
    return town.online()


def _forked(town: Town) -> Verdict:
    fork = town.city.fork(town.path / "cabang", size=5)
    fork.publish(title="Cerita lain")
    fork.write()
    return town.online(location=str(fork.path))


def _forked_offline(town: Town) -> Verdict:
    fork = town.city.fork(town.path / "cabang", size=5)
    fork.publish(title="Cerita lain")
    return town.offline(fork.proof(town.index))


def _proof_of_a_fork_online(town: Town) -> Verdict:
    """Nothing was seen before: the proof's checkpoint and the ledger's own are not one history."""
    fork = town.city.fork(town.path / "cabang", size=4)
    fork.publish(title="Cerita lain")
    source = open_source(str(town.city.path))
    trusted = replace(town.trusted, pin=None)
    return verify_file(town.file, trusted=trusted, source=source, proof=fork.proof(town.index))[0]


def _forked_roster(town: Town) -> Verdict:
    """The authority signed two continuations of the roster: one was pinned, the other is served."""
    fork = town.city.fork(town.path / "cabang")
    town.city.office("dinas-a")
    fork.office("dinas-b")
    fork.office("dinas-c")
    pin = replace(town.pin, roster=tuple(town.city.envelopes))
    return town.offline(trusted=replace(town.trusted, pin=pin, roster=tuple(fork.envelopes)))


def _wrong_key(town: Town) -> Verdict:
    other = City(town.path / "lain", seed="thief")
    _, index = other.publish(documents={"sk.pdf": BODY})
    return town.offline(other.proof(index))


def _wrong_key_online(town: Town) -> Verdict:
    other = City(town.path / "lain", seed="thief")
    other.publish(documents={"sk.pdf": BODY})
    other.write()
    return town.online(location=str(other.path))


def _broken_signature(town: Town) -> Verdict:
    note = town.city.checkpoint().replace(b"\n6\n", b"\n5\n")
    return town.offline(format_proof(replace(parse_proof(town.city.proof(town.index)), checkpoint=note)))


def _other_ledger(town: Town) -> Verdict:
    other = City(town.path / "lain", origin="bening.example/lain")
    _, index = other.publish(documents={"sk.pdf": BODY})
    return town.offline(other.proof(index))


def _other_founding(town: Town) -> Verdict:
    """The log's keys are right, the founding is not: a re-founded ledger."""
    other = City(town.path / "lain", name="Kota yang didirikan lagi")
    _, index = other.publish(documents={"sk.pdf": BODY})
    return town.offline(other.proof(index))


def _other_founding_roster(town: Town) -> Verdict:
    other = City(town.path / "lain", name="Kota yang didirikan lagi")
    trusted = Trusted(parse_policy(town.city.policy), town.city.founding, roster=tuple(other.envelopes))
    return town.offline(trusted=trusted)


def _bad_document_signature(town: Town) -> Verdict:
    city = town.city
    record = city.record(documents={"sk.pdf": BODY})
    envelope = city.sign(RECORD_TYPE, record.data, record.data["signers"])
    forged = Envelope(RECORD_TYPE, canonical.dump({**record.data, "title": "Judul lain"}), envelope.signatures)
    return town.offline(city.proof(city.append(forged, check=False)))


def _expired(town: Town) -> Verdict:
    city = town.city
    keyid = city.enrol("Pejabat Lama", ["setda"], begins="2025-01-01", until="2025-12-31")
    return _published_by(town, keyid)


def _revoked(town: Town) -> Verdict:
    keyid = town.city.enrol("Kunci Hilang", ["setda"])
    town.city.roster_event({"event": "revoke", "key": keyid, "suspect_from": len(town.city.entries)})
    return _published_by(town, keyid)


def _stranger(town: Town) -> Verdict:
    return _published_by(town, town.city._new_key("orang asing"))


def _wrong_office(town: Town) -> Verdict:
    town.city.office("dinas")
    return _published_by(town, town.city.enrol("Dinas", ["dinas"]))


def _published_by(town: Town, keyid: str) -> Verdict:
    _, index = town.city.publish(documents={"sk.pdf": BODY}, signers=[keyid], check=False)
    trusted = Trusted(town.pin.policy, town.pin.founding, roster=tuple(town.city.envelopes))
    return town.offline(town.city.proof(index), trusted)


def _suspect(town: Town) -> Verdict:
    town.city.roster_event({"event": "revoke", "key": town.city.clerk, "suspect_from": town.index})
    town.city.write()
    return town.online()


def _outdated_roster(town: Town) -> Verdict:
    """A revoked key signs, and the log writes an old roster into the entry."""
    city = town.city
    old = city.roster
    city.roster_event({"event": "revoke", "key": city.clerk, "suspect_from": len(city.entries)})
    new, city.roster = city.roster, old
    _, index = city.publish(documents={"sk.pdf": BODY}, check=False)
    city.roster = new
    city.roster_event({"event": "office", "id": "baru", "name": "Baru", "parent": None})
    city.write()
    source = open_source(str(city.path))
    return verify_file(town.file, trusted=replace(town.trusted, pin=None), source=source, proof=city.proof(index))[0]


def _unknown_target(town: Town) -> Verdict:
    ref = town.city.draw_ref()
    town.file.write_bytes(b"pencabutan")
    town.city.publish(documents={"p.pdf": b"pencabutan"}, relations=[{"type": "revokes", "ref": ref}], check=False)
    town.city.write()
    return town.online()


def _used_ref(town: Town) -> Verdict:
    town.file.write_bytes(b"kembar")
    town.city.publish(documents={"p.pdf": b"kembar"}, ref=town.record.ref, number="9/9", check=False)
    town.city.write()
    return town.online()


TAMPERED: list[tuple[Callable[[Town], Verdict], str, str]] = [
    (_differs, "document", "document-differs"),
    (_flipped_extra, "inclusion", "inclusion"),
    (_missing_tile, "inclusion", "truncated"),
    (_cut_tile, "inclusion", "truncated"),
    (_cut_bundle, "inclusion", "truncated"),
    (_promises_more, "inclusion", "truncated"),
    (_changed_tile, "inclusion", "tile-differs"),
    (_changed_entry, "inclusion", "entry-differs"),
    (_reordered_entries, "inclusion", "entries-reordered"),
    (_reordered_chain, "chain", "chain-broken"),
    (_rolled_back, "history", "ledger-rolled-back"),
    (_forked, "history", "ledger-forked"),
    (_forked_offline, "history", "ledger-forked"),
    (_proof_of_a_fork_online, "history", "ledger-forked"),
    (_forked_roster, "roster", "roster-forked"),
    (_wrong_key, "checkpoint", "wrong-key"),
    (_wrong_key_online, "ledger", "wrong-key"),
    (_broken_signature, "checkpoint", "signature"),
    (_other_ledger, "checkpoint", "other-origin"),
    (_other_founding, "founding", "other-founding"),
    (_other_founding_roster, "roster", "other-founding"),
    (_bad_document_signature, "signature", "bad-signature"),
    (_expired, "authority", "key-outside-term"),
    (_revoked, "authority", "key-revoked"),
    (_stranger, "authority", "key-not-enrolled"),
    (_wrong_office, "authority", "no-signer-for-office-and-kind"),
    (_suspect, "key-trust", "key-suspect"),
    (_outdated_roster, "authority", "roster-outdated"),
    (_unknown_target, "relations", "unknown-target"),
    (_used_ref, "names", "ref-used"),
]


@pytest.mark.parametrize(("tamper", "name", "code"), TAMPERED, ids=lambda one: getattr(one, "__name__", None))
def test_tampering_is_named(town: Town, tamper: Callable[[Town], Verdict], name: str, code: str) -> None:
    """Each way of tampering ends in 1, with its own code and a sentence in both languages as the headline."""
    verdict = tamper(town)
    assert verdict.exit_status() == 1, _text(verdict)
    assert (name, code) in _failed(verdict), _text(verdict)
    for lang in ("id", "en"):
        headline = _text(verdict, lang).split("\n")[0]
        assert f".{code}" not in headline
        assert headline.startswith({"id": ("TIDAK COCOK", "DIPERSOALKAN"), "en": ("THIS DOES NOT HOLD", "DISPUTED")}[lang])


def test_each_tampering_has_its_own_sentence() -> None:
    """No two codes share a sentence, so that a reader can tell them apart."""
    sentences = {}
    for _, _, code in TAMPERED:
        verdict = Verdict("x", (Check("x", "failed", code, {}),))
        sentences[code] = _text(verdict).split("\n")[0]
    assert len(set(sentences.values())) == len(sentences)


def test_fork_is_kept_as_evidence(town: Town) -> None:
    """Both notes of a fork stay in the trust folder, and the pin does not follow."""
    _forked(town)
    notes = {path.read_bytes() for path in (town.pin.folder / "evidence").iterdir()}
    assert town.pin.note in notes
    assert len(notes) == 2
    assert load_pin(town.pin.folder).note == town.pin.note


def test_a_grown_ledger_becomes_the_newest_seen(town: Town) -> None:
    """An online check stores the newer checkpoint; an old proof stays good."""
    proof = town.city.proof(town.index)
    for _ in range(5):
        town.city.publish()
    town.city.write()
    source = open_source(str(town.city.path))
    verdict = verify_file(town.file, trusted=town.trusted, source=source, proof=proof)[0]
    assert verdict.exit_status() == 0, _text(verdict)
    assert load_pin(town.pin.folder).note == town.city.checkpoint()


# ---- disputes, later acts, withdrawals


def test_reaffirmed_is_no_longer_disputed(town: Town) -> None:
    """The authority can stand by an act of a suspected key."""
    assert _suspect(town).exit_status() == 1
    town.city.roster_event({"event": "reaffirm", "acts": [town.record.id]})
    town.city.write()
    assert town.online().exit_status() == 0


def test_a_key_that_ended_later_does_not_matter(town: Town) -> None:
    """Retired after this entry: the signature counts as before."""
    town.city.roster_event({"event": "retire", "key": town.city.clerk})
    town.city.write()
    assert town.online().exit_status() == 0


@pytest.mark.parametrize("kind", ["amends", "corrects", "revokes", "annuls", "completes", "implements", "follows", "annex_of"])
def test_later_acts_are_shown(town: Town, kind: str) -> None:
    """What became of the act stands above the facts, proven, in both languages; it does not make the file false."""
    relation = {"type": kind, "ref": town.record.ref, "reason": "karena"}
    later, _ = town.city.publish(relations=[relation], title="Yang kemudian")
    town.city.write()
    verdict = town.online()
    assert verdict.exit_status() == 0
    assert [one.values["ref"] for one in verdict.notices] == [later.ref]
    for lang in ("id", "en"):
        assert "Yang kemudian" in _text(verdict, lang).split("\n")[1]
        assert "check." not in _text(verdict, lang)


def test_a_later_act_that_was_annulled_is_marked(town: Town) -> None:
    """A revocation that was itself annulled is shown as such."""
    first, _ = town.city.publish(relations=[{"type": "revokes", "ref": town.record.ref}])
    town.city.publish(relations=[{"type": "annuls", "ref": first.ref}])
    town.city.write()
    assert [one.code for one in town.online().notices] == ["change-undone"]


def test_an_unauthorised_later_act_does_not_count(town: Town) -> None:
    """A stranger's revocation in the ledger changes nothing about the act."""
    stranger = town.city._new_key("orang asing")
    town.city.publish(relations=[{"type": "revokes", "ref": town.record.ref}], signers=[stranger], check=False)
    town.city.write()
    assert town.online().notices == ()


def test_withdrawn_document(town: Town) -> None:
    """The hash stays, the reason is shown, and the file is still the one that was published."""
    sha256 = town.record.documents[0]["sha256"]
    town.city.roster_event({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "data pribadi"})
    town.city.write()
    verdict = town.online()
    assert verdict.exit_status() == 0
    assert "UU 27/2022" in _text(verdict).split("\n")[1]


def test_log_keys_changed_by_the_authority(town: Town) -> None:
    """After the overlap the pinned keys no longer sign: not checked, by which event, and how to pin again."""
    town.city.rotate_log_keys("log 2")
    town.city.publish()
    town.city.write()
    verdict = town.online()
    assert verdict.exit_status() == 3
    assert "changed by roster event 3" in _text(verdict)
    assert "bening trust add" in _text(verdict)
    source = open_source(str(town.city.path))
    proven = verify_file(town.file, trusted=town.trusted, source=source, proof=town.city.proof(town.index))[0]
    assert (proven.exit_status(), proven.check("checkpoint").code) == (0, "checkpoint-by-roster")  # type: ignore[union-attr]


# ---- the log's keys at the size of a proof


def _rotated(town: Town) -> bytes:
    """Return a proof from before the log changed its keys; the reader has pinned the new ones."""
    proof = town.city.proof(town.index)
    town.city.rotate_log_keys("log 2")
    for _ in range(3):
        town.city.publish()
    town.city.write()
    town.pin = add_pin(town.path / "trust", propose_source(open_source(str(town.city.path))))
    assert town.pin.vkeys == tuple(town.city.keys.vkeys)
    return proof


def test_an_old_proof_holds_after_the_keys_changed(town: Town) -> None:
    """The roster of the pinned founding names the keys of that size: from the pinned store, a file, or the source."""
    proof = _rotated(town)
    bare = Trusted(town.pin.policy, town.pin.founding)
    source = open_source(str(town.city.path))
    found = [
        town.offline(proof),
        town.offline(proof, replace(bare, roster=tuple(town.city.envelopes))),
        verify_file(town.file, trusted=bare, source=source, proof=proof)[0],
    ]
    assert [one.exit_status() for one in found] == [0, 0, 0], [_text(one) for one in found]
    assert "the roster names for that size" in _text(found[0])


@pytest.mark.parametrize("again", [True, False])
def test_a_bundle_holds_across_a_change_of_keys(town: Town, again: bool) -> None:
    """Made before it and read by who has pinned again; or made after it and read by who has not."""
    source, bag = open_source(str(town.city.path)), town.path / "bukti.zip"
    first = town.pin
    if again:
        make_bundle(open_ledger(source, first.policy, first.founding), [town.index], bag)
    _rotated(town)
    if not again:
        make_bundle(open_ledger(source, town.pin.policy, town.pin.founding), [town.index], bag)
    pin = town.pin if again else first
    verdicts = verify_file(bag, trusted=Trusted(pin.policy, pin.founding, pin))
    assert combined_status(verdicts) == 0, [_text(one) for one in verdicts]


def test_keys_that_cannot_be_known_here_are_not_checked(town: Town) -> None:
    """Without the roster, or with one that stops before the proof's size, other keys are not called false."""
    proof = _rotated(town)
    assert town.offline(proof, Trusted(town.pin.policy, town.pin.founding)).exit_status() == 3
    early = Trusted(town.pin.policy, town.pin.founding, roster=tuple(town.city.envelopes[:3]))
    verdict = town.offline(proof, early)
    assert (verdict.exit_status(), verdict.check("checkpoint").code) == (3, "log-keys-unknown")  # type: ignore[union-attr]
    assert "log-keys" not in _text(verdict, "id")


def test_former_keys_sign_nothing_new(town: Town) -> None:
    """Keys that have ended, in a thief's hands, make no checkpoint of today's sizes; nor do strangers' of yesterday's."""
    _rotated(town)
    old = Keys(town.city.origin)
    town.city.keys = old
    town.city.roster = replace(town.city.roster, log_keys=town.city.rosters[0].log_keys)
    town.city.notes.clear()
    forged = town.city.proof(town.index)
    assert ("checkpoint", "wrong-key") in _failed(town.offline(forged))
    former = Trusted(town.pin.policy, town.pin.founding)
    former = replace(former, policy=parse_policy(town.city.policy), roster=tuple(town.city.envelopes))
    assert ("checkpoint", "log-keys-ended") in _failed(town.offline(forged, former))


def test_a_roster_of_another_founding_names_no_keys(town: Town) -> None:
    """A thief's roster chain, whatever it says about keys, decides nothing."""
    thief = City(town.path / "lain", seed="thief")
    _, index = thief.publish(documents={"sk.pdf": BODY})
    trusted = Trusted(town.pin.policy, town.pin.founding, roster=tuple(thief.envelopes))
    assert ("roster", "other-founding") in _failed(town.offline(thief.proof(index), trusted))


# ---- a good proof and a bad copy


def _damage_tile(town: Town) -> None:
    path = town.city.path / "tile/0/000.p/6"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])


def _cut_roster(town: Town) -> None:
    town.city.office("a")
    town.city.office("b")
    town.city.write()
    path = town.city.path / "roster.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))


@pytest.mark.parametrize("damage", [_damage_tile, _cut_roster])
@pytest.mark.parametrize("lang", ["id", "en"])
def test_a_damaged_copy_is_not_the_files_fault(town: Town, damage: Callable[[Town], None], lang: str) -> None:
    """1, but the headline says what holds of the file, and the copy's damage stands under it, once."""
    proof = town.city.proof(town.index)
    damage(town)
    verdict = verify_file(town.file, trusted=town.trusted, source=open_source(str(town.city.path)), proof=proof)[0]
    lines = _text(verdict, lang).split("\n")
    assert verdict.exit_status() == 1
    assert lines[0].startswith({"id": "Berkas ini sama persis", "en": "This file is identical"}[lang])
    assert str(town.city.path) in lines[1]
    assert "  does" not in lines[1]
    assert {"id": "rusak", "en": "damaged"}[lang] in lines[1]
    assert sum("two different continuations" in line or "dua kelanjutan" in line for line in lines) == 0
    assert len(set(lines) - {""}) == len([line for line in lines if line])


def test_a_roster_file_with_a_missing_line_is_no_fork(town: Town) -> None:
    """Without a proof as well: incomplete or damaged, and not two continuations."""
    _cut_roster(town)
    assert _failed(town.online()) == [("roster", "roster-file")]
    assert "incomplete or damaged" in _text(town.online())


def test_a_lagging_mirror_is_not_checked(town: Town) -> None:
    """An older state, validly signed, takes nothing from a proof that holds, and is said."""
    proof = town.city.proof(town.index)
    town.city.write(size=5)
    verdict = verify_file(town.file, trusted=town.trusted, source=open_source(str(town.city.path)), proof=proof)[0]
    assert verdict.exit_status() == 0, _text(verdict)
    assert "is older than what was seen: 5 entries, not 6" in _text(verdict).split("\n")[1]


def test_a_target_that_the_look_up_lacks_is_not_denied(town: Town) -> None:
    """A hint that is missing is no evidence against an act with a proof."""
    _, index = town.city.publish(documents={"p.pdf": b"p"}, relations=[{"type": "revokes", "ref": town.record.ref}])
    town.city.write()
    shutil.rmtree(town.city.path / "lookup")
    file = town.path / "p.pdf"
    file.write_bytes(b"p")
    source = open_source(str(town.city.path))
    verdict = verify_file(file, trusted=town.trusted, source=source, proof=town.city.proof(index))[0]
    assert (verdict.exit_status(), verdict.check("relations").code) == (0, "relations-not-found")  # type: ignore[union-attr]


def test_a_proof_of_another_act(town: Town) -> None:
    """The file's own entry is named if the ledger has it, and the facts stand under the proof's heading."""
    other, index = town.city.publish(documents={"lain.pdf": b"lain"})
    town.city.write()
    source = open_source(str(town.city.path))
    verdict = verify_file(town.file, trusted=town.trusted, source=source, proof=town.city.proof(index))[0]
    assert verdict.exit_status() == 1
    lines = _text(verdict).split("\n")
    assert f"This file itself was published as entry {town.index} (reference {format_ref(town.record.ref)})." in lines[1]
    assert lines[lines.index("The proof is about this act:") + 1].startswith("  Form")
    assert format_ref(other.ref) in _text(verdict)
    assert "The proof is about this act:" not in _text(town.online())


# ---- withheld documents, money


def test_a_withheld_document_is_named_and_opened_by_its_salt(town: Town) -> None:
    """Reason and law are facts; file, salt and proof together are the document that was recorded; another salt is not."""
    salt, body = bytes(range(16)), b"rahasia"
    commitment = hashlib.sha256(salt + hashlib.sha256(body).digest()).hexdigest()
    withheld = {"withheld": commitment, "media_type": "application/pdf", "role": "other", "reason": "data pribadi", "law": "UU 27"}
    _, index = town.city.publish(withheld=[withheld])
    file, beside = town.path / "rahasia.pdf", town.path / "rahasia.pdf.19JVNJXPQJS.salt"
    file.write_bytes(body)
    proof = town.city.proof(index)
    assert town.offline(proof, file=file).exit_status() == 3
    beside.write_text(json.dumps({"salt": salt.hex()}))
    verdict = town.offline(proof, file=file)
    assert verdict.exit_status() == 0, _text(verdict)
    assert _text(verdict).startswith("This file is identical to the document that Kota Contoh recorded on")
    assert "Withheld document: data pribadi; by UU 27" in _text(verdict)
    named = town.path / "elsewhere"
    beside.rename(named)
    assert verify_file(file, trusted=town.trusted, proof=proof, salt=named)[0].exit_status() == 0
    named.write_text(json.dumps({"salt": bytes(16).hex()}))
    assert verify_file(file, trusted=town.trusted, proof=proof, salt=named)[0].exit_status() == 1
    named.write_bytes(b"no salt")
    with pytest.raises(FormatError):
        verify_file(file, trusted=town.trusted, proof=proof, salt=named)


def test_money_and_references_are_written_for_people(town: Town) -> None:
    """Thousands apart as the language has them, references in groups; the JSON keeps what was signed."""
    facts = town.online().facts
    assert facts is not None
    verdict = replace(town.online(), facts=replace(facts, money="IDR 187500000.50"))
    assert "IDR 187.500.000,50" in _text(verdict, "id")
    assert "IDR 187,500,000.50" in _text(verdict, "en")
    assert format_ref(town.record.ref) in _text(verdict)
    found = verdict.to_json(lambda key, /, **values: say(key, "en", **values))["facts"]
    assert (found["money"], found["ref"]) == ("IDR 187500000.50", town.record.ref)


# ---- newer formats, malformed input


@pytest.mark.parametrize("change", [{"v": 2}, {"kind": "hologram"}, {"colour": "blue"}])
def test_a_newer_record_is_not_checked(town: Town, change: dict[str, object]) -> None:
    """Leaf, chain and tree are checked; the rest says newer format, never false."""
    record = town.city.record(documents={"sk.pdf": BODY})
    envelope = town.city.sign(RECORD_TYPE, {**record.data, **change}, [town.city.clerk])
    town.city.entries.append(canonical.dump(_entry(town.city, envelope)))
    verdict = town.offline(town.city.proof(len(town.city.entries) - 1))
    assert verdict.exit_status() == 3
    assert "newer version" in _text(verdict).split("\n")[0]


def test_a_newer_record_found_by_its_document(town: Town) -> None:
    """The look-up leads to a record of a later version: it is not called unknown, but not checked."""
    record = town.city.record(documents={"baru.pdf": b"baru"})
    envelope = town.city.sign(RECORD_TYPE, {**record.data, "v": 2}, [town.city.clerk])
    town.city.entries.append(canonical.dump(_entry(town.city, envelope)))
    town.city.records[len(town.city.entries) - 1] = record
    town.city.write()
    file = town.path / "baru.pdf"
    file.write_bytes(b"baru")
    verdict = town.online(file)
    assert verdict.exit_status() == 3
    assert "newer version" in _text(verdict).split("\n")[0]


def test_a_newer_entry_or_payload_type_is_not_checked(town: Town) -> None:
    """A later version's entry, or a payload type nobody here knows."""
    envelope = town.city.sign("application/vnd.bening.minutes+json", {"v": 1}, [town.city.clerk])
    for value in (_entry(town.city, envelope), {**_entry(town.city, envelope), "v": 2}):
        town.city.entries.append(canonical.dump(value))
        assert town.offline(town.city.proof(len(town.city.entries) - 1)).exit_status() == 3


def _entry(city: City, envelope: Envelope) -> dict[str, object]:
    from ledger.records.envelope import value_of

    place = {"prev": city._prev(), "roster": city.roster.hash, "time": "2026-01-05T03:00:00Z"}
    return {"envelope": value_of(envelope), **place, "v": 1}


def test_garbage_proofs_are_ordinary_failures(town: Town) -> None:
    """Cut or noisy proofs give a verdict, no exception."""
    proof = town.city.proof(town.index)
    noise = proof.replace(b"index 3", b"index 03"), b"\xff" * 99
    for data in (b"", b"c2sp.org/tlog-proof@v1\n", proof[:200], proof[:-40], *noise):
        assert town.offline(data).exit_status() == 1


def test_roster_entries_are_judged_too(town: Town) -> None:
    """A proof of the founding or of a roster event is checked by the chain it belongs to."""
    for index in (0, 1, 2):
        verdict = verify_file(_proof_file(town, index), trusted=town.trusted)[0]
        assert verdict.exit_status() == 0, _text(verdict)


def _proof_file(town: Town, index: int) -> Path:
    path = town.path / f"{index}.tlog-proof"
    path.write_bytes(town.city.proof(index))
    return path


# ---- how it is told


def test_json_says_the_same(town: Town) -> None:
    """Every sentence of the text is in the JSON, with codes and states."""
    verdict = town.online()
    found = json.loads(json.dumps(verdict.to_json(lambda key, /, **values: say(key, "en", **values))))
    assert found["status"] == 0
    assert found["headline"] == _text(verdict).split("\n")[0]
    assert [one["sentence"] for one in found["checks"]]
    assert all(one["sentence"] in _text(verdict) for one in (*found["checks"], *found["never_checked"]))
    assert found["facts"]["number"] == "188/1 Tahun 2026"


def test_nothing_shown_can_look_like_ours() -> None:
    """Control, bidirectional and line-breaking characters of others are made visible."""
    values: dict[str, object] = {"typed": "x\n  + forged\x1b[2J\u202e"}
    text = _text(Verdict("x", (Check("document", "not_checked", "typed-not-found", values),)))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\n  + forged" not in text


def test_exit_status_of_several() -> None:
    """False before not checked before done; nothing at all is not checked."""
    good = Verdict("a", tuple(Check(name, "passed", "x") for name in REQUIRED))
    bad = Verdict("b", (Check("document", "failed", "x"),))
    unknown = Verdict("c", ())
    assert [combined_status(one) for one in ([good], [good, unknown], [good, unknown, bad], [])] == [0, 3, 1, 3]
