"""Two verifiers, one verdict: on every case the browser's JavaScript comes to the same checks and facts as Python."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import LedgerError
from ledger.records import canonical
from ledger.records.entry import Entry, dump_entry, parse_entry
from ledger.records.envelope import Envelope, dump_envelope
from ledger.records.record import RECORD_TYPE
from ledger.tlog.proof import Proof, format_proof, parse_proof
from ledger.verifier.client import open_source
from ledger.verifier.reader import open_ledger
from ledger.verifier.verify import verify_file, verify_typed
from tests.adversary.attack import BODY, FORGED, Scene
from tests.city import City, signing_key
from tests.web.browser import local_site, new_page
from tests.web.verifying import Checker, PinnedScene, differences, summary

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from ledger.publisher.home import Home

ROSTER_TYPE = "application/vnd.bening.roster+json"


class Both:
    """One scene before both verifiers; ``check`` asks them the same and requires the same answer."""

    def __init__(self, scene: Scene, checker: Checker) -> None:
        self.scene, self.checker, self.city = scene, checker, scene.city

    def check(self, name: str = "sk.pdf", body: bytes = BODY, *, proof: bytes | None = None, folder: Path | None = None,
              salt: bytes | None = None) -> dict[str, Any]:  # fmt: skip
        """Check one file (with a proof, a salt) in the city as it is now written; return the browser's summary."""
        folder = folder or self.city.path
        self.checker.site.public = folder
        files, file = {name: body}, self.scene.put(name, body)
        if proof is not None:
            files[f"{name}.tlog-proof"] = proof
        if salt is not None:
            files[f"{name}.19JVNJXPQJS.salt"] = salt
            self.scene.put(f"{name}.19JVNJXPQJS.salt", salt)
        ours = self.checker.files(files)
        try:
            theirs = verify_file(file, trusted=self.scene.trusted, source=open_source(str(folder)), proof=proof)
        except LedgerError as error:  # a bundle that cannot be read is no verdict in Python
            assert [one["checks"][-1]["code"] for one in ours] == [error.code]
        else:
            assert differences(ours, theirs) == []
        return summary(ours[0])

    def typed(self, **typed: str) -> list[dict[str, Any]]:
        """Look up a reference or number in both; return the browser's summaries."""
        view = open_ledger(open_source(str(self.city.path)), self.scene.pin.policy, self.scene.pin.founding)
        theirs = verify_typed(view, self.scene.trusted, **typed)
        ours = self.checker.typed(**typed)
        assert differences(ours, theirs) == []
        return [summary(one) for one in ours]


@pytest.fixture(scope="module")
def checker(browser: Browser, plain_home: Home) -> Iterator[Checker]:
    """The modules, loaded once; the published folder behind them changes with each test."""
    with local_site(plain_home) as site:
        yield Checker(new_page(browser), site)


@pytest.fixture
def both(tmp_path: Path, checker: Checker) -> Both:
    """A scene that both verifiers have pinned."""
    return both_of(PinnedScene(tmp_path), checker)


def both_of(scene: Scene, checker: Checker) -> Both:
    """Let the browser forget whatever it has pinned, and pin ``scene``."""
    checker.site.public = scene.city.path
    checker.page.evaluate("localStorage.clear()")
    checker.pin()
    return Both(scene, checker)


def codes(found: dict[str, Any], *states: str) -> set[tuple[str, str]]:
    """Name and code of the checks in these states."""
    return {(name, code) for name, state, code in found["checks"] if state in (states or ("failed", "disputed"))}


# ---- what holds


def test_a_published_file(both: Both) -> None:
    """Every required check is made: 0."""
    found = both.check()
    assert found["status"] == 0
    assert {"checkpoint", "inclusion", "chain", "founding", "document", "signature", "authority", "history"} <= {
        name for name, state, _ in found["checks"] if state == "passed"
    }


def test_a_file_with_its_proof(both: Both) -> None:
    """Also by a proof that was handed out earlier, in a ledger that has grown."""
    proof = both.city.proof(both.scene.index)
    both.city.publish()
    both.city.write()
    assert both.check(proof=proof)["status"] == 0


