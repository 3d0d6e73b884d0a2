"""The page of an act: what became of it comes first, then what it is, and what was (not) checked; decisions of the authority."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from ledger.publisher.store import Store
from ledger.records.entry import parse_entry, parse_time
from ledger.records.refs import format_ref
from ledger.tlog.cosignature import cosign_ed25519
from ledger.tlog.merkle import leaf_hash, prove_inclusion, root_hash
from ledger.tlog.note import Note, format_note, format_vkey, parse_note
from ledger.words import say
from tests.city import signing_key, witness_vkey
from tests.publisher.town import Town
from tests.web.archive import URL, archive
from tests.web.markup import Markup, show
from web.app import create_app
from web.pages.proofs import steps_of

LANGUAGES = ("id", "en")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    """Asks the site of the archive."""
    return create_app(archive().home).test_client()


def act(client: FlaskClient, name: str, lang: str = "en") -> Markup:
    """Return the page of an act of the archive."""
    return show(client, f"/records/{archive().at[name]}", lang)


def status(client: FlaskClient, name: str, lang: str = "en") -> str:
    """Return the words of the status at the head of an act's page."""
    return act(client, name, lang).by_id("status").text


# -- status


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "keys", "by"),
    [
        ("plain", ["status-none"], None),
        ("contract", ["status-amends", "status-completes", "status-as-recorded"], "addendum"),
        ("revoked", ["status-revokes", "status-as-recorded"], "revocation"),
        ("corrected", ["status-corrects", "status-as-recorded"], "correction"),
        ("annulled", ["status-annuls", "status-as-recorded"], "annulment"),
        ("amended-in-vain", ["status-none"], None),
        ("vain", ["status-annuls"], "vain-annulled"),
        ("disputed", ["status-disputed", "status-none"], None),
        ("reaffirmed", ["status-none", "reaffirmed"], None),
        ("revoked-by-suspect", ["status-revokes", "status-by-disputed"], "suspect-revocation"),
    ],
)
def test_the_status_sentence(client: FlaskClient, name: str, keys: list[str], by: str | None, lang: str) -> None:
    """What became of the act, by which act with a link, and up to when; nothing that was undone counts."""
    words = status(client, name, lang)
    for key in keys:
        assert say(f"page.{key}", lang) in words, (key, words)
    others = {f"status-{one}" for one in ("annuls", "corrects", "revokes", "amends", "completes", "disputed", "none")} - set(keys)
    for key in others:
        assert say(f"page.{key}", lang) not in words, (key, words)
    assert "WIB" in words
    if by:
        page = act(client, name, lang)
        assert f"/records/{archive().at[by]}" in [href for href, _ in page.links]


def test_the_gravest_change_comes_first(client: FlaskClient) -> None:
    """Where several changes count, the order is annulled, replaced, revoked, amended, completed."""
    words = status(client, "contract")
    assert words.index("AMENDED") < words.index("Completed") < words.index("As recorded here up to")


# -- the first screen


