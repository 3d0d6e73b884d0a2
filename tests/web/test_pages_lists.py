"""Search, look-ups, who may sign, numbers that are not published, promises, and who co-records: facts of the archive."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from ledger.catalog.filters import Filter
from ledger.records.refs import format_ref
from ledger.words import say
from tests.publisher.town import Town
from tests.web.archive import archive
from tests.web.markup import Markup, show
from web.app import create_app
from web.pages.home import quiet_days

LANGUAGES = ("id", "en")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    """Asks the site of the archive."""
    return create_app(archive().home).test_client()


def hits(page: Markup) -> list[int]:
    """Return the indexes of the acts that a list shows, in its order."""
    titles = [one for one in page.elements if one.tag == "a" and re.fullmatch(r"/records/\d+", one.attrs.get("href", ""))]
    return [int(one.attrs["href"].rpartition("/")[2]) for one in titles]


# -- search


def test_a_search_marks_its_hits(client: FlaskClient) -> None:
    """Words are found whatever their case, marked in titles, and counted."""
    page = show(client, "/records?q=TROTOAR")
    it = archive()
    assert hits(page) == [it.at[name] for name in ("handover", "addendum", "order", "contract")]
    assert {one.text for one in page.all("mark")} == {"Trotoar"}
    assert page.by_id("hits").text == say("page.hits", "en", count="4")
    assert page.by_id("q").attrs["value"] == "TROTOAR"


def test_facets_are_a_plain_form(client: FlaskClient) -> None:
    """Every facet value is a check box of the search form under its roster name, with its count; chosen ones are checked."""
    page = show(client, "/records?office=pu&kind=contract")
    boxes = {(one.attrs["name"], one.attrs["value"]): one.attrs for one in page.all("input", type="checkbox")}
    assert "checked" in boxes["office", "pu"]
    assert "checked" in boxes["kind", "contract"]
    assert "checked" not in boxes["form", "spk"]
    assert {one["form"] for one in boxes.values()} == {"search"}
    assert page.by_id("search").tag == "form"
    assert "Dinas Pekerjaan Umum dan Penataan Ruang (3)" in page.main
    assert "Surat Perintah Kerja (2)" in page.main
    for label in ("Form", "Kind", "Office", "Year of the paper", "Supplier", "Procurement method"):
        assert label in [one.text for one in page.all("legend")], label


def test_a_chip_removes_one_wish(client: FlaskClient) -> None:
    """Each wish is a chip whose link is the same filter without it; another clears all."""
    page = show(client, "/records?q=trotoar&office=pu&office=hukum&since=2020-01-01")
    chips = {words: dict(parse_qsl(urlsplit(href).query)) for href, words in page.links if "remove this filter" in words}
    assert len(chips) == 4
    without = next(query for words, query in chips.items() if words.startswith("Office: Dinas Pekerjaan"))
    assert without == {"q": "trotoar", "office": "hukum", "since": "2020-01-01"}
    assert any(words.startswith("Recorded from: 1 January 2020") for words in chips)
    assert ("/records", say("page.chips-clear", "en")) in page.links


def test_exports_are_of_exactly_this_filter(client: FlaskClient) -> None:
    """The five links carry the filter's own parameters, and neither page nor language."""
    page = show(client, "/records?office=pu&sort=value&q=a&page=1&lang=en")
    wanted = Filter.read([("office", "pu"), ("sort", "value"), ("q", "a")]).pairs()
    for path in ("/api/v1/records.json", "/api/v1/records.jsonl", "/api/v1/records.csv", "/api/v1/records.xlsx", "/feed.atom"):
        found = [parse_qsl(urlsplit(href).query) for href, _ in page.links if urlsplit(href).path == path]
        assert found == [wanted], path


def test_order_and_pages(client: FlaskClient) -> None:
    """Twenty a page, every act exactly once over all pages, in the order that was chosen."""
    seen: list[int] = []
    for number in (1, 2):
        seen += hits(show(client, f"/records?sort=recorded&page={number}"))
    assert seen == sorted(archive().at.values())
    first, last = show(client, "/records?sort=recorded"), show(client, "/records?sort=recorded&page=2")
    assert ("/records?sort=recorded&page=2", say("page.page-after", "en")) in first.links
    assert ("/records?sort=recorded", say("page.page-before", "en")) in last.links
    assert not [words for _, words in last.links if words == say("page.page-after", "en")]
    assert say("page.page-beyond", "en") in show(client, "/records?page=9").main
    assert first.all("option", value="recorded")[0].attrs.get("selected") is not None


def test_an_empty_result_is_explained(client: FlaskClient) -> None:
    """In both languages: what it means, and what to try."""
    for lang in LANGUAGES:
        page = show(client, "/records?q=tidakadakatainidisini", lang)
        for key in ("hits-none", "none-means", "none-spelling", "none-chips", "none-number"):
            assert say(f"page.{key}", lang) in page.main, key