def test_a_proof_alone(both: Both) -> None:
    """A proof without a document is about the act."""
    assert both.check("sk.tlog-proof", both.city.proof(both.scene.index))["status"] == 0
    assert both.check("roster.tlog-proof", both.city.proof(2))["facts"] is None


def test_a_proof_without_its_entry(both: Both) -> None:
    """The entry is asked of the ledger."""
    whole = parse_proof(both.city.proof(both.scene.index))
    assert both.check(proof=format_proof(Proof(whole.index, whole.hashes, whole.checkpoint)))["status"] == 0


def test_not_found_is_not_false(both: Both) -> None:
    """A re-saved copy: 3, and no failed check."""
    found = both.check(body=BODY + b"\n")
    assert (found["status"], codes(found)) == (3, set())


def test_one_document_in_two_acts(both: Both) -> None:
    """Each act gets its verdict."""
    both.city.publish(documents={"lagi.pdf": BODY})
    both.city.write()
    both.check()


@pytest.mark.parametrize(
    "kind", ["amends", "corrects", "revokes", "annuls", "implements", "completes", "follows", "annex_of", "same_number_as"]
)
def test_every_kind_of_later_act(both: Both, kind: str) -> None:
    """Each relation is told, and its own act is judged alike."""
    relation = {"type": kind, "ref": both.scene.record.ref}
    if kind in ("corrects", "same_number_as"):
        relation["reason"] = "salah ketik"
    both.city.publish(documents={"x.pdf": b"later"}, relations=[relation])
    both.city.write()
    assert [code for code, _, _ in both.check()["notices"]] == [f"change-{kind.replace('_', '-')}"]
    assert both.check("x.pdf", b"later")["status"] == 0


@pytest.mark.parametrize("chain", [("annuls",), ("corrects",), ("annuls", "annuls"), ("corrects", "annuls"), ("corrects", "corrects")])
def test_a_change_that_was_undone(both: Both, chain: tuple[str, ...]) -> None:
    """Annulments of annulments, replacements of replacements: which of them still count."""
    last, _ = both.city.publish(relations=[{"type": "revokes", "ref": both.scene.record.ref}])
    for kind in chain:
        last, _ = both.city.publish(relations=[{"type": kind, "ref": last.ref, "reason": "keliru"}])
    both.city.write()
    both.check()


def test_a_web_of_annulments(both: Both) -> None:
    """Acts that annul each other's annulments in every order come out alike."""
    refs = [both.scene.record.ref]
    for number in range(6):
        relations = [{"type": "annuls" if (number + at) % 2 else "corrects", "ref": ref, "reason": "x"} for at, ref in enumerate(refs[-3:])]
        corrections = [one for one in relations if one["type"] == "corrects"][1:]
        record, _ = both.city.publish(relations=[one for one in relations if one not in corrections])
        refs.append(record.ref)
    both.city.write()
    assert len(both.check()["notices"]) >= 2


def test_a_withheld_document(both: Both) -> None:
    """With its salt, and without: identical to the recorded one, or not checked."""
    body, salt = b"withheld annex", b"\1" * 16
    commitment = hashlib.sha256(salt + hashlib.sha256(body).digest()).hexdigest()
    one = {"withheld": commitment, "media_type": "application/pdf", "role": "annex", "reason": "pribadi", "law": "UU 27/2022"}
    _, index = both.city.publish(withheld=[one])
    both.city.write()
    proof = both.city.proof(index)
    assert both.check("annex.pdf", body, proof=proof)["status"] == 3
    text = canonical.dump({"salt": salt.hex(), "v": 1})
    assert ("document", "document-committed") in codes(both.check("a.pdf", body, proof=proof, salt=text), "passed")
    assert ("document", "document-differs") in codes(both.check("b.pdf", b"another", proof=proof, salt=text))


def test_a_withdrawn_document(both: Both) -> None:
    """The withdrawal is told, and the act stays what it is."""
    event = {"event": "withdraw", "sha256": hashlib.sha256(BODY).hexdigest(), "law": "UU 27/2022", "reason": "pribadi"}
    both.city.roster_event(event)
    both.city.write()
    assert [code for code, _, _ in both.check()["notices"]] == ["document-withdrawn"]


