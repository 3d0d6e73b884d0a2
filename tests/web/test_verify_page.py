"""``/verify`` in a real browser, as people meet it: an honest server, every way of lying, poor browsers, keyboard and phone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.records import canonical
from ledger.records.entry import Entry, dump_entry, parse_entry
from ledger.records.envelope import Envelope, dump_envelope
from ledger.records.record import RECORD_TYPE
from ledger.records.refs import format_ref
from ledger.words import say
from tests.adversary.attack import BODY, FORGED, Scene
from tests.city import City, signing_key
from tests.web.browser import ARGUMENTS, LocalSite, find_chromium, local_site, new_page
from tests.web.verifying import PinnedScene, compare_files, open_page, result_text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from ledger.publisher.home import Home

LANGUAGES = ("id", "en")
PORTAL = b"<!doctype html><html><title>WiFi gratis</title><h1>Selamat datang</h1></html>"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return PinnedScene(tmp_path)


@pytest.fixture(scope="module")
def served(plain_home: Home) -> Iterator[LocalSite]:
    """One server for the module; its published folder changes with each test."""
    with local_site(plain_home) as running:
        yield running


@pytest.fixture
def site(served: LocalSite, scene: Scene) -> Iterator[LocalSite]:
    """The site around the scene's city, honest and with nothing asked yet."""
    served.public = scene.city.path
    served.honest()
    served.asked.clear()
    yield served
    served.honest()


def plain(sentence: str) -> str:
    """What a person reads: the words, however the lines break."""
    return " ".join(sentence.split())


def said(key: str, lang: str) -> list[str]:
    """The parts of a sentence between its values."""
    return [part for part in re.split(r"\{\w+\}", plain(_raw(key, lang))) if len(part) > 8]


def _raw(key: str, lang: str) -> str:
    from ledger.words import sentences

    section, _, name = key.partition(".")
    return sentences(section, lang)[name]


def reads(text: str, key: str, lang: str) -> bool:
    """Whether the sentence stands in the text, with whatever values."""
    return all(part in plain(text) for part in said(key, lang))


def trusting(page: Page, site: LocalSite, scene: Scene, lang: str = "en") -> None:
    """Visit once and compare the founding with the printed one, as the page asks."""
    open_page(page, site, lang)
    compare_files(page, ("sk.pdf", BODY))
    confirm_founding(page, scene.city.founding, lang)


def confirm_founding(page: Page, founding: str, lang: str) -> None:
    """Type the printed founding, in groups as printers set it."""
    if page.get_attribute("#pin", "open") is None:
        page.click("#pin summary")
    page.fill("#pin-typed", " ".join(founding[at : at + 8].upper() for at in range(0, 64, 8)))
    page.press("#pin-typed", "Enter")
    page.wait_for_selector(f"#pin-told:text-is({say('compare.founding-same', lang)!r})")


# ---- an honest server


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_published_file_at_the_first_visit_and_later(page: Page, site: LocalSite, scene: Scene, lang: str) -> None:
    """First said to be a first visit; once the founding was compared, everything needed is checked; limits are said each time."""
    open_page(page, site, lang)
    text = compare_files(page, ("apa saja.pdf", BODY))
    assert plain(text).startswith(plain(say("verify.headline-identical", lang, city="Kota Contoh", date=_date(lang))))
    assert reads(text, "verify.headline-partly", lang)
    assert reads(text, "compare.first-use", lang)
    confirm_founding(page, scene.city.founding, lang)
    open_page(page, site, lang)
    text = compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "0"
    assert not reads(text, "verify.headline-partly", lang)
    for key in ("compare.pinned-since", "check.lawful", "check.certified-signature", "compare.post-quantum", "check.no-later-change",
                "check.no-witness-in-policy", "compare.no-change"):  # fmt: skip
        assert reads(text, key, lang), key
    for word in ("\u2713", "\u2714", "\u2705", "valid", "asli", "genuine"):
        assert word not in text.lower()
    assert not re.search(r"\b(?:compare|check|verify|fact|page|reason|error)\.[a-z]", text)
    assert "{" not in text


def _date(lang: str) -> str:
    return "5 Januari 2026" if lang == "id" else "5 January 2026"