def test_the_order_of_the_first_screen(client: FlaskClient) -> None:
    """Status, form and number, title, office, money, supplier, dates, signers, document, comparing, checked; no tick above."""
    page = act(client, "contract")
    ref = format_ref(archive().refs["contract"])
    wanted = [
        "AMENDED", "Surat Perintah Kerja", "600/31/SPK/2026", "Perbaikan Trotoar Jalan Merdeka", "Dinas Pekerjaan Umum dan Penataan Ruang",
        "Value", "Rp187,500,000", "Supplier", "CV Karya Contoh", "On the paper", "2 February 2026", "effective 9 February 2026 (as stated)",
        "Recorded here", "days later", "Co-recorded", "by no witness yet", "Signed on paper by", "Pejabat Pembuat Komitmen", "(as recorded)",
        "published by", "PPK Dinas PU", "Open document", "Compare with your paper", "number, date, amount", ref, "Checked:", "Not checked:",
        "History",
    ]  # fmt: skip
    places = [-1]
    for word in wanted:
        places.append(page.main.find(word, places[-1] + 1))
        assert places[-1] > places[-2], word
    assert not re.search("[\u2713\u2714\u2705\u2611]", page.main)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("personnel", ["Action appointment", "Positions Kepala Puskesmas Contoh", "People 1", "Wali Kota (a.n., on behalf)"]),
        ("permit", ["Type of permit reklame", "Applicant withheld: perorangan", "expires 2 May 2027"]),
        ("order", ["Starts on 9 February 2026", "Duration 90 days"]),
        ("handover", ["Stage final (FHO)", "Progress 100%", "Completes 600/31/SPK/2026"]),
        ("agreement", ["Parties Kota Uji Universitas Contoh", "Sekretaris Daerah (Plt., acting), Pejabat Contoh, SK 1/2026"]),
        ("void", ["Serials 4–5", "Reason cancelled", "no number (penjelasan)", "This record holds no document."]),
        ("regulation", ["Subject keterbukaan informasi naskah dinas", "promulgation 6 January 2026"]),
        ("revocation", ["Revokes 188.4/2 Tahun 2026"]),
        ("addendum", ["Value: Rp187,500,000 becomes Rp196,000,000", "End: 9 May 2026 becomes 20 May 2026", "Amends 600/31/SPK/2026"]),
        ("unknown-supplier", ["Supplier not named: tidak tercantum"]),
        ("ahead", ["days BEFORE that date"]),
        ("disputed", ["The key of Kepala Dinas Pertanian is not trusted for entry"]),
    ],
)
def test_what_leads_each_kind_of_paper(client: FlaskClient, name: str, facts: list[str]) -> None:
    """Money and supplier, or subject and effect, in plain words."""
    page = act(client, name)
    head = page.main[: page.main.index("History")]
    for fact in facts:
        assert fact in head, (fact, head)


def test_facts_are_local_in_indonesian(client: FlaskClient) -> None:
    """Dates, rupiah and hours as Indonesian papers write them."""
    words = act(client, "contract", "id").main
    for fact in ("Rp187.500.000", "2 Februari 2026", "menurut unit kerja", "Rp188.750.000,50", "nomor badan: 01.234.567.8-503"):
        assert fact in words, fact
    assert re.search(r"Dicatat di sini \d+ \w+ 20\d\d, \d\d\.\d\d WIB, \d+ hari kemudian", words)


# -- history and documents


def test_history_tells_both_directions(client: FlaskClient) -> None:
    """What the act did, also outside the ledger, and what later acts did, with dates, links and reasons."""
    page = act(client, "contract")
    for words in (
        "Follows Award 600/30/SPPBJ/2026, Penunjukan Penyedia (2026); outside this ledger, not checked",
        "Followed by Surat Perintah Mulai Kerja 600/32/SPMK/2026",
        "Amended by Addendum Kontrak 600/31/SPK/ADD-1/2026",
        "Completed by Berita Acara Serah Terima 600/48/BAST/2026",
    ):
        assert words in page.main, words
    assert "https://lpse.example/30" in [href for href, _ in page.links]
    outside = page.all("a", href="https://lpse.example/30")[0]
    assert "noopener" in outside.attrs["rel"]
    assert say("page.because", "en", reason="judul kurang lengkap") in act(client, "correction").main
    assert say("page.history-none", "en") in act(client, "plain").main


def test_changes_that_were_undone_are_marked(client: FlaskClient) -> None:
    """An amendment that was annulled stays visible, and is said not to count."""
    words = act(client, "amended-in-vain").main
    assert "Amended by Keputusan Wali Kota 188.4/15 Tahun 2026" in words
    assert say("page.undone", "en") in words
    assert say("page.undone", "en") not in act(client, "contract").main