@pytest.mark.parametrize("reaffirmed", [False, True])
def test_a_suspected_key(both: Both, reaffirmed: bool) -> None:
    """Disputed until the authority reaffirms the act."""
    both.city.roster_event({"event": "revoke", "key": both.city.clerk, "suspect_from": both.scene.index, "reason": "hilang"})
    if reaffirmed:
        both.city.roster_event({"event": "reaffirm", "acts": [both.scene.record.id]})
    both.city.write()
    assert both.check()["status"] == (0 if reaffirmed else 1)


def test_every_event_of_the_roster(both: Both) -> None:
    """A roster with each kind of event replays alike, and the act under its rules is judged alike."""
    city = both.city
    city.office("constructor", "Dinas __proto__")
    city.office("bagian", "Bagian", parent="constructor")
    second = city.enrol("Kepala", ["constructor", "setda"], position="Kepala Dinas", until="2027-01-01")
    gone = city.enrol("Lama", ["setda"])
    city.roster_event({"event": "retire", "key": gone})
    city.roster_event({"event": "rule", "kind": "decision", "signatures": 2, "positions": ["Kepala Bagian", "Kepala Dinas"]})
    city.roster_event({"event": "rule", "office": "constructor", "over": "setda"})
    pattern = {"event": "series", "id": "sk", "office": "setda", "forms": ["sk"], "pattern": "188/{serial}*{year}", "start": 1}
    city.roster_event({**pattern, "resets": "yearly", "complete_from": "2026-01-01"})
    city.roster_event({"event": "duty", "office": "setda", "forms": ["sk"], "from": "2026-01-01"})
    city.roster_event({"event": "form", "id": "batal", "kind": "void", "name": "Batal"})
    new = city._new_key("authority 3")
    from tests.city import spki_of

    keys = [spki_of(city.signing[one]) for one in (*city.authority, new)]
    city.roster_event({"event": "authority", "keys": keys, "threshold": 2}, signers=[new])
    city.publish(documents={"dua.pdf": b"two"}, signers=[city.clerk, second], series="sk", serial=12, number="188/12/SK/2026")
    void = {"series": "sk", "serials": [13, 14], "reason": "unused"}
    city.publish(documents={}, kind="void", form="batal", fields=void, signatories=[], number=None, unnumbered_reason="tanpa nomor")
    city.write()
    assert both.check("dua.pdf", b"two")["status"] == 0
    assert both.check()["status"] == 0
    for index in range(len(city.entries)):
        both.check("e.tlog-proof", city.proof(index))


def test_a_contract_with_everything(both: Both) -> None:
    """Fields of a contract, supplier, money, dates, several signatories: the same facts."""
    fields = {"value": "187500000.50", "currency": "IDR", "supplier": {"name": "CV Karya <b>", "form": "CV"}, "method": "E-katalog"}
    people = [{"position": "Sekda", "capacity": "plt"}, {"position": "Wali Kota", "name": "Contoh", "capacity": "an", "basis": "SK"}]
    both.city.publish(
        documents={"k.pdf": b"contract", "l.pdf": b"annex"}, kind="contract", form="spk", fields=fields, signatories=people,
        signed_on="2026-02-01", drafted_on="2025-12-30", expires_on="2026-12-31", title="Perbaikan trotoar \u00e9",
    )  # fmt: skip
    both.city.write()
    facts = both.check("k.pdf", b"contract")["facts"]
    assert (facts["money"], facts["supplier"], facts["lag_days"]) == ("IDR 187500000.50", "CV Karya <b>", -27)


def test_typed_references_and_numbers(both: Both) -> None:
    """The same acts are found by both, in any spelling; what is not found is not false."""
    number = both.scene.record.data["number"]
    both.city.publish(number=number, form="sk", relations=[{"type": "same_number_as", "ref": both.scene.record.ref, "reason": "dua"}])
    both.city.write()
    assert [one["status"] for one in both.typed(ref=both.scene.record.ref)] == [0]
    assert [one["status"] for one in both.typed(number=f"NOMOR : {number.replace('/', ' / ').upper()}")] == [0, 0]
    assert [one["status"] for one in both.typed(number="tidak ada")] == [3]
    assert [one["status"] for one in both.typed(ref="19JVNJXPQJS")] == [3]


