"""Commands with ``-L URL``: each does over HTTP what it does on a folder, and a site that lies is not believed."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.publisher.home import Home
from ledger.records.refs import parse_ref
from tests.commands.bening import SECRET, Bening
from tests.remote.site import CUT, Answer, Request, Site

SAID = ("--number", "188/1 Tahun 2026", "--title", "Penetapan Tim", "--signed-on", "2 Januari 2026", "--signatory", "Wali Kota")
ACTS = "/api/v1/acts"


@pytest.fixture
def site(bening: Bening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A ledger with an enrolled head, its site, settings that name the site, and the ledger pinned."""
    ready = tmp_path_factory.getbasetemp() / "remote-city"
    if ready.exists():
        shutil.copytree(ready, ".", dirs_exist_ok=True)
    else:
        bening.found()
        bening.enrol_head()
        shutil.copytree(".", ready)
    site = Site(Home.open(Path("city")), lambda _: SECRET.encode())
    bening("setup", "-L", site.url, "--name", "kota", "--key", "head.pem", "--form", "sk")
    bening("trust", "add", "kota")
    Path("sk.pdf").write_bytes(b"%PDF-1.7 sk")
    yield site
    site.close()


def size_of(bening: Bening) -> int:
    return int(bening.json("status", "-L", "city")["size"])


def test_publishing_is_one_command(bening: Bening, site: Site) -> None:
    """The same answer as on a folder; the proof verifies here, and the folder is sound."""
    found = bening.json("publish", "sk.pdf", *SAID, "--yes")
    assert (found["index"], found["already"], found["proof"]) == (4, False, "sk.pdf.tlog-proof")
    bening("verify", "sk.pdf")
    bening("fsck", "-L", "city")
    again = bening.json("publish", "sk.pdf", *SAID, "--ref", found["ref"], "--yes")
    assert (again["index"], again["id"], again["already"]) == (4, found["id"], True)


def test_the_look_before_publishing_knows_what_is_there(bening: Bening, site: Site) -> None:
    """Earlier numbers and documents are warned of, and what admission would refuse is refused before anything is sent."""
    bening("publish", "sk.pdf", *SAID, "--yes")
    posts = site.count("POST", ACTS)
    error = bening.json("publish", "sk.pdf", *SAID, "--yes", status=4)
    assert [one["code"] for one in error["reasons"]] == ["number-used"]
    assert site.count("POST", ACTS) == posts
    found = bening.json("publish", "sk.pdf", *SAID, "--signed-on", "2025-01-02", "--yes")
    assert {"document-before", "number-before"} <= {one["code"] for one in found["warnings"]}


@pytest.mark.parametrize("lang", ["id", "en"])
def test_a_refusal_has_all_its_reasons(bening: Bening, site: Site, lang: str) -> None:
    """Here and there the same sentences in both languages, exit 4."""
    words = ("--lang", lang, "publish", "sk.pdf", *SAID, "--yes", "--office", "nowhere")
    there, here = bening(*words, status=4), bening(*words, "-L", "city", status=4)
    assert there == here
    bening("--lang", lang, "draft", "sk.pdf", *SAID, "-o", "act.json")
    bening("sign", "act.json", "--yes")
    reasons = [{"code": "number-used", "path": "number", "sentence": "Kata situs itu."}, {"code": "x y", "path": "", "sentence": "Dua."}]
    act_id = bening.json("sign", "act.json", "--yes")["id"]
    told = [{"id": act_id, "state": "refused", "reasons": reasons}]
    site.once(Answer.json(422, {"error": "admission", "sentence": "S", "acts": told}))
    said = bening("--lang", lang, "submit", "act.json", "sk.pdf", status=4)
    assert "  - Kata situs itu.\n  - Dua." in said


def test_signers_apart(bening: Bening, site: Site) -> None:
    """Draft, sign and submit; the record is described by the roster that was seen, without asking anybody."""
    drafted = bening.json("draft", "sk.pdf", *SAID, "-o", "act.json")
    site.asked.clear()
    assert "Bagian Hukum" in bening("sign", "act.json", status=2)
    bening("sign", "act.json", "--yes")
    assert site.asked == []
    assert [one["code"] for one in bening.json("submit", "act.json", status=4)["reasons"]] == ["document-missing"]
    found = bening.json("submit", "act.json", "sk.pdf")
    assert (found["id"], found["index"]) == (drafted["id"], 4)
    assert bening.json("submit", "act.json", "sk.pdf")["already"] is True