def test_facts_come_in_the_order_of_an_acts_page(page: Page, site: LocalSite, scene: Scene) -> None:
    """Sentence, form and number and title and office, money and supplier, dates with the lag, signers, comparison, checks."""
    fields = {"value": "187500000", "currency": "IDR", "supplier": {"name": "CV Karya"}}
    record, index = scene.city.publish(
        documents={"k.pdf": b"k"}, kind="contract", form="spk", fields=fields, title="Trotoar", signed_on="2026-01-01"
    )
    scene.city.write()
    open_page(page, site)
    text = plain(compare_files(page, ("k.pdf", b"k")))
    order = ["identical to the file", "Surat Perintah Kerja", "Trotoar", "Sekretariat Daerah", "Rp187,500,000", "CV Karya", "1 January 2026",
             "4 days later", "Signed on paper by Wali Kota, Contoh (as recorded) · published by Bagian Hukum", "Open this act's page",
             format_ref(record.ref), "What was checked", "What was NOT checked"]  # fmt: skip
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert page.get_attribute("#result .actions a", "href") == f"/records/{index}?lang=en"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_revocation_is_told_first(page: Page, site: LocalSite, scene: Scene, lang: str) -> None:
    """What became of the act stands above its facts."""
    scene.city.publish(relations=[{"type": "revokes", "ref": scene.record.ref}])
    scene.city.write()
    open_page(page, site, lang)
    text = plain(compare_files(page, ("sk.pdf", BODY)))
    assert text.index("REVOKED" if lang == "en" else "DICABUT") < text.index("Keputusan Wali Kota")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_that_is_not_found(page: Page, site: LocalSite, lang: str) -> None:
    """The design's sentence, the file code, and not a word of forgery."""
    open_page(page, site, lang)
    text = compare_files(page, ("copy.pdf", FORGED))
    assert plain(text).startswith(plain(_raw("compare.document-not-found", lang)))
    assert page.get_attribute("#result", "data-status") == "3"
    assert hashlib.sha256(FORGED).hexdigest() in text.replace(" ", "")
    assert not re.search(r"forge|fake|palsu|asli", text.lower())


@pytest.mark.parametrize("typed", ["ref", "number", "spelled"])
def test_a_typed_reference_or_number(page: Page, site: LocalSite, scene: Scene, typed: str) -> None:
    """The act's facts, and the request to compare them with the paper; by keyboard alone."""
    number = scene.record.data["number"]
    text = {"ref": format_ref(scene.record.ref).lower(), "number": number, "spelled": f"Nomor: {number.replace('/', ' / ')}"}[typed]
    open_page(page, site)
    page.focus("#typed-text")
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    shown = result_text(page)
    assert plain(shown).startswith("Kota Contoh published this act on 5 January 2026, as entry 3.")
    assert reads(shown, "compare.paper", "en")
    assert page.evaluate("document.activeElement.tagName") == "H2"
    assert page.url == f"{site.url}/verify?lang=en"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_typed_number_that_is_not_found(page: Page, site: LocalSite, lang: str) -> None:
    """It may be a typing error; it is not called false."""
    open_page(page, site, lang)
    page.fill("#typed-text", "tidak/ada/2026")
    page.press("#typed-text", "Enter")
    assert reads(result_text(page), "check.typed-not-found", lang)


def test_a_proof_a_salt_and_a_bundle(page: Page, site: LocalSite, scene: Scene) -> None:
    """Files that belong together are taken together, whichever way round; dropped files as chosen ones."""
    trusting(page, site, scene)
    proof = ("sk.pdf.tlog-proof", scene.city.proof(scene.index))
    assert plain(compare_files(page, proof, ("sk.pdf", BODY))).startswith("This file is identical")
    assert plain(compare_files(page, ("x.tlog-proof", proof[1]))).startswith("Kota Contoh published this act")
    assert "evidence bundle matches its manifest" in compare_files(page, ("b.zip", scene.bundle().read_bytes()))
    salt, body = b"\1" * 16, b"withheld"
    commitment = hashlib.sha256(salt + hashlib.sha256(body).digest()).hexdigest()
    one = {"withheld": commitment, "media_type": "application/pdf", "role": "annex", "reason": "pribadi", "law": "UU 27/2022"}
    _, index = scene.city.publish(withheld=[one])
    scene.city.write()
    files = [("a.pdf", body), ("a.pdf.tlog-proof", scene.city.proof(index)), ("a.pdf.X.salt", canonical.dump({"salt": salt.hex()}))]
    assert "without publishing it" in compare_files(page, *files)
    assert "no whole salt" in plain(compare_files(page, ("a.pdf.X.salt", b"{}"))) or "not a whole salt" in page.inner_text("#result")
    page.evaluate("""(body) => { const data = new DataTransfer(); data.items.add(new File([body], "sk.pdf"));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })); }""", BODY.decode())  # fmt: skip
    assert plain(result_text(page)).startswith("This file is identical")


