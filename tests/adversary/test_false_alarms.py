"""What is honest is never called false: lag, growth, rotation, withdrawal, a poor mirror, a damaged machine of our own."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger.verifier.pins
import ledger.verifier.trust
from ledger.errors import StoreError
from ledger.records.entry import format_time
from ledger.records.envelope import Envelope, add_signature, dump_envelope
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import check_inclusion, leaf_hash, root_hash
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import parse_proof
from ledger.verifier.audit import audit
from ledger.verifier.client import open_source
from ledger.verifier.reader import view_of
from ledger.verifier.trust import add_pin, check_growth, propose_source
from ledger.verifier.verify import verify_file
from tests.adversary.attack import BODY, Scene, trouble
from tests.city import City, signing_key


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# ---- what serves the ledger is poor, late or somebody's portal


def test_an_amendment_at_a_mirror_without_look_ups(scene: Scene) -> None:
    """Look-ups are hints: a mirror that lacks them leaves relations not checked."""
    _, index = scene.city.publish(documents={"a.pdf": b"amends"}, relations=[{"type": "amends", "ref": scene.record.ref}])
    scene.city.write()
    file, proof = scene.put("a.pdf", b"amends"), scene.city.proof(index)
    assert scene.online(file, proof).exit_status() == 0
    shutil.rmtree(scene.city.path / "lookup" / "ref")
    assert trouble(scene.online(file, proof)) == []


@pytest.mark.parametrize("data", [b"\n", b"<html>Selamat datang di WiFi gratis</html>\n", b"\0" * 187])
@pytest.mark.parametrize("name", ["checkpoint", "roster.jsonl"])
def test_a_portal_or_a_cut_copy_in_place_of_a_file(scene: Scene, name: str, data: bytes) -> None:
    """A file that carries no signature of the log is nobody's evidence: not checked."""
    (scene.city.path / name).write_bytes(data)
    assert trouble(scene.online(proof=scene.city.proof(scene.index))) == []


def test_a_mirror_that_lags(scene: Scene) -> None:
    """An older state that the newer one continues is a late mirror, if the proof and the pin themselves hold."""
    proof = scene.city.proof(scene.index)
    scene.city.write(size=5)
    assert trouble(scene.online(proof=proof)) == []


def test_partial_tiles_that_were_removed(scene: Scene, tmp_path: Path) -> None:
    """A proof made from an older checkpoint still finds its tiles after the partial ones have gone."""
    city = scene.city
    note = city.checkpoint()
    key = city.clerk
    while len(city.entries) < 260:
        scene.slip(city.sign("application/x", {"n": len(city.entries)}, [key]), city.roster)
    city.write()
    assert not (city.path / "tile/0/000.p").exists()
    view = view_of(open_source(str(city.path)), parse_policy(city.policy), city.founding, note)
    assert parse_proof(view.proof(scene.index)).extra == city.entries[scene.index]
    assert view.leaf(5) == leaf_hash(city.entries[5])


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 70_000])
def test_tiles_at_the_third_level(tmp_path: Path, size: int) -> None:
    """Around 256 x 256 entries and at 70,000, proofs and growth hold at every edge of a tile."""
    city = City(tmp_path / "kota")
    city.entries = [b"%d" % number for number in range(size)]
    for path, data in city._tiles(size).items():
        (city.path / path).parent.mkdir(parents=True, exist_ok=True)
        (city.path / path).write_bytes(data)
    view = view_of(open_source(str(city.path)), parse_policy(city.policy), city.founding, city.checkpoint(size))
    leaves = [leaf_hash(one) for one in city.entries]
    for index in {0, 255, 256, 65_279, 65_280, size - 2, size - 1}:
        proof = parse_proof(view.proof(index))
        check_inclusion(proof.hashes, index=index, size=size, leaf=leaves[index], root=view.checkpoint.root)
    for old in (1, 255, 256, 257, 65_280, 65_535, size):
        check_growth(Checkpoint(city.origin, old, root_hash(leaves[:old])), view)