def test_a_reference_among_the_words_is_recognised(client: FlaskClient) -> None:
    """Whoever types a reference into the search box is led to its act."""
    it = archive()
    page = show(client, f"/records?q={format_ref(it.refs['plain']).lower()}")
    assert say("page.exact-ref", "en", ref=format_ref(it.refs["plain"])) in page.main
    assert it.at["plain"] in hits(page)


def test_lists_flag_what_was_changed_later(client: FlaskClient) -> None:
    """An act that some later act amends, replaces, revokes or annuls carries a flag; the others none."""
    page = show(client, "/records?office=pu")
    assert page.main.count(say("page.row-touched", "en")) == 1


@pytest.mark.parametrize("query", ["year=20x6", "sort=best", "since=yesterday", "page=0", "page=1.5", "page=501", "page=٣", "office=" + "x" * 401])
def test_what_cannot_be_meant_is_refused_in_words(client: FlaskClient, query: str) -> None:
    """400, with the name of the parameter."""
    assert query.partition("=")[0] in show(client, f"/records?{query}", status=400).main


# -- look-ups


def test_a_reference_in_any_spelling_leads_to_its_act(client: FlaskClient) -> None:
    """Groups, lower case, spaces, and the letters that stand for 1 and 0."""
    it = archive()
    ref, goal = it.refs["contract"], f"/records/{it.at['contract']}"
    for typed in (ref, ref.lower(), format_ref(ref), format_ref(ref).replace("-", " "), ref.replace("1", "I").replace("0", "o")):
        response = client.get(f"/r/{typed}")
        assert (response.status_code, response.headers.get("Location")) == (302, goal), typed
        assert client.get("/r/", query_string={"ref": typed}, follow_redirects=True).status_code == 200


def test_a_reference_that_leads_nowhere_is_told_apart(client: FlaskClient) -> None:
    """Mistyped (the check symbol does not fit) and well written but not here are two sentences; neither accuses."""
    it = archive()
    ref = it.refs["contract"]
    mistyped = ref[:-1] + ("0" if ref[-1] != "0" else "2")
    for lang in LANGUAGES:
        assert say("page.no-reference", lang, typed=mistyped) in show(client, f"/r/{mistyped}", lang, 404).main
        assert say("page.unknown-reference", lang, typed="0000-0000-000") in show(client, "/r/00000000000", lang, 404).main
        assert say("page.not-found-means", lang) in show(client, "/r/00000000000", lang, 404).main


def test_a_number_in_any_spelling_lists_all_that_carry_it(client: FlaskClient) -> None:
    """Slashes, spaces, case and ``Nomor`` make no difference; every office's act is listed with form, office and date."""
    it = archive()
    for typed in ("188.4/1 Tahun 2026", "Nomor: 188.4 / 1 TAHUN 2026", "188.4/1tahun2026", "188.4%2F1%20Tahun%202026"):
        page = show(client, f"/n/{typed}")
        assert hits(page) == [it.at["plain"], it.at["same-number"]], typed
        for words in ("Keputusan Wali Kota", "Bagian Hukum", "Dinas Pertanian", "dated 1 March 2026"):
            assert words in page.main, words
    for lang in LANGUAGES:
        assert say("page.unknown-number", lang, typed="12/34") in show(client, "/n/12/34", lang, 404).main
    assert hits(show(client, "/n/600/31/SPK/2026")) == [it.at["contract"]]