def test_several_files_each_get_a_verdict(page: Page, site: LocalSite) -> None:
    """Each is named, none is passed over."""
    open_page(page, site)
    text = plain(compare_files(page, ("satu.pdf", BODY), ("dua.pdf", FORGED)))
    assert text.startswith("Results: 2.")
    assert text.index("satu.pdf") < text.index("This file is identical") < text.index("dua.pdf") < text.index("not byte-identical")


# ---- nothing that identifies the file leaves the browser


def test_what_the_server_is_asked(page: Page, site: LocalSite, scene: Scene) -> None:
    """Whole buckets, tiles and bundles of entries only; no other host; the same for a file that is found and one that is not."""
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    open_page(page, site)
    for files in ([("rahasia.pdf", BODY)], [("rahasia.pdf", FORGED)], [("b.pdf", BODY), ("b.pdf.tlog-proof", scene.city.proof(scene.index))]):
        compare_files(page, *files)
    page.fill("#typed-text", scene.record.ref)
    page.press("#typed-text", "Enter")
    result_text(page)
    allowed = re.compile(r"/verify\?lang=en|/verify/compare-[0-9a-f]{12}\.js|/static/[a-z./]+|/checkpoint|/policy-ed25519|/roster\.jsonl"
                         r"|/tile/[0-9a-z/.]+|/lookup/(?:sha256|number)/[0-9a-f]{3}|/lookup/ref/[0-9A-Z]{2}")  # fmt: skip
    assert [one for one in site.asked if not allowed.fullmatch(one)] == []
    everything = " ".join(site.asked)
    for secret in ("rahasia", scene.record.ref, hashlib.sha256(BODY).hexdigest()[:8], hashlib.sha256(FORGED).hexdigest()[:8]):
        assert secret not in everything
    assert hosts == {site.url.split("/")[2]}


# ---- a lying server: each lie fails in words


def _swap_signature(scene: Scene) -> None:
    """The log itself publishes another signature, in a tree that is whole."""
    city, index = scene.city, scene.index
    entry = parse_entry(city.entries[index])
    first = entry.envelope.signatures[0]
    other = type(first)(first.keyid, parse_entry(city.entries[index + 1]).envelope.signatures[0].sig)
    envelope = Envelope(entry.envelope.payload_type, entry.envelope.payload, (other,))
    city.entries[index] = dump_entry(Entry(envelope, entry.prev, entry.roster, entry.time))
    city.notes = {}
    city.write()


def _drop_event(scene: Scene) -> None:
    path = scene.city.path / "roster.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))


def _forge_event(scene: Scene) -> None:
    """An enrolment that a clerk signed, not the authority, served in the roster."""
    city = scene.city
    payload = {"v": 1, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding}
    payload["events"] = [{"event": "office", "id": "x", "name": "X"}]
    with (city.path / "roster.jsonl").open("ab") as file:
        file.write(dump_envelope(city.sign("application/vnd.bening.roster+json", payload, [city.clerk])) + b"\n")


def _replay_event(scene: Scene) -> None:
    path = scene.city.path / "roster.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1]]))


def _flip_tile(scene: Scene) -> None:
    path = scene.city.path / "tile" / "0" / "000.p" / "6"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(bytes(data))


def _flip_entry(scene: Scene) -> None:
    path = scene.city.path / "tile" / "entries" / "000.p" / "6"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"time":"2026', b'"time":"2025'))


def _cut(scene: Scene) -> None:
    (scene.city.path / "tile" / "entries" / "000.p" / "6").unlink()


def _other_ledger(scene: Scene) -> None:
    other = City(scene.path / "lain", seed="other", origin=scene.city.origin)
    other.publish(documents={"sk.pdf": BODY})
    other.write()
    scene.city.path = other.path


def _other_founding(scene: Scene) -> None:
    """The same log key founds another ledger, whose authority is somebody else."""
    other = City.__new__(City)
    names = signing_key
    import tests.city as module

    try:
        module.signing_key = lambda name: names(f"evil {name}" if name.startswith("authority") else name)  # type: ignore[assignment]
        other.__init__(scene.path / "lain", origin=scene.city.origin)  # type: ignore[misc]
    finally:
        module.signing_key = names
    for _ in range(6):
        other.publish()
    other.publish(documents={"sk.pdf": BODY})
    other.write()
    scene.city.path = other.path


def _roll_back(scene: Scene) -> None:
    scene.city.write(size=scene.index + 1)


def _fork(scene: Scene) -> None:
    fork = scene.city.fork(scene.path / "fork", size=scene.index + 1)
    for _ in range(4):
        fork.publish()
    fork.write()
    scene.city.path = fork.path