def test_only_a_founding(tmp_path: Path) -> None:
    """A ledger of one entry is pinned, audited and verified like any other; no file is in it."""
    city = City(tmp_path / "kota")
    city.write(size=1)
    scene = object.__new__(Scene)
    scene.path, scene.city = tmp_path, city
    scene.renew()
    assert scene.audit().exit_status() == 0
    assert scene.online(scene.put("f.tlog-proof", city.proof(0, 1))).exit_status() == 0
    assert scene.online(scene.put("x.pdf", b"x")).exit_status() == 3


# ---- the ledger lives


class _Living:
    """A folder whose city publishes once more as soon as its checkpoint has been read."""

    def __init__(self, city: City) -> None:
        self.city, self.inner, self.grown = city, open_source(str(city.path)), False

    @property
    def location(self) -> str:
        return self.inner.location

    def stream(self, path: str, *, limit: int) -> Iterator[bytes]:
        """Yield the file."""
        yield self.fetch(path, limit=limit)

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Return the file, then grow."""
        found = self.inner.fetch(path, limit=limit)
        if path == "checkpoint" and not self.grown:
            self.grown = True
            self.city.publish()
            self.city.roster_event({"event": "office", "id": "baru", "name": "Baru", "parent": None})
            partial = {one: one.read_bytes() for one in self.city.path.rglob("*.p/*")}
            self.city.write()
            for one, data in partial.items():  # they go when their full tile is there, not before
                one.write_bytes(data)
        return found


def test_a_ledger_that_grows_while_it_is_audited(scene: Scene) -> None:
    """Everything may run ahead of the audited checkpoint."""
    size = len(scene.city.entries)
    report = audit(_Living(scene.city), scene.pin.policy, scene.pin.founding, state_dir=scene.path / "s")
    assert (report.exit_status(), report.size, len(scene.city.entries)) == (0, size, size + 2)


def test_a_document_withdrawn_while_the_audit_runs(scene: Scene) -> None:
    """A document that a later roster event has withdrawn (``roster.jsonl`` shows it) is not 'not served'."""
    size = len(scene.city.entries)
    event = {"event": "withdraw", "sha256": hashlib.sha256(BODY).hexdigest(), "law": "UU 27/2022", "reason": "data pribadi"}
    scene.city.roster_event(event)
    scene.city.write(size=size)
    (scene.city.path / "roster.jsonl").write_bytes(b"".join(dump_envelope(one) + b"\n" for one in scene.city.envelopes))
    assert trouble(scene.audit().verdict) == []


def test_a_policy_that_is_newer_than_the_audited_checkpoint(scene: Scene) -> None:
    """A rotation that happens while the audit runs shows in ``policy`` first."""
    size, old = len(scene.city.entries), scene.city.keys
    scene.city.rotate_log_keys("log2")
    newer = scene.city.policy
    scene.city.keys = old
    scene.city.write(size=size)
    (scene.city.path / "policy").write_bytes(newer)
    (scene.city.path / "roster.jsonl").write_bytes(b"".join(dump_envelope(one) + b"\n" for one in scene.city.envelopes))
    assert trouble(scene.audit().verdict) == []


def _rotate(scene: Scene) -> None:
    scene.city.rotate_log_keys("log2")
    scene.city.publish()
    scene.city.publish()
    scene.city.write()


def test_audit_after_the_log_has_changed_its_keys(scene: Scene) -> None:
    """A change of keys that the authority has signed is told as such: not checked, pin again."""
    _rotate(scene)
    assert scene.online().exit_status() == 3
    assert scene.audit().exit_status() == 3


@pytest.mark.parametrize("online", [True, False])
def test_a_proof_from_before_the_log_changed_its_keys(scene: Scene, online: bool) -> None:
    """Proofs that were handed out do not become false when the reader pins the new keys."""
    proof = scene.city.proof(scene.index)
    _rotate(scene)
    scene.renew()
    assert trouble(scene.online(proof=proof) if online else scene.offline(proof=proof)) == []


def test_a_proof_from_before_the_ledger_had_witnesses(scene: Scene) -> None:
    """A proof that is signed by the log but older than the policy's witnesses is not checked, not false."""
    proof = scene.city.proof(scene.index)
    scene.city.witnesses, scene.city.notes = {"kpk": signing_key("witness kpk")}, {}
    scene.city.write()
    scene.renew()
    assert trouble(scene.offline(proof=proof)) == []