def test_documents_with_their_codes(client: FlaskClient) -> None:
    """Name, role, size, type and file code in groups; to see and to have; withheld and withdrawn ones with law and reason."""
    body = b"%PDF-1.4 contract"
    digest = hashlib.sha256(body).hexdigest()
    page = act(client, "contract")
    assert "sk.pdf (signed paper; application/pdf; 17\xa0B)".replace("\xa0", " ") in page.main
    assert " ".join(digest[at : at + 8] for at in range(0, 64, 8)) in page.main
    links = [href for href, _ in page.links]
    assert links.count(f"/view/{digest}") == 2
    assert f"/documents/{digest[:2]}/{digest}" in links
    withheld = act(client, "personnel").main
    assert say("page.withheld", "en", reason="memuat data pribadi", law="UU 27/2022") in withheld
    assert say("page.document-withheld", "en") in withheld
    gone = act(client, "withdrawn")
    assert say("page.withdrawn", "en", reason="memuat data pribadi", law="UU 27/2022") in gone.main
    assert say("page.document-gone", "en") in gone.main
    assert not [href for href, _ in gone.links if href.startswith(("/view/", "/documents/"))]


def test_other_facts_are_labelled(client: FlaskClient) -> None:
    """Every field that does not lead, and ``extra``, under plain labels; nothing twice, nothing left out."""
    page = act(client, "contract")
    for words in ("Procurement method Direct procurement (Pengadaan Langsung)", "Ceiling Rp190,000,000", "Owner's estimate (HPS) Rp188,750,000.50",
                  "Plan codes (RUP) 54321098", "Budget year 2026", "Priced bids 1", "lokasi rinci RT 03", "legal person's number: 01.234"):  # fmt: skip
        assert words in page.main, words
    assert page.main.count("Rp187,500,000") == 1
    assert "Number book keputusan, serial 1" in act(client, "plain").main


# -- persons


def test_pages_about_persons_stay_out_of_search_engines(client: FlaskClient) -> None:
    """Personnel and permits carry ``noindex``, in the page and in its header; others do not."""
    for name, quiet in (("personnel", True), ("permit", True), ("contract", False), ("plain", False)):
        response = client.get(f"/records/{archive().at[name]}")
        assert (response.headers.get("X-Robots-Tag") == "noindex") is quiet, name
        assert bool(act(client, name).all("meta", name="robots")) is quiet, name


# -- proof, citation, label, downloads


def test_the_proof_is_drawn_from_the_real_codes(client: FlaskClient) -> None:
    """From the leaf hash of the entry's bytes to the root of the signed checkpoint; each code of the way stands there."""
    it = archive()
    with Store(it.home, read_only=True) as store:
        leaf, root = leaf_hash(store.entry(it.at["contract"])).hex(), store.signed_head()
    assert root is not None
    page = act(client, "contract")
    texts = [one.text for one in page.all("text")]
    assert f"{leaf[:14]}…" in texts
    assert f"{root.root.hex()[:14]}…" in texts
    codes = {one.text.replace(" ", "") for one in page.all("code")}
    assert {leaf, root.root.hex()} <= codes
    assert say("page.proof-signed", "en") in page.main
    assert say("page.proof-broken", "en") not in page.main
    svg = page.all("svg")[0]
    assert svg.attrs["role"] == "img"
    assert page.by_id("proof-title").text
    assert str(it.at["contract"]) in page.by_id("proof-desc").text


def test_the_way_of_every_proof_arrives_at_the_root() -> None:
    """For all trees to 20 leaves and every index: the steps that are drawn end at the root (checked against the tree itself)."""
    leaves = [leaf_hash(bytes([n])) for n in range(20)]

    def hashes_of(nodes: Sequence[tuple[int, int]], /) -> list[bytes]:
        return [root_hash(leaves[at << level : (at + 1) << level]) for level, at in nodes]

    for size in range(1, 21):
        for index in range(size):
            hashes = tuple(prove_inclusion(index, size, hashes_of))
            steps, root = steps_of(index, size, leaves[index], hashes)
            assert root == root_hash(leaves[:size]).hex(), (index, size)
            assert len(steps) == len(hashes)


