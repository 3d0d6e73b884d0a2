"""Keys that change: of the log, of the authority, of officials. Before, during and after, old acts and old proofs verify."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.keyfile import load_log_keys, new_log_keys
from ledger.publisher.home import Home, add_log_key
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.cosignature import cosign_mldsa44, sign_note_ed25519
from ledger.tlog.note import Note, format_note
from ledger.tlog.policy import parse_policy
from ledger.verifier.audit import AuditReport, audit
from ledger.verifier.bundle import make_bundle
from ledger.verifier.case import Trusted
from ledger.verifier.choice import choose_source
from ledger.verifier.client import Source, open_source
from ledger.verifier.reader import open_ledger
from ledger.verifier.trust import add_pin, propose_source
from ledger.verifier.verdict import combined_status
from ledger.verifier.verify import verify_file
from tests.faults.oracle import Outside, check_everything
from tests.publisher.town import ORIGIN, Town, codes


@dataclass(frozen=True, slots=True)
class Paper:
    """A published document with its proof beside it, as a citizen keeps it, and its act's id and place."""

    path: Path
    id: str
    index: int


class Reader:
    """A stranger who pinned the ledger when its first keys signed."""

    def __init__(self, town: Town) -> None:
        self.town = town
        add_pin(town.folder / "trust", propose_source(self.source), name="kota")
        self.first_policy = parse_policy((town.home.public / "policy").read_bytes())

    @property
    def source(self) -> Source:
        """The published folder."""
        return open_source(str(self.town.home.public))

    def trusted(self) -> Trusted:
        """Return what is pinned now, after ``trust add`` where the log's keys have changed."""
        add_pin(self.town.folder / "trust", propose_source(self.source))
        return choose_source(self.town.folder / "trust", str(self.town.home.public))[0]

    def verify(self, path: Path, *, online: bool = True) -> int:
        """Return the exit status of ``bening verify`` for a paper or a bundle."""
        return combined_status(verify_file(path, trusted=self.trusted(), source=self.source if online else None))

    def audit(self, name: str, policy: bytes | None = None) -> AuditReport:
        """Audit into the memory ``name``, by the newest policy unless another is given."""
        found = parse_policy((self.town.home.public / "policy").read_bytes() if policy is None else policy)
        return audit(self.source, found, self.town.home.founding, state_dir=self.town.folder / name)

    def bundle(self, paper: Paper, name: str) -> Path:
        """Make the evidence bundle of a paper."""
        view = open_ledger(self.source, self.trusted().policy, self.town.home.founding)
        make_bundle(view, [paper.index], self.town.folder / name)
        return self.town.folder / name


@pytest.fixture
def reader(town: Town) -> Reader:
    return Reader(town)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path, authorities=2, threshold=2)
    made.settle_in()
    return made


def publish(town: Town, text: str, **changes: object) -> Paper:
    """Publish a document and keep it with its proof."""
    outcome = town.published(f"%PDF-1.4 {text}".encode(), number=f"{text}/2026", **changes)
    path = town.folder / f"{text}.pdf"
    path.write_bytes(f"%PDF-1.4 {text}".encode())
    path.with_name(path.name + ".tlog-proof").write_bytes(outcome.proof or b"")
    return Paper(path, outcome.id, outcome.index or 0)


def rotate_log(town: Town, name: str, *, start: int, end: int) -> None:
    """Announce new keys of the log, which sign from ``start`` on, together with the old ones until ``end``."""
    new_log_keys(town.folder / name, None, unencrypted=True)
    add_log_key(town.home, town.folder / name)
    town.home = Home.open(town.home.path)
    vkeys = list(load_log_keys(town.folder / name, None).vkeys(ORIGIN))
    outcome = town.roster({"event": "log_key", "vkeys": vkeys, "from_size": start, "overlap_until_size": end})[0]
    assert outcome.index is not None, outcome.reasons


def is_sound(town: Town, *states: str) -> None:
    """Require the oracle of a town at rest."""
    outside = Outside()
    outside.look(town.home.public)
    check_everything(town.home, outside, states=[town.folder / one for one in states])


def test_the_logs_keys_change_twice(town: Town, reader: Reader) -> None:
    """Papers, proofs and bundles of every time verify at every later time; audits go on from any earlier one."""
    papers, bundles = [], []

    def everything_holds(name: str) -> None:
        papers.append(publish(town, name))
        bundles.append(reader.bundle(papers[-1], f"{name}.zip"))
        assert [reader.verify(one.path) for one in papers] == [0] * len(papers)
        assert [reader.verify(one, online=False) for one in bundles] == [0] * len(bundles)
        assert reader.audit("all-along").exit_status() == 0
        assert reader.audit(f"from-{name}").exit_status() == 0

    everything_holds("before")
    first = (town.home.public / "policy").read_bytes()
    rotate_log(town, "log2.pem", start=6, end=8)
    everything_holds("announced")
    everything_holds("overlap")
    assert reader.audit("old-pin", first).exit_status() == 0
    everything_holds("after")
    everything_holds("later")
    rotate_log(town, "log3.pem", start=11, end=13)
    everything_holds("second-announced")
    everything_holds("second-overlap")
    everything_holds("second-after")
    is_sound(town, "all-along", "from-before", "from-overlap", "anew")