def test_the_roster_is_changed_from_elsewhere(bening: Bening, site: Site) -> None:
    """Events are drafted on the roster there, judged, and submitted; ``list`` shows the same as the folder's."""
    bening("roster", "office", "pu", "--name", "Dinas PU", "--key", "a0.pem")
    bening("key", "new", "b.pem")
    bening("roster", "enrol", "--pub", "b.pem.pub", "--position", "Kepala PU", "--office", "pu", "--kinds", "decision",
           "--from", "2020-01-01", "--key", "a0.pem", "--key", "b.pem")  # fmt: skip
    bening("roster", "retire", "b.pem.pub", "--key", "a0.pem")
    assert bening.json("roster", "list") == bening.json("roster", "list", "-L", "city")
    assert bening("roster", "list") == bening("roster", "list", "-L", "city")
    bening("roster", "office", "pu", "--name", "Dinas", "--key", "head.pem", status=2)
    bening("roster", "retire", "b.pem.pub", "--key", "a0.pem", status=4)
    bening("roster", "office", "tani", "--name", "Tani", "-o", "event.json")
    bening("sign", "event.json", "--key", "head.pem", "--yes", status=2)
    bening("sign", "event.json", "--key", "a0.pem", "--yes")
    assert bening.json("submit", "event.json")["index"] == 7
    act = bening.json("publish", "sk.pdf", *SAID, "--yes")
    bening("roster", "revoke", "head.pem.pub", "--suspect-from", 8, "--key", "a0.pem")
    assert bening.json("roster", "reaffirm", "19JVNJXPQJS", "--key", "a0.pem", status=2)["error"] == "no-such-act"
    bening("roster", "reaffirm", act["ref"], "--key", "a0.pem")
    assert act["id"] in bening.json("roster", "list")["reaffirmed"]
    bening("fsck", "-L", "city")