@pytest.mark.parametrize("given", [False, True])
def test_witnesses(tmp_path: Path, checker: Checker, given: bool) -> None:
    """Who co-records is told alike, and a checkpoint that too few have cosigned is not checked."""
    both = both_of(PinnedScene(tmp_path, witnesses=("kpk", "bpk")), checker)
    proof = both.city.proof(both.scene.index) if given else None
    assert ("witnesses", "witnessed") in codes(both.check(proof=proof), "passed")
    both.city.witnesses, both.city.notes = {"kpk": signing_key("witness kpk")}, {}
    policies = {name: (both.city.path / name).read_bytes() for name in ("policy", "policy-ed25519")}
    both.city.write()
    for name, data in policies.items():
        (both.city.path / name).write_bytes(data)
    assert both.check(proof=both.city.proof(both.scene.index) if given else None)["status"] != 0


# ---- the log changes its keys


@pytest.mark.parametrize("overlap", [1, 2, 5])
def test_a_change_of_the_logs_keys(both: Both, overlap: int) -> None:
    """Signed by the authority: told, not checked, no alarm; while both keys sign, nothing changes."""
    proof = both.city.proof(both.scene.index)
    both.city.rotate_log_keys("log2", overlap=overlap)
    both.city.publish()
    both.city.write()
    for one in (None, proof, both.city.proof(both.scene.index)):
        assert codes(both.check(proof=one)) == set()


def test_the_old_key_after_its_end(both: Both) -> None:
    """A state that is signed by a key which had ended by then fails."""
    old = both.city.keys
    both.city.rotate_log_keys("log2")
    both.city.publish()
    both.city.keys = old
    both.city.roster = parse_back(both.city)
    both.city.notes = {}
    both.city.write()
    both.check()


def parse_back(city: City) -> Any:
    """A roster that knows only the first keys, so that they sign everything."""
    from dataclasses import replace

    return replace(city.roster, log_keys=(replace(city.roster.log_keys[0], until_size=None),))


# ---- lies about the file and its act


def test_another_file_beside_a_true_proof(both: Both) -> None:
    """A changed document fails; the notice names the act that the file itself belongs to."""
    proof = both.city.proof(both.scene.index)
    assert codes(both.check("forged.pdf", FORGED, proof=proof)) == {("document", "document-differs")}
    other = both.city.proof(both.scene.index + 1)
    assert [code for code, _, _ in both.check(proof=other)["notices"]] == ["document-itself"]
    assert ("document", "document-of-roster-event") in codes(both.check("forged.pdf", FORGED, proof=both.city.proof(1)))


@pytest.mark.parametrize("part", ["index", "hash", "extra", "checkpoint", "short", "long", "garbage", "empty", "newer"])
def test_a_damaged_proof(both: Both, part: str) -> None:
    """Every part of a proof is held: each mutation ends alike, never in 0."""
    text = both.city.proof(both.scene.index)
    whole = parse_proof(text)
    head, _, note = text.partition(b"\n\n")
    lines = head.split(b"\n")
    changed = {
        "index": text.replace(b"index %d" % whole.index, b"index %d" % (whole.index + 1)),
        "hash": text.replace(lines[-1], b"A" * 43 + b"="),
        "extra": format_proof(Proof(whole.index, whole.hashes, whole.checkpoint, both.city.entries[1])),
        "checkpoint": text.replace(note.split(b"\n")[4], note.split(b"\n")[4][:-8] + b"AAAAAAA="),
        "short": b"\n".join(lines[:-1]) + b"\n\n" + note,
        "long": b"\n".join([*lines, lines[-1]]) + b"\n\n" + note,
        "garbage": b"c2sp.org/tlog-proof@v1\nindex x\n\nno",
        "empty": b"",
        "newer": text.replace(b"@v1", b"@v2"),
    }[part]
    assert both.check(proof=changed)["status"] != 0


# ---- lies about who signed, and by which roster