def test_a_withheld_document_beside_its_proof(tmp_path: Path) -> None:
    """Whoever holds a withheld document and its act's proof learns that it cannot be checked without the salt."""
    city, body = City(tmp_path / "kota"), b"withheld annex"
    commitment = hashlib.sha256(b"\1" * 16 + hashlib.sha256(body).digest()).hexdigest()
    one = {"withheld": commitment, "media_type": "application/pdf", "role": "annex", "reason": "pribadi", "law": "UU 27/2022"}
    _, index = city.publish(documents={"sk.pdf": BODY}, withheld=[one])
    city.write()
    scene = object.__new__(Scene)
    scene.path, scene.city = tmp_path, city
    scene.renew()
    assert scene.offline(scene.put("annex.pdf", body), city.proof(index)).exit_status() == 3


def test_an_old_act_and_a_newer_roster_event(scene: Scene) -> None:
    """A later version's event may hold a revocation that cannot be read here: not checked, and no accusation."""
    city = scene.city
    payload = {"v": 2, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding, "events": []}
    newer = city.sign("application/vnd.bening.roster+json", payload, city.authority)
    scene.slip(newer, city.roster)
    city.write()
    with (city.path / "roster.jsonl").open("ab") as file:
        file.write(dump_envelope(newer) + b"\n")
    verdict = scene.online(proof=city.proof(scene.index))
    assert trouble(verdict) == []
    assert verdict.exit_status() == 3


def test_copies_of_the_roster_with_other_signatures(scene: Scene) -> None:
    """The chain is one by its payloads: a copy in which a signature was made again is the same chain."""
    city = scene.city
    other = Envelope(city.envelopes[1].payload_type, city.envelopes[1].payload, ())
    for keyid in reversed(city.authority):
        other = add_signature(other, keyid, lambda text, key=city.signing[keyid]: bytes(key.sign(text).signature))  # type: ignore[misc]
    lines = [*city.envelopes]
    lines[1] = other
    (city.path / "roster.jsonl").write_bytes(b"".join(dump_envelope(one) + b"\n" for one in lines))
    assert scene.online().exit_status() == 0


# ---- our own machine


@pytest.mark.parametrize("line", [1, 2])
def test_a_flipped_bit_in_the_pinned_checkpoint(scene: Scene, line: int) -> None:
    """Damage of our own state is told as damage: nobody is accused of a fork or a rollback."""
    path = scene.pin.folder / "checkpoint"
    lines = path.read_bytes().split(b"\n")
    lines[line] = (b"A" if lines[line][:1] != b"A" else b"B") + lines[line][1:] if line == 2 else b"9"
    path.write_bytes(b"\n".join(lines))
    try:
        assert trouble(scene.online()) == []
    except StoreError as error:
        assert error.code == "trust-damaged"


def test_a_settings_folder_that_cannot_be_written(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An honest, grown ledger is true though nothing of it can be remembered."""

    def refuse(path: Path, data: bytes) -> None:
        raise StoreError("read-only", code="cannot-write", path=str(path), problem="Read-only file system")

    scene.city.publish()
    scene.city.write()
    for module in (ledger.verifier.trust, ledger.verifier.pins):
        monkeypatch.setattr(module, "write_file", refuse)
    assert scene.online().exit_status() == 0


@pytest.mark.parametrize("name", [b"\xff\xfe.pdf", b"a\x1b[31m.pdf", "\u202ea.pdf".encode(), b" .pdf"])
def test_file_names_of_any_bytes(scene: Scene, name: bytes) -> None:
    """A file's name is no part of what is judged."""
    path = Path(os.fsdecode(os.fsencode(scene.path) + b"/" + name))
    path.write_bytes(BODY)
    assert scene.online(path).exit_status() == 0


def test_a_readers_clock_does_not_matter(scene: Scene) -> None:
    """An auditor whose clock is years behind or ahead comes to the same verdict."""
    for state, now in (("behind", 0), ("ahead", 2**33)):
        assert scene.audit(state, now=now).exit_status() == 0
    assert format_time(scene.city.now).startswith("2026")
    assert add_pin(scene.path / "trust", propose_source(open_source(str(scene.city.path)))).name == scene.pin.name
    assert verify_file(scene.file, trusted=scene.trusted)[0].exit_status() == 3