def test_what_a_key_leads_to_is_compared_whole(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that a key of the index hints at only acts of this very number are listed."""
    it = archive()
    monkeypatch.setattr("ledger.index.index.key_of", lambda *_: 0)
    monkeypatch.setattr("ledger.index.index._CANDIDATES", "(SELECT idx FROM keys UNION SELECT idx FROM keys_new WHERE ?1 = 0)")
    assert hits(show(client, "/n/600/31/SPK/2026")) == [it.at["contract"]]


# -- who may sign


def test_the_roster_says_who_may_sign_what_now(client: FlaskClient) -> None:
    """Holders, offices, kinds, terms, and what ended; offices as a tree, rules, books, promises, authority, log keys, history."""
    it, page = archive(), show(client, "/roster")
    for words in (
        "Kepala Bagian Hukum", "1 January 2020 – 31 December 2031", "1 January 2020 – open", "may sign", "retired by entry 2",
        f"REVOKED by entry {it.at['suspect-revocation'] + 1}; not trusted from entry {it.at['disputed']} on",
        "Peraturan Wali Kota Regulation", "Otherwise one signer", "declares the number book keputusan", "promises to publish Izin",
        "Authority keys: 1. Each decision needs at least this many signatures: 1.", "In use from size 0 on", "Decision 0 of the authority",
        "officials enrolled: 5",
    ):  # fmt: skip
        assert words in page.main, words
    tree = next(one.text for one in page.all("ul", **{"class": "offices"}))
    assert tree.startswith("Sekretariat Daerah setda Bagian Hukum hukum")
    assert [href for href, words in page.links if words.startswith("Decision")] == [f"/records/{n}" for n in (33, 32, 27, 2, 1, 0)]
    assert page.main.index("may sign") < page.main.index("REVOKED") < page.main.index("Decision 5")


# -- what is not there


def test_numbers_that_are_not_published(client: FlaskClient) -> None:
    """First, last, published, explained with its reason, open ranges, and since when the oldest has stood open."""
    it, page = archive(), show(client, "/numbers")
    for words in (
        "Bagian Hukum: Keputusan Wali Kota", "First number here 1", "Last number here 16", "Published 10",
        f"Explained 2 4–5: cancelled (Perwal 7/2026), entry {it.at['void']}", "Not published here 4: 6, 9–11",
        "Number 6: since 7 March 2026, the date of the next numbered paper",
    ):  # fmt: skip
        assert words in page.main, words
    rows = [one.text for one in page.all("tr")]
    assert f"Dinas Pertanian 7 {say('page.no-statement', 'en')}" in rows
    assert not [row for row in rows if row.startswith("Bagian Hukum")]
    assert say("page.no-statement", "id") in show(client, "/numbers", "id").main


def test_promises_and_what_came(client: FlaskClient) -> None:
    """Office, forms, since when; how much came, the last, the median lag; nothing is said plainly, and not yet begun too."""
    page = show(client, "/coverage")
    rows = [one.text for one in page.all("tr")]
    works = next(row for row in rows if row.startswith("Dinas Pekerjaan Umum"))
    assert re.search(r"Surat Perintah Kerja, Addendum Kontrak 1 January 2020 3 \d+ \w+ 20\d\d \d+ days$", works)
    assert next(row for row in rows if "Peraturan" in row).endswith(f"1 January 2021 {say('page.coverage-nothing', 'en')} — —")
    assert next(row for row in rows if "Izin" in row).endswith(f"1 January 2040 {say('page.coverage-later', 'en')} — —")
    link = next(href for href, words in page.links if words == "3")
    assert sorted(hits(show(client, link))) == sorted(archive().at[name] for name in ("contract", "addendum", "unknown-supplier"))


def test_pages_that_are_kept_follow_the_ledger(tmp_path: Path) -> None:
    """What was worked out for one size is worked out again when the ledger has grown."""
    town = Town(tmp_path)
    town.settle_in()
    town.roster({"event": "series", "id": "sk", "office": "hukum", "forms": ["sk"], "pattern": "138/{serial} Tahun {year}", "start": 1,
                 "resets": "yearly", "complete_from": "2026-01-01"})  # fmt: skip
    client = create_app(town.home).test_client()
    assert say("page.book-nothing", "en") in show(client, "/numbers").main
    for serial in (1, 3):
        town.published(b"%PDF " + bytes([serial]), number=f"138/{serial} Tahun 2026", series="sk", serial=serial)
    assert "Not published here 1: 2" in show(client, "/numbers").main
    assert "Decision 2 of the authority" in show(client, "/roster").main


# -- about, home


def test_about_says_what_is_proven_and_what_not(client: FlaskClient) -> None:
    """What a check proves and does not, how to check, the founding, privacy, and whom to ask."""
    for lang in LANGUAGES:
        page = show(client, "/about", lang)
        for key in ("about-proves-1", "about-proves-not-1", "about-proves-not-4", "about-check-browser", "about-privacy-text", "about-reuse-text"):
            assert say(f"page.{key}", lang) in page.main, key
        assert archive().home.founding in page.main.replace(" ", "")
        assert say("page.about-contact-none", lang, city="Kota Uji") in page.main


def test_the_contact_comes_from_the_settings(tmp_path: Path) -> None:
    """``[web] contact`` is shown, as a link if it is an address for mail."""
    town = Town(tmp_path)
    settings = town.home.path / "bening.toml"
    settings.write_text(settings.read_text() + '\n[web]\ncontact = "ppid@kota.example"\n')
    page = show(create_app(town.home).test_client(), "/about")
    assert ("mailto:ppid@kota.example", "ppid@kota.example") in page.links


@pytest.mark.parametrize(
    ("last", "now", "days"),
    [
        ("2026-11-20T16:59:59Z", "2026-11-20T17:00:00Z", 1),
        ("2026-11-20T17:00:00Z", "2026-11-21T16:59:59Z", 0),
        ("2026-11-20T10:00:00Z", "2026-11-23T10:00:00Z", 3),
        ("2026-11-23T10:00:00Z", "2026-11-20T10:00:00Z", 0),
    ],
)
def test_quiet_days_are_counted_by_local_dates(last: str, now: str, days: int) -> None:
    """At the founding's offset: midnight is the city's; a clock behind the last entry makes no negative days."""
    from ledger.records.entry import parse_time

    assert quiet_days(last, parse_time(now), "+07:00") == days