def replace_signature(data: bytes, sig: bytes) -> bytes:
    """An entry with another signature in its envelope."""
    entry = parse_entry(data)
    first = entry.envelope.signatures[0]
    envelope = Envelope(entry.envelope.payload_type, entry.envelope.payload, (type(first)(first.keyid, sig),))
    return dump_entry(Entry(envelope, entry.prev, entry.roster, entry.time))


def test_a_swapped_signature(both: Both) -> None:
    """A log that publishes another signature than the official's is found."""
    city, index = both.city, both.scene.index
    other = parse_entry(city.entries[index + 1]).envelope.signatures[0].sig
    fork = city.fork(both.scene.path / "fork", size=index)
    fork.entries.append(replace_signature(city.entries[index], other))
    fork.records[index] = both.scene.record
    fork.write()
    found = both.check(proof=fork.proof(index), folder=fork.path)
    assert ("signature", "bad-signature") in codes(found)


def _drop_line(path: Path, at: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("given", [False, True])
def test_a_roster_event_dropped(both: Both, at: int, given: bool) -> None:
    """Without one of its payloads the roster is no chain, or not the whole one: never 0 without a proof's own roster."""
    both.city.roster_event({"event": "revoke", "key": both.city.clerk, "suspect_from": both.scene.index})
    both.city.write()
    _drop_line(both.city.path / "roster.jsonl", at)
    both.check(proof=both.city.proof(both.scene.index) if given else None)


def test_a_hidden_revocation(both: Both) -> None:
    """The last payload left out: not whole, so not checked."""
    both.city.roster_event({"event": "revoke", "key": both.city.clerk, "suspect_from": both.scene.index})
    both.city.write()
    path = both.city.path / "roster.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert ("roster", "roster-not-whole") in codes(both.check(), "not_checked")


def test_a_forged_roster_event(both: Both) -> None:
    """An event that the authority has not signed, in the file and in the log."""
    city = both.city
    payload = {"v": 1, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding}
    payload["events"] = [{"event": "reaffirm", "acts": [both.scene.record.id]}]
    city.append(city.sign(ROSTER_TYPE, payload, [city.clerk]), check=False)
    city.write()
    assert both.check()["status"] != 0
    assert both.check("r.tlog-proof", city.proof(len(city.entries) - 1))["status"] != 0


def test_a_replayed_roster_event(both: Both) -> None:
    """A roster payload at a second place is no event there."""
    index = both.scene.slip(both.city.envelopes[2], both.city.rosters[1])
    both.city.publish()
    path = both.city.write() / "roster.jsonl"
    path.write_bytes(b"".join(dict.fromkeys(path.read_bytes().splitlines(keepends=True))))
    assert ("authority", "roster-replayed") in codes(both.check("r.tlog-proof", both.city.proof(index)))


def test_another_continuation_of_the_roster(both: Both) -> None:
    """The authority signs two continuations: whoever has seen the first is told of the fork."""
    both.city.office("lain")
    both.city.write()
    assert both.check()["status"] == 0
    fork = both.city.fork(both.scene.path / "fork", size=both.scene.index + 3)
    fork.office("beda")
    fork.write()
    assert both.check(folder=fork.path)["status"] == 1
    forget = "() => { const [key, kept] = Object.entries(localStorage)[0]; localStorage[key] = JSON.stringify({ ...JSON.parse(kept), roster: '' }); }"
    both.checker.page.evaluate(forget)  # of a chain that is too long to keep, only its codes are kept
    [found] = both.checker.files({"sk.pdf": BODY})
    assert ("roster", "roster-forked") in codes(summary(found))


def test_an_outdated_roster(both: Both) -> None:
    """An entry that names the roster before its signer's key ended, or before two signatures were asked for."""
    old = both.city.roster
    both.city.roster_event({"event": "rule", "kind": "decision", "signatures": 2, "positions": []})
    both.scene.slip_record(FORGED, old)
    both.city.write()
    assert ("authority", "roster-outdated") in codes(both.check("x.pdf", FORGED))


@pytest.mark.parametrize("between", [0, 12])
def test_a_roster_from_later(both: Both, between: int) -> None:
    """A key that was enrolled only later has signed nothing before."""
    city, before = both.city, both.city.roster
    ahead = city.fork(both.scene.path / "ahead")
    key = ahead.enrol("Nanti", ["setda"])
    city.signing[key] = ahead.signing[key]
    both.scene.slip_record(FORGED, ahead.roster, signers=[key])
    for _ in range(between):
        city.publish()
    both.scene.slip(ahead.envelopes[-1], before)
    city.envelopes.append(ahead.envelopes[-1])
    city.roster = ahead.roster
    for _ in range(between):
        city.publish()
    city.write()
    found = both.check("x.pdf", FORGED)
    assert found["status"] != 0
    assert (("authority", "roster-from-later") in codes(found)) == (between > 0)


@pytest.mark.parametrize("how", ["retired", "revoked", "over", "unknown", "office", "kind"])
def test_a_signer_who_may_not(both: Both, how: str) -> None:
    """Each reason why a key may not sign is found alike."""
    city = both.city
    city.office("lain")
    key = city.enrol("Dua", ["lain" if how == "office" else "setda"], kinds=["contract"] if how == "kind" else None,
                     until="2026-01-05" if how == "over" else None)  # fmt: skip
    if how in ("retired", "revoked"):
        city.roster_event({"event": "retire" if how == "retired" else "revoke", "key": key, **({"suspect_from": 99} if how == "revoked" else {})}, check=False)
    if how == "unknown":
        key = city._new_key("nobody")
    city.now += 2 * 86400
    city.publish(documents={"x.pdf": FORGED}, signers=[key], check=False)
    city.write()
    assert both.check("x.pdf", FORGED)["status"] == 1


@pytest.mark.parametrize("time", ["2026-01-06T01:00:00Z", "2026-05-01T01:00:00Z"])
def test_time_turned_back(both: Both, time: str) -> None:
    """A time before the one of the entry before, or after the one of the entry after."""
    both.city.now += 30 * 86400
    both.city.publish()
    both.scene.slip_record(FORGED, both.city.roster, time)
    both.city.publish()
    both.city.write()
    assert ("authority", "time-turned-back") in codes(both.check("x.pdf", FORGED))


def test_a_reference_and_a_number_used_twice(both: Both) -> None:
    """The second act under one reference or number is false; the first stays true."""
    city = both.city
    city.append(city.sign(RECORD_TYPE, both.scene.record.data, [city.clerk]), check=False)
    city.publish(documents={"n.pdf": b"number"}, number=both.scene.record.data["number"], check=False)
    city.write()
    both.check()
    assert ("names", "number-used") in codes(both.check("n.pdf", b"number"))


def test_relations_that_may_not_be(both: Both) -> None:
    """An office without competence, an unknown target; and what such an act did to another counts for nothing."""
    city = both.city
    city.office("lain")
    key = city.enrol("Lain", ["lain"])
    revocation, _ = city.publish(relations=[{"type": "revokes", "ref": both.scene.record.ref}])
    relations = [{"type": "annuls", "ref": revocation.ref}]
    city.publish(documents={"a.pdf": b"annuls"}, check=False, office="lain", signers=[key], relations=relations)
    city.publish(documents={"b.pdf": b"unknown"}, check=False, relations=[{"type": "amends", "ref": "19JVNJXPQJS"}])
    city.write()
    assert [code for code, _, _ in both.check()["notices"]] == ["change-revokes"]
    assert ("relations", "not-competent") in codes(both.check("a.pdf", b"annuls"))
    assert ("relations", "unknown-target") in codes(both.check("b.pdf", b"unknown"))


@pytest.mark.parametrize("change", ["prev", "founding", "kind", "twice", "citizen"])
def test_a_record_that_should_not_stand_there(both: Both, change: str) -> None:
    """A broken chain, another founding, fields against the rules: each is found alike."""
    city = both.city
    if change == "prev":
        envelope = city.sign(RECORD_TYPE, city.record(documents={"x.pdf": FORGED}).data, [city.clerk])
        city.entries.append(dump_entry(Entry(envelope, "0" * 64, city.roster.hash, "2026-02-01T00:00:00Z")))
        index = len(city.entries) - 1
        city.write()
        assert ("chain", "chain-broken") in codes(both.check("x.pdf", FORGED, proof=city.proof(index)))
        return
    data = city.record(documents={"x.pdf": FORGED}).data
    data |= {
        "founding": {"founding": "0" * 64},
        "kind": {"kind": "contract", "fields": {"value": "1", "currency": "IDR", "supplier": {"unknown": "x"}}},
        "twice": {"documents": data["documents"] * 2},
        "citizen": {"title": "NIK 1234567890123456"},
    }[change]
    index = both.scene.slip(city.sign(RECORD_TYPE, data, [city.clerk]), city.roster)
    city.write()
    assert both.check("x.pdf", FORGED, proof=city.proof(index))["status"] == 1


# ---- which ledger, and which history of it


def test_another_ledger_of_the_same_name(both: Both, tmp_path: Path) -> None:
    """Other keys, other founding: neither its copy nor its proof is taken for the pinned one."""
    other = City(tmp_path / "lain", seed="other", origin=both.city.origin)
    _, index = other.publish(documents={"sk.pdf": BODY})
    other.write()
    assert both.check(proof=other.proof(index))["status"] == 1
    found = both.check(proof=both.city.proof(both.scene.index), folder=other.path)
    assert found["status"] != 0


@pytest.mark.parametrize("size", [0, 2])
def test_a_fork(both: Both, size: int) -> None:
    """Two histories under the same keys, whichever is longer."""
    for _ in range(3):
        both.city.publish()
    both.city.write()
    both.check()
    fork = both.city.fork(both.scene.path / "fork", size=both.scene.index + 1)
    for _ in range(len(both.city.entries) - len(fork.entries) + size):
        fork.publish()
    fork.write()
    assert ("history", "ledger-forked") in codes(both.check(folder=fork.path))
    assert ("history", "ledger-forked") in codes(both.check(folder=fork.path, proof=both.city.proof(both.scene.index)))


def test_a_rollback(both: Both) -> None:
    """A state before the newest one seen; only beside a proof that holds by itself is it a late copy."""
    proof = both.city.proof(both.scene.index)
    both.city.write(size=both.scene.index + 1)
    assert ("history", "ledger-rolled-back") in codes(both.check())
    assert codes(both.check(proof=proof)) == set()


@pytest.mark.parametrize("name", ["tile/0/000.p/6", "tile/entries/000.p/6"])
@pytest.mark.parametrize("how", ["flip", "cut", "gone", "empty"])
@pytest.mark.parametrize("given", [False, True])
def test_a_damaged_tile(both: Both, name: str, how: str, given: bool) -> None:
    """A bit, a cut, a missing file of the tree or the entries."""
    path = both.city.path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"flip": bytes(data), "cut": bytes(data[:-7]), "empty": b""}[how])
    found = both.check(proof=both.city.proof(both.scene.index) if given else None)
    assert given or found["status"] == 1