def test_labels_lead_to_the_site(bening: Bening, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """References that are not used there; the QR code has the public address, never this machine's own."""
    drawn: list[str | None] = []
    monkeypatch.setattr("ledger.desk.labels.label_text", lambda ref, url: drawn.append(url) or ref)
    found = bening.json("number", "sk", "--count", 120, "--svg", "--out", "labels")["labels"]
    assert len({parse_ref(one["ref"]) for one in found}) == 120
    assert set(drawn) == {None}
    assert site.count("GET", "/api/v1/find") <= 3
    told = Answer.json(200, {"url": "https://ledger.kota.example"})
    site.once(told, "GET", "/api/v1/ledger")
    bening("number", "sk", "--svg", "--out", "labels")
    assert drawn[-1] == "https://ledger.kota.example"
    assert bening.json("number", "nothing", status=2)["error"] == "no-such-form"


def test_what_can_be_known_publicly(bening: Bening, site: Site) -> None:
    """Size, root and last entry from the signed checkpoint; the folder agrees."""
    there, here = bening.json("status"), bening.json("status", "-L", "city")
    for key in ("name", "origin", "founding", "size", "last_entry", "quiet_days", "root"):
        assert there[key] == here[key]
    assert there["pinned"] is True
    said = bening("--lang", "id", "status")
    assert "disematkan" in said
    assert "…" not in said


def test_what_became_of_a_submission(bening: Bening, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published only if that entry is the act; unknown, refused and waiting have their exit statuses."""
    found = bening.json("publish", "sk.pdf", *SAID, "--yes")
    assert bening.json("status", "--act", found["id"])["index"] == 4
    assert bening.json("status", "--act", "0" * 64, status=3)["state"] == "unknown"
    bening("status", "--act", "../../etc", status=2)
    other = "1" * 64
    site.once(Answer.json(200, {"id": other, "state": "published", "index": 4}), "GET", f"{ACTS}/{other}")
    assert bening.json("status", "--act", other, status=1)["error"] == "site-unproven"
    site.once(Answer.json(200, {"id": other, "state": "waiting"}), "GET", f"{ACTS}/{other}")
    assert bening.json("status", "--act", other, status=3)["state"] == "pending"
    monkeypatch.setattr("time.sleep", lambda _: None)
    site.once(Answer.json(200, {"id": other, "state": "published", "index": 99}), "GET", f"{ACTS}/{other}")
    assert bening.json("status", "--act", other, status=3)["state"] == "pending"
    reasons = [{"code": "number-used", "path": "", "sentence": "Sudah dipakai."}]
    site.once(Answer.json(200, {"id": other, "state": "refused", "reasons": reasons}), "GET", f"{ACTS}/{other}")
    assert bening.json("status", "--act", other, status=4)["reasons"] == ["Sudah dipakai."]


# -- trust


def test_what_is_not_pinned_is_said(bening: Bening, site: Site) -> None:
    """It works, and says every time whose word it is; a pinned one says nothing."""
    assert "not pinned" not in bening("status")
    shutil.rmtree("settings/bening/trust")
    said = bening("publish", "sk.pdf", *SAID, "--yes")
    assert "not pinned" in said
    assert Home.open(Path("city")).founding in said
    assert "belum disematkan" in bening("--lang", "id", "roster", "list")


def test_another_founding_at_the_pinned_address_is_refused(bening: Bening, site: Site, tmp_path_factory: pytest.TempPathFactory,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A re-founded ledger of the same name is another ledger: nothing is sent to it."""
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    bening.found()
    site.home = Home.open(Path("city").absolute())
    monkeypatch.chdir(bening.folder)
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", status=1)["error"] == "other-founding"
    assert site.count("POST", ACTS) == 0


def test_a_roster_with_an_event_taken_out_is_refused(bening: Bening, site: Site) -> None:
    """It was seen when the ledger was pinned."""
    lines = Path("city/public/roster.jsonl").read_bytes().splitlines(keepends=True)
    site.once(Answer(200, b"".join(lines[:-1])), "GET", "/roster.jsonl", 99)
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", status=1)["error"] == "roster-differs"


def test_a_ledger_that_went_back_is_refused_and_kept(bening: Bening, site: Site) -> None:
    """An older copy that does not lead to what was seen; one that is merely late is no alarm."""
    shutil.copytree("city", "old")
    bening("publish", "sk.pdf", *SAID, "--yes")
    bening("status")
    late = Path("old/public/checkpoint").read_bytes()
    site.once(Answer(200, late), "GET", "/checkpoint", 99)
    assert bening.json("status")["size"] == 4
    site.lies.clear()
    site.home = Home.open(Path("old").absolute())
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", status=1)["error"] == "ledger-rolled-back"
    evidence = [path.read_bytes() for path in Path("settings/bening/trust").glob("*/evidence/*")]
    assert late in evidence
    assert len(evidence) == 2


def test_a_promise_of_another_history_is_none(bening: Bening, site: Site) -> None:
    """The log itself shows two histories: the promise is signed, and is not believed; both checkpoints are kept."""
    shutil.copytree("city", "fork")
    other = Site(Home.open(Path("fork").absolute()), lambda _: SECRET.encode())
    bening("publish", "sk.pdf", *SAID, "--yes", "-L", "city")
    bening("status")  # seen: five entries
    Path("two.pdf").write_bytes(b"%PDF-1.7 two")
    said = ("--number", "2", *SAID[2:])

    def forked(request: Request) -> Answer | None:
        return other.truth(request) if request.method == "POST" else None

    site.lies.append(forked)
    error = bening.json("publish", "two.pdf", *said, "--yes", status=1)
    assert error["error"] in ("ledger-forked", "tile-differs")
    assert not Path("two.pdf.tlog-proof").exists()
    assert list(Path("settings/bening/trust").glob("*/evidence/*"))
    other.close()


@pytest.mark.parametrize("lang", ["id", "en"])
def test_a_lie_is_told_and_writes_no_proof(bening: Bening, site: Site, lang: str) -> None:
    """Exit 1, in words; nobody is told that the act is published."""
    def lie(request: Request) -> Answer | None:
        if request.method != "POST":
            return None
        value = site.truth(request).value
        value["acts"][0]["index"] += 1
        return Answer.json(201, value)

    site.lies.append(lie)
    said = bening("--lang", lang, "publish", "sk.pdf", *SAID, "--yes", status=1)
    assert {"id": "JANGAN anggap terbit", "en": "Do NOT take it as published"}[lang] in said
    assert not Path("sk.pdf.tlog-proof").exists()


def test_a_new_log_key_is_followed_when_the_authority_signed_it(bening: Bening, site: Site) -> None:
    """The pinned policy names the old keys; the roster, replayed from the pinned founding, names the new ones."""
    bening("roster", "log-key", "log2.pem", "--from-size", 5, "--overlap-until-size", 5, "-L", "city", "--key", "a0.pem")
    site.home = Home.open(Path("city"))
    assert bening.json("publish", "sk.pdf", *SAID, "--yes")["index"] == 5
    assert bening.json("roster", "log-key", "log3.pem", "--from-size", 9, "--overlap-until-size", 9, "--key", "a0.pem",
                       status=2)["error"] == "needs-home"  # fmt: skip


# -- trouble


def test_nobody_answers(bening: Bening, site: Site) -> None:
    """Exit 3 and the address; a redirect is refused, a copy without a service named as one."""
    site.once(Answer(302, b"", {"Location": "https://evil.example/"}), "GET", "/checkpoint")
    error = bening.json("publish", "sk.pdf", *SAID, "--yes", status=3)
    assert (error["error"], "evil.example" in error["sentence"]) == ("site-redirects", True)
    site.lies.append(lambda request: Answer(404, b"<p>") if "/api/" in request.path else None)
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", status=3)["error"] == "no-api"
    assert bening.json("status")["size"] == 4
    site.lies[:] = [lambda request: Answer(405, b"<p>") if request.method == "POST" else None]
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", status=3)["error"] == "no-api"
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", "-L", "http://127.0.0.1:9", status=3)["error"] == "site-unreachable"
    assert bening.json("publish", "sk.pdf", *SAID, "--yes", "-L", "http://ledger.example", status=2)["error"] == "plain-http"


def test_a_busy_site(bening: Bening, site: Site) -> None:
    """Asked again as it says; when it wants more than anybody waits for, exit 4 and its sentence."""
    site.once(Answer.json(503, {"error": "busy", "sentence": "Penuh."}, Retry_After="0"))
    assert bening.json("publish", "sk.pdf", *SAID, "--yes")["index"] == 4
    site.once(Answer.json(429, {"error": "too-many-requests", "sentence": "Penuh."}, Retry_After="7200"), "GET", "/checkpoint")
    error = bening.json("status", status=4)
    assert (error["error"], "Penuh." in error["sentence"], "7200" in error["sentence"]) == ("site-busy", True, True)


def test_an_unanswered_act_is_not_doubled(bening: Bening, site: Site) -> None:
    """Cut after it was taken: sent again by the same command, and told as new."""
    def cut(request: Request) -> Answer | None:
        if request.method == "POST" and site.count("POST", ACTS) == 1:
            site.truth(request)
            return CUT
        return None

    site.lies.append(cut)
    found = bening.json("publish", "sk.pdf", *SAID, "--yes")
    assert (found["index"], found["already"], size_of(bening)) == (4, False, 5)


def test_what_needs_the_machine_says_so(bening: Bening, site: Site) -> None:
    """Keys, databases and the clock are there."""
    for words in (("sequence", "--once"), ("fsck",), ("rebuild",), ("backup", "b"), ("recover", "--accept-loss")):
        assert bening("--lang", "id", *words, status=2).count("mesin buku itu sendiri") == 1


def test_withheld_documents_never_leave(bening: Bening, site: Site) -> None:
    """Only their commitment is sent; their salt is kept before anything is."""
    Path("nama.pdf").write_bytes(b"%PDF-1.7 nama rahasia")
    bening("publish", "sk.pdf", *SAID, "--yes", "--withhold", "nama.pdf;reason=memuat nama;law=UU 27/2022")
    sent = [data for request in site.asked for _, data in request.parts]
    assert not any(b"nama rahasia" in data for data in sent)
    assert not any(base64.b64encode(b"nama rahasia")[:8] in data for data in sent)
    assert len(list(Path().glob("nama.pdf.*.salt"))) == 1


def test_no_file_name_of_this_machine_is_sent(bening: Bening, site: Site) -> None:
    """Beyond the name that the record itself states, no path, host or user."""
    Path("folder rahasia").mkdir()
    shutil.copy("sk.pdf", "folder rahasia/sk.pdf")
    bening("publish", "folder rahasia/sk.pdf", *SAID, "--yes")
    sent: list[Any] = [part for request in site.asked for part in (request.headers, *request.parts)]
    assert "rahasia" not in repr(sent)