def _revoke(scene: Scene) -> None:
    scene.city.roster_event({"event": "revoke", "key": scene.city.clerk, "suspect_from": scene.index})
    scene.city.write()


LIES: dict[str, tuple[Callable[[Scene], None], str]] = {
    "swapped signature": (_swap_signature, "compare.ledger-forked"),
    "roster event dropped": (_drop_event, "compare.roster-file"),
    "roster event forged": (_forge_event, "compare.roster-file"),
    "roster event replayed": (_replay_event, "compare.roster-file"),
    "tile bit": (_flip_tile, "check.tile-differs"),
    "entry changed": (_flip_entry, "error.entry-differs"),
    "entries missing": (_cut, "error.truncated"),
    "another ledger": (_other_ledger, "compare.founding-changed"),
    "another founding": (_other_founding, "compare.founding-changed"),
    "rolled back": (_roll_back, "compare.ledger-rolled-back"),
    "forked": (_fork, "compare.ledger-forked"),
    "key revoked and suspected": (_revoke, "check.key-suspect"),
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_fails_in_words(page: Page, site: LocalSite, scene: Scene, lie: str, lang: str) -> None:
    """The headline says that it does not hold (or is disputed), and the sentence says what is wrong."""
    trusting(page, site, scene, lang)
    tell_lie, key = LIES[lie]
    tell_lie(scene)
    site.public = scene.city.path
    text = compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "1"
    assert plain(text).startswith((_raw("verify.headline-failed", lang), _raw("verify.headline-disputed", lang)))
    assert reads(text, key, lang), text
    assert not reads(text, "verify.headline-identical", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_lie_at_the_first_visit(page: Page, site: LocalSite, scene: Scene, lang: str) -> None:
    """A swapped signature in a ledger that agrees with itself is found without anything pinned."""
    _swap_signature(scene)
    open_page(page, site, lang)
    text = compare_files(page, ("sk.pdf", BODY))
    assert plain(text).startswith(_raw("verify.headline-failed", lang))
    assert reads(text, "reason.bad-signature", lang)


def test_a_ledger_that_does_not_agree_with_itself(page: Page, site: LocalSite, scene: Scene) -> None:
    """A first visit where policy and roster are one city's and the log is another's (under one key): nothing is pinned."""
    honest = {name: (scene.city.path / name).read_bytes() for name in ("policy-ed25519", "roster.jsonl")}
    _other_founding(scene)
    site.public = scene.city.path
    for name, data in honest.items():
        site.tamper(f"/{name}", data)
    open_page(page, site)
    text = compare_files(page, ("sk.pdf", BODY))
    assert plain(text).startswith(_raw("verify.headline-failed", "en"))
    assert reads(text, "check.other-founding", "en")
    assert page.evaluate("localStorage.length") == 0


def test_a_policy_with_other_keys_than_the_roster(page: Page, site: LocalSite, scene: Scene) -> None:
    """A first visit where another key than the one that the roster names signs the log: nothing is pinned."""
    other = City(scene.path / "lain", seed="other", origin=scene.city.origin)
    policy = other.policy_file(post_quantum=False).replace(other.founding.encode(), scene.city.founding.encode())
    site.tamper("/policy-ed25519", policy)
    scene.city.all_keys = dict.fromkeys(scene.city.all_keys, other.keys)
    scene.city.notes = {}
    site.tamper("/checkpoint", scene.city.checkpoint())
    open_page(page, site)
    text = compare_files(page, ("sk.pdf", BODY))
    assert plain(text).startswith(_raw("verify.headline-failed", "en"))
    assert reads(text, "error.keys-not-in-roster", "en")
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_changed_document_beside_its_proof(page: Page, site: LocalSite, scene: Scene, lang: str) -> None:
    """The proof is true and the file is another one: it fails, and the facts are said to be those of the proof."""
    trusting(page, site, scene, lang)
    text = compare_files(page, ("sk.pdf", FORGED), ("sk.pdf.tlog-proof", scene.city.proof(scene.index)))
    assert page.get_attribute("#result", "data-status") == "1"
    assert plain(text).startswith(_raw("verify.headline-failed", lang))
    assert reads(text, "check.document-differs", lang)
    assert reads(text, "verify.facts-of-proof", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_changed_proof(page: Page, site: LocalSite, scene: Scene, lang: str) -> None:
    """One hash of the audit path is another one."""
    trusting(page, site, scene, lang)
    proof = scene.city.proof(scene.index)
    line = proof.partition(b"\n\n")[0].split(b"\n")[-1]
    text = compare_files(page, ("sk.pdf", BODY), ("sk.pdf.tlog-proof", proof.replace(line, b"A" * 43 + b"=")))
    assert plain(text).startswith(_raw("verify.headline-failed", lang))
    assert reads(text, "error.inclusion", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_look_up_that_points_elsewhere(page: Page, site: LocalSite, scene: Scene, lang: str) -> None:
    """Hints to an act that does not name the file are no evidence: not found, not false, never identical."""
    trusting(page, site, scene, lang)
    digest = hashlib.sha256(FORGED).hexdigest()
    site.tamper(f"/lookup/sha256/{digest[:3]}", f"{digest} {scene.index}\n{digest} 999999\n".encode())
    text = compare_files(page, ("x.pdf", FORGED))
    assert plain(text).startswith(plain(_raw("compare.document-not-found", lang)))
    assert page.get_attribute("#result", "data-status") == "3"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("first", [True, False])
def test_a_portal_in_place_of_the_ledger(page: Page, site: LocalSite, scene: Scene, first: bool, lang: str) -> None:
    """HTML for everything: not checked, nothing pinned, and no alarm; beside a proof the proof is still judged."""
    if not first:
        trusting(page, site, scene, lang)
    else:
        open_page(page, site, lang)
    site.portal(PORTAL)
    text = compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "3"
    assert reads(text, "compare.portal", lang)
    assert _raw("verify.headline-failed", lang) not in text
    text = compare_files(page, ("sk.pdf", BODY), ("sk.pdf.tlog-proof", scene.city.proof(scene.index)))
    assert page.get_attribute("#result", "data-status") == ("3" if first else "0")
    assert first == (page.evaluate("localStorage.length") == 0)


@pytest.mark.parametrize("path", ["/checkpoint", "/policy-ed25519", "/roster.jsonl", "/tile/0/000.p/6", "/tile/entries/000.p/6", "/lookup/sha256/{}"])
@pytest.mark.parametrize("how", ["portal", "503", "garbage"])
def test_trouble_with_one_file_is_no_alarm(page: Page, site: LocalSite, scene: Scene, path: str, how: str) -> None:
    """A log-in page or an error in place of one file says nothing about anybody; only what the log has signed can accuse it."""
    trusting(page, site, scene)
    path = path.format(hashlib.sha256(BODY).hexdigest()[:3])
    if how == "portal":
        site.tamper(path, lambda body: PORTAL)
        served, site._lies[path] = site._lies[path], (200, PORTAL)
        site.portal(PORTAL)
        for other in ("/checkpoint", "/policy-ed25519", "/roster.jsonl", "/tile/0/000.p/6", "/tile/entries/000.p/6"):
            if other != path:
                site.tamper(other, lambda body: body)
        del site._lies[path], served
    else:
        site.tamper(path, None if how == "503" else b"\x00garbage\n", status=503 if how == "503" else 200)
    text = compare_files(page, ("sk.pdf", BODY))
    if how == "garbage" and path.startswith("/tile/"):
        assert reads(text, "error.truncated", "en")  # what the signed state promises and the server does not have
    else:
        assert page.get_attribute("#result", "data-status") != "1", text


# ---- what changes honestly


def test_a_policy_that_asks_for_more(page: Page, site: LocalSite, scene: Scene) -> None:
    """Told loudly, no failure, and accepted only by a person."""
    trusting(page, site, scene)
    scene.city.witnesses, scene.city.notes = {"kpk": signing_key("witness kpk")}, {}
    scene.city.publish()
    scene.city.write()
    text = compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "0"
    assert reads(text, "compare.policy-changed", "en")
    page.click("#pin-accept")
    page.wait_for_selector(f"#pin-told:text-is({say('compare.pin-accepted', 'en')!r})")
    text = compare_files(page, ("sk.pdf", BODY))
    assert not reads(text, "compare.policy-changed", "en")
    assert "kpk co-records that this list only grows. kpk has not examined the act." in plain(text)
    assert page.get_attribute("#result", "data-status") == "0"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_policy_that_asks_for_less(page: Page, site: LocalSite, tmp_path: Path, lang: str) -> None:
    """A witness that is gone fails."""
    (tmp_path / "dua").mkdir()
    scene = PinnedScene(tmp_path / "dua", witnesses=("kpk",))
    site.public = scene.city.path
    trusting(page, site, scene, lang)
    scene.city.witnesses = {}
    scene.city.write()
    text = compare_files(page, ("sk.pdf", BODY))
    assert plain(text).startswith(_raw("verify.headline-failed", lang))
    assert reads(text, "compare.policy-weaker", lang)
    assert not page.is_visible("#pin-accept")


def test_log_keys_that_the_authority_changed(page: Page, site: LocalSite, scene: Scene) -> None:
    """Not checked and no alarm; accepted by a person, it goes on with the history that was seen."""
    trusting(page, site, scene)
    scene.city.rotate_log_keys("log2")
    scene.city.publish()
    scene.city.publish()
    scene.city.write()
    text = compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "3"
    assert reads(text, "compare.log-keys-changed", "en")
    page.click("#pin-accept")
    page.wait_for_selector(f"#pin-told:text-is({say('compare.pin-accepted', 'en')!r})")
    compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "0"
    open_page(page, site)
    compare_files(page, ("sk.pdf", BODY))
    assert page.get_attribute("#result", "data-status") == "0"


def test_log_keys_that_nobody_changed(page: Page, site: LocalSite, scene: Scene) -> None:
    """A policy with other keys, which no roster event announces, fails though the state itself is signed by the old ones."""
    trusting(page, site, scene)
    evil = City(scene.path / "evil", seed="evil", origin=scene.city.origin)
    policy = evil.policy_file(post_quantum=False).replace(evil.founding.encode(), scene.city.founding.encode())
    site.tamper("/policy-ed25519", policy)
    text = compare_files(page, ("sk.pdf", BODY))
    assert plain(text).startswith(_raw("verify.headline-failed", "en"))
    assert reads(text, "compare.policy-other-keys", "en")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("what", ["record", "payload", "roster"])
def test_a_newer_format(page: Page, site: LocalSite, scene: Scene, what: str, lang: str) -> None:
    """What a later version wrote is not checked, and said so; never false."""
    city = scene.city
    data = city.record(documents={"x.pdf": b"newer"}).data
    if what == "roster":
        payload = {"v": 2, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding, "events": []}
        newer = city.sign("application/vnd.bening.roster+json", payload, city.authority)
        scene.slip(newer, city.roster)
        city.envelopes.append(newer)
    else:
        kind = "application/vnd.bening.petition+json" if what == "payload" else RECORD_TYPE
        index = scene.slip(city.sign(kind, {**data, "v": 2} if what == "record" else data, [city.clerk]), city.roster)
        city.records[index] = city.record(documents={"x.pdf": b"newer"})
    city.write()
    open_page(page, site, lang)
    text = compare_files(page, ("x.pdf", BODY if what == "roster" else b"newer"))
    assert page.get_attribute("#result", "data-status") == "3"
    assert reads(text, "error.newer-format", lang), text
    assert _raw("verify.headline-failed", lang) not in text


# ---- the pin


def test_evidence_of_a_fork_can_be_saved(page: Page, site: LocalSite, scene: Scene) -> None:
    """Both signed states are offered as a file."""
    trusting(page, site, scene)
    _fork(scene)
    site.public = scene.city.path
    compare_files(page, ("sk.pdf", BODY))
    with page.expect_download() as download:
        page.click("#pin-evidence a")
    text = Path(download.value.path()).read_text("utf-8")
    assert text.count("\u2014 bening.example/kota ") == 4
    assert "\n6\n" in text
    assert "\n8\n" in text


DAMAGE = {
    "note": "pin.note = pin.note.slice(0, 60) + (pin.note[60] === 'A' ? 'B' : 'A') + pin.note.slice(61)",
    "size": "pin.note = btoa(atob(pin.note).replace('\\n6\\n', '\\n9\\n'))",
    "payloads": "pin.payloads[1] = '0'.repeat(64)",
    "roster": "pin.roster = pin.roster.replace(/.sig.:../, (one) => one.slice(0, 6) + (one.slice(6) === 'AB' ? 'BA' : 'AB'))",
    "founding": "pin.founding = '0'.repeat(64)",
    "text": "pin.since = 'kemarin'",
}


@pytest.mark.parametrize("part", DAMAGE)
def test_damage_of_what_the_browser_keeps(page: Page, site: LocalSite, scene: Scene, part: str) -> None:
    """Whatever is damaged there is told as this browser's own trouble, accuses nobody, and can be removed."""
    trusting(page, site, scene)
    page.evaluate(f"() => {{ const [key, kept] = Object.entries(localStorage)[0]; const pin = JSON.parse(kept); {DAMAGE[part]}; localStorage[key] = JSON.stringify(pin); }}")
    text = compare_files(page, ("sk.pdf", BODY))
    assert reads(text, "compare.pin-damaged", "en")
    assert page.get_attribute("#result", "data-status") == "3"
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#pin-forget")
    page.wait_for_selector(f"#pin-told:text-is({say('compare.pin-forgotten', 'en')!r})")
    assert reads(compare_files(page, ("sk.pdf", BODY)), "compare.first-use", "en")


def test_another_founding_than_the_printed_one(page: Page, site: LocalSite) -> None:
    """Typing another founding is answered loudly, and confirms nothing."""
    open_page(page, site)
    compare_files(page, ("sk.pdf", BODY))
    page.fill("#pin-typed", "0" * 64)
    page.press("#pin-typed", "Enter")
    page.wait_for_selector(f"#pin-told:text-is({say('compare.founding-other', 'en')!r})")
    assert "not yet" in page.inner_text("#pin-facts")


def test_a_browser_that_keeps_nothing(page: Page, site: LocalSite) -> None:
    """Each visit is a first one, and that is said."""
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });")
    open_page(page, site)
    text = compare_files(page, ("sk.pdf", BODY))
    assert reads(text, "compare.first-use-unkept", "en")
    assert page.get_attribute("#result", "data-status") == "3"


# ---- poor browsers


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_browser_without_ed25519(page: Page, site: LocalSite, lang: str) -> None:
    """It says so plainly and names the command; nothing is judged, but the file code is shown."""
    page.add_init_script("""crypto.subtle.importKey = async () => { throw new DOMException("no", "NotSupportedError"); };""")
    open_page(page, site, lang)
    assert page.inner_text("#cannot") == _raw("compare.no-ed25519", lang)
    text = compare_files(page, ("sk.pdf", BODY))
    assert hashlib.sha256(BODY).hexdigest() in text
    assert page.query_selector(".verdict") is None
    assert not [one for one in site.asked if one.startswith(("/checkpoint", "/lookup"))]


def test_a_page_that_was_not_opened_over_https(browser: Browser, site: LocalSite) -> None:
    """Without a secure context browsers withhold WebCrypto: said, with what to do."""
    path = find_chromium()
    other = browser.browser_type.launch(executable_path=path, args=[*ARGUMENTS, "--host-resolver-rules=MAP kota.example 127.0.0.1"])
    try:
        page = new_page(other)
        page.goto(f"{site.url.replace('127.0.0.1', 'kota.example')}/verify?lang=id")
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.inner_text("#cannot") == _raw("compare.not-secure", "id")
    finally:
        other.close()


def test_without_javascript(browser: Browser, site: LocalSite) -> None:
    """The page says what it takes, and the search by number or reference works as a plain form."""
    page = new_page(browser, java_script_enabled=False)
    page.goto(f"{site.url}/verify?lang=en")
    assert _raw("compare.no-script", "en") in plain(page.inner_text("main"))
    page.fill("#typed-text", "19JVNJXPQJS")
    page.press("#typed-text", "Enter")
    assert "/records?q=19JVNJXPQJS" in page.url
    page.context.close()


# ---- hostile text


def test_hostile_text_stays_text(page: Page, site: LocalSite, scene: Scene) -> None:
    """HTML in titles, numbers, suppliers and file names is shown as it is; ten thousand characters do not break the page."""
    html = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    fields = {"value": "1", "currency": "IDR", "supplier": {"name": html[:50]}}
    record, _ = scene.city.publish(
        documents={f"{html[:28].replace('/', '')}.pdf": b"hostile"}, kind="contract", form="spk", fields=fields, title=html + "=cmd()" * 100,
        number=html[:40], signatories=[{"position": html, "capacity": "plt"}],
    )  # fmt: skip
    scene.city.publish(title=html * 5, relations=[{"type": "amends", "ref": record.ref}])
    scene.city.write()
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.set_viewport_size({"width": 360, "height": 640})
    open_page(page, site)
    names = ["\u202egnp.exe<b>x</b>" + "y" * 200 + ".pdf", "n" * 10_000]
    text = compare_files(page, (names[0], b"hostile"), ("lain.pdf", FORGED))
    assert html in text
    assert r"\u{202E}gnp.exe<b>x</b>" in text
    assert page.query_selector("#result img, #result script, #result b b") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.fill("#typed-text", html)
    page.press("#typed-text", "Enter")
    assert html in result_text(page)
    page.evaluate("(name) => { const data = new DataTransfer(); data.items.add(new File(['x'], name)); data.items.add(new File(['y'], name + '2')); document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); }", names[1])
    result_text(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- scanning


_CAMERA = """
  navigator.mediaDevices.getUserMedia = async () => { const c = document.createElement("canvas"); c.getContext("2d"); return c.captureStream(); };
  window.BarcodeDetector = class { static async getSupportedFormats() { return ["qr_code"]; } async detect() { return window.code ? [{ rawValue: window.code }] : []; } };
"""


@pytest.mark.parametrize(("code", "key"), [("{}", None), ("https://ledger.kota.example/r/{}", "compare.scan-elsewhere"), ("https://evil.example/", "compare.scan-other")])
def test_scanning(page: Page, site: LocalSite, scene: Scene, code: str, key: str | None) -> None:
    """A reference or an address of an act; an address elsewhere is pointed out; anything else is shown as text."""
    page.add_init_script(_CAMERA)
    open_page(page, site)
    page.evaluate("(code) => { window.code = code; }", code.format(scene.record.ref))
    page.click("#scan")
    if key == "compare.scan-other":
        page.wait_for_selector("#told:has-text('evil.example')")
        return
    text = result_text(page)
    assert "published this act" in text
    assert (key is None) or reads(text, key, "en")
    assert not page.is_visible("#camera")


def test_closing_the_camera(page: Page, site: LocalSite) -> None:
    """Escape ends it, and nothing happens."""
    page.add_init_script(_CAMERA)
    open_page(page, site)
    page.click("#scan")
    page.wait_for_selector("#camera[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#camera:not([open])", state="attached")
    assert page.inner_text("#result") == ""


def test_without_a_scanner(page: Page, site: LocalSite) -> None:
    """Where the browser cannot scan, the page names the phone's camera app."""
    open_page(page, site)
    assert not page.is_visible("#scan")
    assert page.inner_text("#scan-none") == _raw("compare.scan-none", "en")


# ---- everybody


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 1280])
def test_accessibility(browser: Browser, site: LocalSite, scene: Scene, dark: bool, width: int) -> None:
    """axe finds nothing on the empty page, a true verdict and a false one; nothing is wider than the window."""
    from axe_playwright_python.sync_playwright import Axe

    page = new_page(browser, width=width, height=700, dark=dark)
    page.context.new_page().close()
    open_page(page, site)
    results = [Axe().run(page)]
    compare_files(page, ("sk.pdf", BODY))
    results.append(Axe().run(page))
    compare_files(page, ("sk.pdf", FORGED), ("sk.pdf.tlog-proof", scene.city.proof(scene.index)))
    results.append(Axe().run(page))
    for one in results:
        assert one.violations_count == 0, one.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.context.close()


def test_by_keyboard_alone(page: Page, site: LocalSite) -> None:
    """Everything on the page is reached by Tab, in the order in which it stands, and the menu of what is kept opens by Enter."""
    open_page(page, site)
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    order = [seen.index(one) for one in ("files", "typed-text")]
    assert order == sorted(order)
    assert "SUMMARY" in seen
    page.focus("#pin summary")
    page.keyboard.press("Enter")
    assert page.inner_text("#pin-facts") == _raw("compare.pin-none", "en")


def test_a_large_file_is_read_in_pieces(page: Page, site: LocalSite, tmp_path: Path) -> None:
    """200 MB are hashed with progress, and never held whole in the page's memory."""
    path = tmp_path / "besar.bin"
    with open(path, "wb") as file:
        file.truncate(200_000_000)
    open_page(page, site)
    page.evaluate("""() => { window.told = []; new MutationObserver(() => window.told.push(document.getElementById("told").textContent))
      .observe(document.getElementById("told"), { childList: true, characterData: true, subtree: true }); }""")  # fmt: skip
    page.context.set_default_timeout(60_000)
    text = compare_files(page, path)
    assert "not byte-identical" in text
    told: list[Any] = page.evaluate("window.told")
    assert any(" 50 %" in one for one in told)
    assert page.evaluate("performance.memory.usedJSHeapSize") < 60_000_000


def test_one_number_in_very_many_acts(page: Page, site: LocalSite, scene: Scene) -> None:
    """Fifty are checked at once and the rest is counted; a bucket of false hints is not walked through for ever."""
    for _ in range(52):
        scene.city.publish(documents={"x.pdf": b"sama"}, number="S", check=False)
    scene.city.write()
    open_page(page, site)
    compare_files(page, ("x.pdf", b"sama"))
    assert page.locator("#result .verdict").count() == 50
    assert "further acts that were not checked here: 2." in plain(page.inner_text("#result"))
    digest = hashlib.sha256(FORGED).hexdigest()
    site.tamper(f"/lookup/sha256/{digest[:3]}", "".join(f"{digest} {one}\n" for one in range(58)).encode())
    assert reads(compare_files(page, ("x.pdf", FORGED)), "compare.document-not-found", "en")