def test_a_look_up_that_leads_elsewhere(both: Both) -> None:
    """Hints to other acts, to entries that are not there, and to nonsense are no evidence of anything."""
    digest = hashlib.sha256(BODY).hexdigest()
    path = both.city.path / "lookup" / "sha256" / digest[:3]
    for line in (f"{digest} 1\n", f"{digest} 5\n", f"{digest} 99999\n", f"{digest} x\n", f"{digest} 3\n{digest} 5\n{digest} 1\n"):
        path.write_text(line)
        both.check()
    shutil.rmtree(both.city.path / "lookup")
    assert both.check()["status"] == 3
    assert both.check(proof=both.city.proof(both.scene.index))["status"] == 0


@pytest.mark.parametrize("name", ["checkpoint", "roster.jsonl", "lookup/ref", "tile/0"])
@pytest.mark.parametrize("given", [False, True])
def test_a_missing_file(both: Both, name: str, given: bool) -> None:
    """What simply is not there."""
    path = both.city.path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    both.check(proof=both.city.proof(both.scene.index) if given else None)


# ---- what is newer than this version


@pytest.mark.parametrize("what", ["record", "key", "kind", "payload", "entry", "role", "relation"])
def test_a_newer_act(both: Both, what: str) -> None:
    """Leaf, chain and tree are checked; the rest is not checked (newer format), never false."""
    city = both.city
    data = city.record(documents={"x.pdf": b"newer"}).data
    data |= {
        "record": {"v": 2}, "key": {"seal": "x"}, "kind": {"kind": "treaty"}, "payload": {}, "entry": {},
        "role": {"documents": [{**data["documents"][0], "role": "hologram"}]},
        "relation": {"relations": [{"type": "supersedes", "ref": both.scene.record.ref}]},
    }[what]  # fmt: skip
    envelope = city.sign("application/vnd.bening.petition+json" if what == "payload" else RECORD_TYPE, data, [city.clerk])
    index = both.scene.slip(envelope, city.roster)
    if what == "entry":
        value = canonical.parse(city.entries[-1], limit=50_000)
        city.entries[-1] = canonical.dump({**value, "v": 2})
    else:
        city.write()
    found = both.check("x.pdf", b"newer", proof=city.proof(index))
    assert (found["status"], codes(found)) == (3, set())