def test_a_proof_that_does_not_hold_is_said_aloud(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the way ends elsewhere than at the signed code, the page says so."""
    from web.pages import proofs

    real = proofs.leaf_hash
    monkeypatch.setattr(proofs, "leaf_hash", lambda data: real(data + b"x"))
    assert say("page.proof-broken", "en") in act(client, "contract").main


def test_citation_label_and_downloads(client: FlaskClient) -> None:
    """A text to copy with permalink, entry and state; a QR code with its sentence; document, proof, bundle, JSON, entry."""
    it = archive()
    index, ref = it.at["contract"], it.refs["contract"]
    page = act(client, "contract")
    cited = next(one.text for one in page.all("p", **{"class": "citation"}))
    for part in ("Kota Uji", "600/31/SPK/2026", "“Perbaikan Trotoar Jalan Merdeka”", format_ref(ref), f"{URL}/r/{ref}", f"Entry {index}", "State of 36 entries"):
        assert part in cited, part
    assert say("page.label-sentence", "en") in page.main
    image = next(one for one in page.all("img"))
    assert image.attrs["src"] == f"/records/{index}/label.svg"
    response = client.get(image.attrs["src"])
    assert response.mimetype == "image/svg+xml"
    assert format_ref(ref).encode() in response.data
    links = [href for href, _ in page.links]
    for path in ("/proof", "/bundle", "", "/entry"):
        assert f"/api/v1/records/{index}{path}" in links


# -- co-recording


def test_who_first_co_recorded_it_is_shown(tmp_path: Path) -> None:
    """With a witness in the policy, an act shows when a state that holds it was first co-recorded; home and /witnesses too."""
    town = Town(tmp_path)
    town.settle_in()
    town.published(b"%PDF one")
    client = create_app(town.home).test_client()
    assert say("page.co-not-yet", "en") in show(client, "/records/2").main
    assert say("page.witnesses-none", "en") in show(client, "/witnesses").main

    key, vkey, time = signing_key("witness kpk"), witness_vkey("kpk"), "2026-11-23T23:11:22Z"
    policy = town.home.public / "policy"
    policy.write_text(policy.read_text().replace("\nquorum ", f"\nwitness kpk {format_vkey(vkey)}\nquorum ", 1))
    assert say("page.co-not-this", "en") in show(client, "/witnesses").main
    assert say("page.co-not-yet", "en") in show(client, "/records/2").main, "the log's own key is no witness"
    with Store(town.home) as store:
        text = parse_note(store.checkpoint_note(3)).text
        line = cosign_ed25519(lambda data: bytes(key.sign(data).signature), bytes(key.verify_key), vkey.name, text, parse_time(time))
        signed = format_note(Note(text, (line,)))[len(text) + 1 :]
        store.connection.execute("INSERT INTO signatures VALUES (3, 'kpk', ?)", (signed,))
        store.connection.commit()
    page = show(client, "/records/2")
    assert "Co-recorded 24 November 2026, 06:11 WIB" in page.main
    assert say("page.not-checked-co", "en") not in page.main
    for path in ("/", "/witnesses"):
        assert "24 November 2026, 06:11 WIB" in show(client, path).main, path
        assert "kpk" in show(client, path).main, path


# -- decisions of the authority


def test_decisions_in_words(client: FlaskClient) -> None:
    """Each roster entry says what was decided, by which keys, and is proven like any other entry."""
    founding = show(client, "/records/0")
    assert say("page.event-founding", "en", name="Kota Uji", count=1, threshold=1) in founding.main
    assert say("page.decision-authority", "en") in founding.main
    first = show(client, "/records/1").main
    for part in ("Office Bagian Hukum (hukum), below Sekretariat Daerah.", "Kepala Bagian Hukum may sign for Bagian Hukum, Sekretariat Daerah",
                 "Term: 1 January 2020 until 31 December 2031", "declares the number book keputusan", "promises to publish Surat Perintah Kerja",
                 "Agreement: at least 1 different signers, from Kepala Bagian Hukum", "may amend and revoke papers of Dinas Pekerjaan Umum"):  # fmt: skip
        assert part in first, part
    with Store(archive().home, read_only=True) as store:
        places = [index for index, _ in store.roster_entries()]
        kept = parse_entry(store.entry(places[-1]))
    words = " ".join(show(client, f"/records/{index}").main for index in places)
    for part in ("was retired", "was REVOKED and is not trusted from entry", "Reason: kunci hilang", "reaffirms acts", "was withdrawn: memuat data pribadi"):
        assert part in words, part
    assert kept.envelope.payload_type.endswith("roster+json")