def test_a_pin_of_the_old_keys_is_never_told_that_the_ledger_is_false(town: Town, reader: Reader) -> None:
    """Who has not pinned again is told to; the new proof alone cannot be checked by old keys, and nothing gives 0."""
    first = (town.home.public / "policy").read_bytes()
    old = publish(town, "old")
    rotate_log(town, "log2.pem", start=4, end=5)
    new = publish(town, "new")
    publish(town, "newer")
    stale = Trusted(parse_policy(first), town.home.founding)
    assert combined_status(verify_file(old.path, trusted=stale)) == 3
    assert combined_status(verify_file(new.path, trusted=stale)) != 0
    with_source = verify_file(old.path, trusted=stale, source=reader.source)
    assert combined_status(with_source) in (0, 3), with_source
    report = reader.audit("stale", first)
    assert report.exit_status() in (0, 3), report


def forged_by(town: Town, key: str, size: int) -> bytes:
    """Return a checkpoint of another history, signed by both keys of the key file ``key``."""
    pair = load_log_keys(town.folder / key, None)
    checkpoint = Checkpoint(ORIGIN, size, bytes(32))
    text = format_checkpoint(checkpoint)
    first = sign_note_ed25519(pair.ed25519.sign, pair.ed25519.public.raw, ORIGIN, text)
    return format_note(Note(text, (first, cosign_mldsa44(pair.mldsa44, ORIGIN, checkpoint, 1_800_000_000))))


def test_a_thief_of_the_old_log_key_gets_nowhere(town: Town, reader: Reader) -> None:
    """After the rotation, another history signed by the old keys convinces nobody, and an old checkpoint is replaced."""
    publish(town, "one")
    first, old_note = ((town.home.public / name).read_bytes() for name in ("policy", "checkpoint"))
    rotate_log(town, "log2.pem", start=4, end=5)
    publish(town, "two")
    publish(town, "three")
    newest = (town.home.public / "policy").read_bytes()
    assert reader.audit("seen").exit_status() == 0
    for note in (forged_by(town, "log.pem", 6), old_note):
        (town.home.public / "checkpoint").write_bytes(note)
        assert reader.audit("seen", newest).exit_status() != 0
        assert reader.audit("new", newest).exit_status() != 0
    (town.home.public / "checkpoint").write_bytes(forged_by(town, "log.pem", 6))
    assert reader.audit("stale", first).exit_status() != 0
    (town.home.public / "checkpoint").write_bytes(old_note)
    publish(town, "four")
    is_sound(town, "seen", "anew")


def test_the_authority_changes(town: Town, reader: Reader) -> None:
    """What the old one has decided stands, it decides nothing more, and the new one can; audits go on."""
    before = publish(town, "before")
    assert reader.audit("all-along").exit_status() == 0
    heirs = [town.key("heir-1"), town.key("heir-2"), town.key("heir-3")]
    event = {"event": "authority", "keys": [one.public.spki_base64() for one in heirs], "threshold": 2}
    assert town.roster(event)[0].index is not None
    office = {"event": "office", "id": "baru", "name": "Baru"}
    assert codes(town.roster(office)[0]) >= {"signer-is-not-authority"}
    assert codes(town.roster(office, signers=heirs[:1])[0]) == {"too-few-authority-signatures"}
    assert town.roster(office, signers=heirs[1:])[0].index is not None
    after = publish(town, "after")
    assert [reader.verify(one.path) for one in (before, after)] == [0, 0]
    town.authority = heirs
    rotate_log(town, "log2.pem", start=9, end=10)
    last = publish(town, "last")
    assert [reader.verify(one.path) for one in (before, after, last)] == [0, 0, 0]
    is_sound(town, "all-along", "anew")


def test_an_officials_key_is_stolen(town: Town, reader: Reader) -> None:
    """Acts before the suspicion stand, later ones are disputed until each is reaffirmed; the successor's are untouched."""
    town.roster(town.enrolment("clerk"), town.enrolment("successor"))
    before, during = publish(town, "before", by=["clerk"]), publish(town, "during", by=["clerk"])
    other = publish(town, "other", by=["successor"])
    assert reader.audit("all-along").exit_status() == 0
    town.roster({"event": "revoke", "key": town.key("clerk").public.keyid, "suspect_from": during.index})
    assert codes(town.submit(town.act(b"%PDF-1.4 late", by=["clerk"], number="x"))[0]) >= {"key-revoked"}
    after = publish(town, "after", by=["successor"])
    assert [reader.verify(one.path) for one in (before, during, other, after)] == [0, 1, 0, 0]
    for state in ("all-along", "anew"):
        report = reader.audit(state)
        assert (report.exit_status(), len(report.disputed)) == (1, 1)
    bundle = reader.bundle(during, "disputed.zip")
    assert reader.verify(bundle, online=False) == 1
    town.roster({"event": "reaffirm", "acts": [during.id]})
    assert [reader.verify(one.path) for one in (before, during, other, after)] == [0, 0, 0, 0]
    assert reader.verify(reader.bundle(during, "again.zip"), online=False) == 0
    for path in town.home.staging.iterdir():  # of the act that was refused
        path.unlink()
    is_sound(town, "all-along", "anew")


def test_an_officials_key_is_retired(town: Town, reader: Reader) -> None:
    """What it signed stands without any doubt; it signs nothing more; the office goes on under another."""
    town.roster(town.enrolment("clerk"), town.enrolment("successor"))
    before = publish(town, "before", by=["clerk"])
    town.roster({"event": "retire", "key": town.key("clerk").public.keyid})
    assert codes(town.submit(town.act(b"%PDF-1.4 before", by=["clerk"], number="y"))[0]) >= {"key-retired"}
    after = publish(town, "after", by=["successor"])
    assert [reader.verify(one.path) for one in (before, after)] == [0, 0]
    is_sound(town, "anew")
