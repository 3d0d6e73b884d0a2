"""The official's commands through the real entry point: one command a paper, signers apart, nothing published unseen."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from ledger.records.refs import parse_ref
from tests.commands.bening import Bening

SAID = ("--number", "188/1 Tahun 2026", "--title", "Penetapan Tim", "--signed-on", "2 Januari 2026", "--signatory", "Wali Kota")


@pytest.fixture
def city(bening: Bening, tmp_path_factory: pytest.TempPathFactory) -> Bening:
    """A ledger, an enrolled head of the legal office, settings, and a paper; founded once, then copied."""
    ready = tmp_path_factory.getbasetemp() / "desk-city"
    if ready.exists():
        shutil.copytree(ready, ".", dirs_exist_ok=True)
    else:
        bening.found()
        bening.enrol_head()
        shutil.copytree(".", ready)
    bening("setup", "-L", "city", "--key", "head.pem", "--form", "sk")
    Path("sk.pdf").write_bytes(b"%PDF-1.7 sk")
    return bening


def test_publishing_is_one_command(city: Bening) -> None:
    """Settings know key, form, office and ledger; the answer names index, ref, id and proof, and verify agrees."""
    found = city.json("publish", "sk.pdf", *SAID, "--yes")
    assert (found["index"], found["already"]) == (4, False)
    assert Path(found["proof"]) == Path("sk.pdf.tlog-proof")
    assert Path("sk.pdf.tlog-proof").read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")
    sha256 = hashlib.sha256(b"%PDF-1.7 sk").hexdigest()
    assert (Path("city/public/documents") / sha256[:2] / sha256).read_bytes() == b"%PDF-1.7 sk"
    city("trust", "add", "city/public")
    city("verify", "sk.pdf")


def test_without_a_terminal_everything_missing_is_named_at_once(city: Bening) -> None:
    """A script is never asked: it learns all that it forgot, and nothing is signed without --yes."""
    error = city.json("publish", "sk.pdf", "--yes", status=2)
    assert error["error"] == "missing-options"
    assert all(option in error["sentence"] for option in ("--number", "--title", "--signed-on", "--signatory"))
    assert "FOR EVER" in city("publish", "sk.pdf", *SAID, status=2)
    assert city.json("status")["size"] == 4


def test_a_person_is_asked_only_what_cannot_be_known(city: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Number, title, date and signatory, and the label's reference; then the preview, then yes or no."""
    asked: list[str] = []
    answers = iter(["188/1 Tahun 2026", "Penetapan Tim", "2026-01-02", "Wali Kota", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda text, **_: asked.append(text) or next(answers))
    agreed = iter([False, True])
    monkeypatch.setattr("click.confirm", lambda *_, **__: next(agreed))
    shown = city("publish", "sk.pdf", status=130)
    assert "FOR EVER" in shown
    assert len(asked) == 5
    assert city.json("status")["size"] == 4
    answers = iter(["188/1 Tahun 2026", "Penetapan Tim", "2026-01-02", "Wali Kota", ""])
    city("publish", "sk.pdf")
    assert city.json("status")["size"] == 5


def test_a_refusal_tells_every_reason_and_publishes_nothing(city: Bening) -> None:
    """Exit 4, each reason as a sentence."""
    error = city.json("publish", "sk.pdf", *SAID, "--yes", "--office", "nowhere", "--field", "nonsense=1", status=4)
    assert {one["code"] for one in error["reasons"]} == {"unknown-key"}
    error = city.json("publish", "sk.pdf", *SAID, "--yes", "--office", "nowhere", status=4)
    assert {one["code"] for one in error["reasons"]} == {"unknown-office", "key-not-for-this"}
    assert city.json("status")["size"] == 4


def test_the_same_act_again_is_the_same_entry(city: Bening) -> None:
    """With its reference given, repeating the command answers with what was published."""
    ref = city.json("number", "sk")["labels"][0]["ref"]
    first = city.json("publish", "sk.pdf", *SAID, "--yes", "--ref", ref)
    again = city.json("publish", "sk.pdf", *SAID, "--yes", "--ref", ref)
    assert (again["index"], again["id"], again["already"]) == (first["index"], first["id"], True)
    error = city.json("publish", "sk.pdf", *SAID, "--yes", status=4)
    assert [one["code"] for one in error["reasons"]] == ["number-used"]


def test_warnings_are_told_and_stop_nobody(city: Bening) -> None:
    """They stand in the JSON answer and on standard error."""
    Path("sk.pdf").write_bytes(b"%PDF-1.7 /ByteRange")
    found = city.json("publish", "sk.pdf", *SAID, "--yes", "--signed-on", "2020-01-02")
    assert {"certified", "date-old"} <= {one["code"] for one in found["warnings"]}


def test_signers_apart(city: Bening) -> None:
    """Draft, sign on two machines, submit; too early or with a wrong document it is refused."""
    city("key", "new", "second.pem")
    city("roster", "enrol", "--pub", "second.pem.pub", "--position", "Sekretaris", "--office", "hukum", "--kinds", "decision",
         "--from", "2020-01-01", "--key", "a0.pem", "--key", "second.pem")  # fmt: skip
    city("roster", "rule", "--kind", "decision", "--signatures", 2, "--key", "a0.pem")
    Path("other.pdf").write_bytes(b"%PDF-1.7 other")
    drafted = city.json("draft", "sk.pdf", *SAID, "--signer", "head.pem.pub", "--signer", "second.pem.pub", "-o", "act.json")
    assert city.json("submit", "act.json", "sk.pdf", status=2)["error"] == "not-signed-yet"
    assert city.json("sign", "act.json", "--key", "a0.pem", "--yes", status=2)["error"] == "not-a-signer"
    assert city.json("sign", "act.json", "--yes")["waiting"] != []
    assert city.json("sign", "act.json", "--key", "second.pem", "--yes")["waiting"] == []
    assert city.json("submit", "act.json", "other.pdf", status=2)["error"] == "extra-document"
    assert [one["code"] for one in city.json("submit", "act.json", status=4)["reasons"]] == ["document-missing"]
    found = city.json("submit", "act.json", "sk.pdf")
    assert (found["id"], found["ref"]) == (drafted["id"], drafted["ref"])
    assert Path("sk.pdf.tlog-proof").exists()


def test_roster_events_are_signed_and_submitted_too(bening: Bening) -> None:
    """An authority of two: one writes the event, the other signs, anybody submits."""
    bening.found(authorities=2, threshold=2)
    bening("roster", "office", "hukum", "--name", "Bagian Hukum", "-L", "city", "--key", "a0.pem", "-o", "event.json")
    assert "Bagian Hukum" in bening("sign", "event.json", "--key", "a1.pem", "-L", "city", status=2)
    bening("key", "new", "stranger.pem")
    assert bening.json("sign", "event.json", "--key", "stranger.pem", "--yes", "-L", "city", status=2)["error"] == "not-a-signer"
    assert "1 of 2" in bening("sign", "event.json", "--key", "a0.pem", "--yes", "-L", "city")
    assert bening.json("submit", "event.json", "-L", "city", status=4)["reasons"][0]["code"] == "too-few-authority-signatures"
    bening("sign", "event.json", "--key", "a1.pem", "--yes")
    assert bening.json("submit", "event.json", "-L", "city")["index"] == 1
    assert bening.json("submit", "event.json", "-L", "city")["already"]


def test_a_stray_signature_does_not_spoil_an_event(bening: Bening) -> None:
    """Without a ledger nobody can tell the authority's keys: then only --yes goes on, with a warning; a new key is known."""
    bening.found(authorities=2, threshold=2)
    bening("roster", "office", "hukum", "--name", "Bagian Hukum", "-L", "city", "--key", "a0.pem", "--key", "a1.pem")
    for key in ("stranger.pem", "head2.pem"):
        bening("key", "new", key)
    enrol = ("roster", "enrol", "--pub", "head2.pem.pub", "--position", "Kepala", "--office", "hukum", "--kinds", "decision",
             "--from", "2020-01-01", "-L", "city", "-o", "event.json")  # fmt: skip
    said = bening(*enrol, "--key", "a0.pem")
    head = next(part for part in bening("key", "show", "head2.pem.pub").split() if len(part) == 64)
    assert "1 of 2" in said
    assert f"The new key {head[:16]} still must sign" in said
    assert bening.json(*enrol, "--key", "stranger.pem", status=2)["error"] == "not-a-signer"
    assert bening.json("sign", "event.json", "--key", "stranger.pem", status=2)["error"] == "authority-unknown"
    before = Path("event.json").read_bytes()
    assert "NOTE" in bening("sign", "event.json", "--key", "stranger.pem", "--yes")
    Path("event.json").write_bytes(before)
    assert "NOTE" not in bening("sign", "event.json", "--key", "head2.pem", "--yes")
    bening("setup", "-L", "city", "--key", "a1.pem")
    assert bening.json("sign", "event.json", "--key", "stranger.pem", "--yes", status=2)["error"] == "not-a-signer"
    found = bening.json("sign", "event.json", "--yes")
    assert (found["waiting"], found["authority"]) == ([], {"count": 2, "threshold": 2})
    bening("submit", "event.json")


def test_copies_signed_in_parallel_are_joined(bening: Bening) -> None:
    """Each signer had a copy; --join brings them together without another signature."""
    bening.found(authorities=3, threshold=3)
    bening("roster", "office", "hukum", "--name", "Hukum", "-L", "city", "-o", "a.json")
    for name in ("b.json", "c.json"):
        shutil.copy("a.json", name)
    for n, name in enumerate(("a.json", "b.json", "c.json")):
        bening("sign", name, "--key", f"a{n}.pem", "--yes", "-L", "city")
    assert "3 of 3" in bening("sign", "a.json", "--join", "b.json", "--join", "c.json", "-L", "city")
    bening("roster", "office", "pu", "--name", "PU", "-L", "city", "-o", "other.json")
    assert bening.json("sign", "a.json", "--join", "other.json", "-L", "city", status=2)["error"] == "join-other-payload"
    assert bening.json("submit", "a.json", "-L", "city")["index"] == 1


def test_signing_without_a_key_shows_nothing(bening: Bening) -> None:
    """The usage error comes first."""
    bening.found()
    bening("roster", "office", "hukum", "--name", "Bagian Hukum", "-L", "city", "-o", "event.json")
    said = bening("sign", "event.json", status=2)
    assert "--key" in said
    assert "Bagian Hukum" not in said


def test_no_passphrase_is_asked_for_what_will_be_refused(city: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """submit judges against the newest state before it opens the log's key."""
    city("draft", "sk.pdf", *SAID, "-o", "act.json")
    city("sign", "act.json", "--yes")
    city("publish", "sk.pdf", *SAID, "--yes")
    monkeypatch.delenv("BENING_PASSPHRASE")
    assert [one["code"] for one in city.json("submit", "act.json", "sk.pdf", status=4)["reasons"]] == ["number-used"]


def test_a_person_is_asked_nothing_when_the_key_may_not(city: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Form, office and key are judged first; the answer names the key and what it may."""
    city("roster", "form", "izin", "--kind", "permit", "--name", "Izin", "--key", "a0.pem")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: pytest.fail("asked"))
    said = city("publish", "sk.pdf", "--form", "izin", status=4)
    assert "Kepala Bagian Hukum" in said
    assert "permit" in said
    assert "zzz" in city("publish", "sk.pdf", "--form", "zzz", status=4)


def test_the_reference_on_the_label_is_asked_for(city: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped one is asked for again; nothing is asked with --ref or --yes."""
    ref = city.json("number", "sk")["labels"][0]["ref"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter(["19JV-NJXP-QJT", f"{ref[:4]}-{ref[4:8]}-{ref[8:]}".lower()])
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    city("publish", "sk.pdf", *SAID)
    assert next(answers, None) is None
    assert city.json("publish", "sk.pdf", *SAID, "--ref", ref, "--yes")["ref"] == ref


def test_a_short_passphrase_is_refused_when_typed(bening: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under eight characters no key is made; a file or the environment is the script's own affair."""
    bening.json("key", "new", "script.pem")
    monkeypatch.delenv("BENING_PASSPHRASE")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "pendek7")
    assert "too short" in bening("key", "new", "typed.pem", status=4)
    assert not Path("typed.pem").exists()
    monkeypatch.setattr("click.prompt", lambda *_, **__: "panjang8")
    bening("key", "new", "typed.pem")


def log_key(bening: Bening, *more: object, size: int = 10, status: int = 0) -> str:
    return bening("roster", "log-key", "log2.pem", "--from-size", size, "--overlap-until-size", size + 2, "-L", "city", *more,
                  status=status)  # fmt: skip


def test_a_new_log_key_is_named_when_its_event_is_accepted(bening: Bening) -> None:
    """Refused: no key and no name are left behind. Drafted: the key stays, unnamed, and it is said what to do."""
    bening.found(authorities=2, threshold=2)
    settings = Path("city/bening.toml").read_text()
    log_key(bening, "--key", "a0.pem", "--key", "a1.pem", size=1, status=4)
    assert not [path for path in Path().iterdir() if path.name.startswith("log2")]
    assert "bening.toml" in log_key(bening, "--key", "a0.pem")
    assert Path("log2.pem").exists()
    assert Path("city/bening.toml").read_text() == settings
    key = Path("log2.pem").read_bytes()
    log_key(bening, "--key", "a0.pem", "--key", "a1.pem", size=1, status=4)
    assert Path("log2.pem").read_bytes() == key
    log_key(bening, "--key", "a0.pem", "--key", "a1.pem", size=2)
    assert "log2.pem" in Path("city/bening.toml").read_text()
    assert bening.json("fsck", "-L", "city")


def test_the_roster_says_a_position_once(city: Bening) -> None:
    """Where the holder is named by the position."""
    assert city("roster", "list").count("Kepala Bagian Hukum") == 1


@pytest.mark.parametrize(("flag", "start"), [("--svg", b"<svg"), ("--png", b"\x89PNG")])
def test_numbers_and_labels(city: Bening, flag: str, start: bytes) -> None:
    """References are drawn, and each gets its label file."""
    found = city.json("number", "sk", "--count", 3, flag, "--out", "labels")["labels"]
    assert len({parse_ref(one["ref"]) for one in found}) == 3
    assert all(Path(one["file"]).read_bytes().startswith(start) for one in found)
    assert city.json("number", "nothing", status=2)["error"] == "no-such-form"


def test_both_kinds_of_labels(city: Bening) -> None:
    """--svg --png writes both."""
    found = city.json("number", "sk", "--svg", "--png")["labels"][0]["files"]
    assert [Path(one).suffix for one in found] == [".svg", ".png"]
    assert all(Path(one).is_file() for one in found)


def test_a_label_in_the_file_name_becomes_the_reference(city: Bening) -> None:
    """A scan named by its label is published under it."""
    ref = city.json("number", "sk")["labels"][0]["ref"]
    path = Path(f"sk-{ref[:4]}-{ref[4:8]}-{ref[8:]}.pdf")
    path.write_bytes(b"%PDF-1.7 scan")
    assert city.json("publish", str(path), *SAID, "--yes")["ref"] == ref


def test_a_correction_keeps_what_it_does_not_say(city: Bening) -> None:
    """One flag for what was wrong, and the reason; no paper is needed."""
    first = city.json("publish", "sk.pdf", *SAID, "--yes")
    found = city.json("publish", "--corrects", first["ref"], "--title", "Penetapan Tim Taman", "--reason", "salah judul", "--yes")
    assert found["index"] == first["index"] + 1
    assert Path(found["proof"]).name == f"{found['ref']}.tlog-proof"


def test_setup_shows_and_keeps(bening: Bening) -> None:
    """What is not said stays; the key's path is kept absolute."""
    bening("setup", "-L", "https://ledger.example/kota", "--name", "kota", "--office", "hukum")
    found = bening.json("setup", "--form", "sk")
    assert found["person"] == {"office": "hukum", "form": "sk"}
    assert (found["default"], found["ledgers"]) == ("kota", {"kota": "https://ledger.example/kota"})
    assert bening.json("fsck", status=2)["error"] == "needs-home"
    assert bening.json("setup", "-L", "http://ledger.example/kota", status=2)["error"] == "plain-http"


def test_withheld_documents_keep_their_salt_here(city: Bening) -> None:
    """The record commits to them; their bytes are nowhere in the public folder."""
    Path("nama.pdf").write_bytes(b"%PDF-1.7 nama rahasia")
    said = city("publish", "sk.pdf", *SAID, "--yes", "--withhold", "nama.pdf;reason=memuat nama;law=UU 27/2022")
    salts = [path.name for path in Path().glob("nama.pdf.*.salt")]
    assert len(salts) == 1
    assert salts[0] in said
    city("publish", "sk.pdf", *SAID, "--yes", "--withhold", "nama.pdf;reason=memuat nama;law=UU 27/2022", status=4)
    assert len(list(Path().glob("nama.pdf.*.salt"))) == 1
    assert not any(b"nama rahasia" in path.read_bytes() for path in Path("city/public").rglob("*") if path.is_file())


def test_an_act_that_cannot_be_signed_is_not_half_published(city: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong passphrase ends before anything is handed over."""
    monkeypatch.setenv("BENING_PASSPHRASE", "salah")
    assert city.json("publish", "sk.pdf", *SAID, "--yes", status=4)["error"] == "key-passphrase"
    monkeypatch.setenv("BENING_PASSPHRASE", "frasa sandi uji")
    assert city.json("status")["size"] == 4