@pytest.mark.parametrize("what", ["v", "event", "key"])
def test_a_newer_roster(both: Both, what: str) -> None:
    """A later version's event may hold a revocation that cannot be read here: not checked."""
    city = both.city
    payload = {"v": 1, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding}
    event = {"event": "holiday", "on": "2026-01-01"} if what == "event" else {"event": "office", "id": "z", "name": "Z"}
    payload["events"] = [{**event, "seal": "x"} if what == "key" else event]
    if what == "v":
        payload["v"] = 2
    newer = city.sign(ROSTER_TYPE, payload, city.authority)
    index = both.scene.slip(newer, city.roster)
    city.write()
    with (city.path / "roster.jsonl").open("ab") as file:
        file.write(dump_envelope(newer) + b"\n")
    for proof in (None, city.proof(both.scene.index)):
        found = both.check(proof=proof)
        assert (found["status"], codes(found)) == (3, set())
    both.check("r.tlog-proof", city.proof(index))


# ---- bundles


def test_bundles(both: Both) -> None:
    """An honest bundle, and one whose document, roster, policy, README or manifest is another."""
    from tests.adversary.attack import rebag

    honest = both.scene.bundle(both.scene.index, both.scene.index + 1)
    assert both.check("b.zip", honest.read_bytes())["status"] == 0

    def other(files: dict[str, bytes], name: str, data: bytes) -> None:
        files[next(one for one in files if name in one)] = data

    lies: list[Callable[[dict[str, bytes]], object]] = [
        lambda files: other(files, "documents/", FORGED),
        lambda files: other(files, "roster.jsonl", b""),
        lambda files: other(files, "README", b"run rm -r"),
        lambda files: other(files, "record.json", b"{}"),
        lambda files: other(files, "policy-ed25519", b"quorum none\n"),
        lambda files: other(files, "proof.tlog-proof", b"c2sp.org/tlog-proof@v1\n"),
        lambda files: files.pop(next(one for one in files if "entry.json" in one)),
        lambda files: files.pop(next(one for one in files if "key-" in one)),
        lambda files: files.update({f"data/acts/{both.scene.index}/x.exe": b"MZ"}),
        lambda files: other(files, f"{both.scene.index}/proof.tlog-proof", both.city.proof(both.scene.index, both.scene.index + 2)),
        lambda files: other(files, f"{both.scene.index}/proof.tlog-proof", both.city.proof(both.scene.index + 1)),
        lambda files: other(files, "data/checkpoint", both.city.checkpoint(both.scene.index + 2)),
    ]
    for change in lies:
        assert both.check("b.zip", rebag(honest, change).read_bytes())["status"] != 0
    data = bytearray(honest.read_bytes())
    for at in range(0, len(data), len(data) // 40):
        data[at] ^= 1
        both.check("b.zip", bytes(data))
        data[at] ^= 1
    assert both.check("b.zip", honest.read_bytes() + b"x")["status"] != 0
    assert both.check("b.pdf", FORGED + honest.read_bytes())["status"] != 0
