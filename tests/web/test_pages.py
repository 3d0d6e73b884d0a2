"""Every page, in both languages: facts, markup, links, weight; hostile text is text, and nothing unpublished is shown."""

from __future__ import annotations

import itertools
import re
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from ledger.publisher.home import Home
from ledger.records import kinds, record
from ledger.words import has_words, say
from tests.publisher.town import Town
from tests.web.archive import HOSTILE, LONG, archive
from tests.web.markup import Markup, read, show
from web.app import create_app
from web.pages import bare_page
from web.pages.frame import here

LANGUAGES = ("id", "en")
FIXED = ("/", "/records", "/records?q=trotoar&office=pu&year=2026", "/records?q=tidakadakatainidisini", "/roster", "/numbers", "/coverage",
         "/witnesses", "/about", "/n/188.4%2F1%20Tahun%202026", "/r/19JV-NJXP-QJX", "/r/", "/tidak-ada")  # fmt: skip
FILES = ("/checkpoint", "/policy", "/roster.jsonl", "/api/", "/feed.atom", "/documents/", "/view/")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    """Asks the site of the archive."""
    return create_app(archive().home).test_client()


def act(client: FlaskClient, name: str, lang: str = "en") -> Markup:
    """Return the page of an act of the archive."""
    return show(client, f"/records/{archive().at[name]}", lang)


def all_pages() -> list[str]:
    """Every address of the archive's site: fixed pages and every entry."""
    return [*FIXED, *(f"/records/{index}" for index in range(36))]


# -- every page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_is_well_formed_and_complete(client: FlaskClient, lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fault of markup, one h1, headings in order, a title, the language, and no word or value that a sentence lacks."""

    def lacking(_: object, name: str) -> str:
        raise AssertionError(f"a sentence waits for {name}")

    monkeypatch.setattr("ledger.words._Values.__missing__", lacking)
    for path in all_pages():
        response = client.get(path, headers={"Accept-Language": lang})
        html = response.get_data(as_text=True)
        page = read(html)
        assert page.faults == [], (path, page.faults)
        assert html.startswith("<!doctype html>"), path
        assert page.all("html")[0].attrs["lang"] == lang
        levels = [level for level, _ in page.headings]
        assert levels.count(1) == 1, path
        assert levels[0] == 1, path
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), (path, page.headings)
        assert page.all("title")[0].text, path
        assert not re.findall(r"\b(?:page|error|fact|check)\.[a-z][a-z0-9_.-]+", page.text), path
        assert "None" not in page.text, path


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_page_has_inline_style_or_script(client: FlaskClient, lang: str) -> None:
    """The security policy allows none, so nothing may need it; no address of another host is loaded."""
    for path in all_pages():
        page = show(client, path, lang, None)
        assert page.all("script") == page.all("style") == [], path
        for one in page.elements:
            bad = [name for name in one.attrs if name == "style" or name.startswith("on")]
            assert not bad, (path, one)
            loaded = one.attrs.get("src") or (one.attrs.get("href") if one.tag == "link" and one.attrs["rel"] != "canonical" else "")
            assert not loaded or loaded.startswith("/"), (path, one)
            assert not loaded or not loaded.startswith("//"), (path, one)


def test_every_link_of_the_site_resolves(client: FlaskClient) -> None:
    """A link within the site leads to a page; files and the API are other parts' matter and are named in one list."""
    asked: dict[str, int] = {}
    for path in all_pages():
        for href, words in show(client, path, status=None).links:
            assert words, (path, href)
            if href.startswith("#") or href.startswith(FILES) or urlsplit(href).netloc or urlsplit(href).path == urlsplit(path).path:
                continue
            if href not in asked:
                asked[href] = client.get(href).status_code
            assert asked[href] in (200, 302, 303), (path, href, asked[href])
    assert len(asked) > 40


def test_files_that_pages_name_are_there(client: FlaskClient) -> None:
    """Checkpoint, policy, roster and each published document lie in the public folder, under the address that pages give."""
    public = archive().home.public
    named = {href for path in all_pages() for href, _ in show(client, path, status=None).links}
    files = {href for href in named if href.startswith(("/checkpoint", "/policy", "/roster.jsonl", "/documents/"))}
    assert len(files) > 20
    for href in files:
        assert (public / href.lstrip("/")).is_file(), href


def test_the_home_page_is_light(client: FlaskClient) -> None:
    """Page, style sheet and icon together stay below 60 KiB, and below half of it without compression."""
    page = show(client, "/")
    loaded = {one.attrs.get("src") or one.attrs.get("href", "") for tag in ("link", "script", "img") for one in page.all(tag)}
    static = [href for href in loaded if href.startswith("/static/")]
    assert "/static/site.css" in static
    weight = len(client.get("/").data)
    for href in static:
        with client.get(href) as response:
            weight += len(response.data)
    assert weight < 40 * 1024, weight


def test_the_first_pages_of_an_empty_ledger(tmp_path: Path) -> None:
    """A ledger that has just been founded shows its pages, and says that nothing has been published."""
    empty = create_app(Town(tmp_path).home).test_client()
    for lang in LANGUAGES:
        assert say("page.newest-none", lang) in show(empty, "/", lang).main
        assert say("page.numbers-no-book", lang) in show(empty, "/numbers", lang).main
        assert say("page.coverage-none", lang) in show(empty, "/coverage", lang).main
        assert say("page.roster-keys-none", lang) in show(empty, "/roster", lang).main
        assert say("page.hits-none", lang) in show(empty, "/records", lang).main
        assert say("page.decision", lang, n=0) in show(empty, "/records/0", lang).main


# -- languages


def test_the_language_follows_the_browser_or_the_switch(client: FlaskClient) -> None:
    """Accept-Language decides, ``?lang=`` wins, and Indonesian is the usual one."""
    for header, query, lang in (("en-US,en;q=0.9", "", "en"), ("fr", "", "id"), ("en", "?lang=id", "id"), ("id", "?lang=en", "en"), ("en", "?lang=xx", "en")):
        page = read(client.get("/about" + query, headers={"Accept-Language": header}).get_data(as_text=True))
        assert page.all("html")[0].attrs["lang"] == lang, (header, query)


def test_a_chosen_language_goes_along(client: FlaskClient) -> None:
    """There are no cookies: each link to another page carries the choice, and the switch keeps the address."""
    page = show(client, "/records?q=trotoar&office=pu&lang=id", "en")
    inner = [href for href, _ in page.links if href.startswith("/") and not href.startswith(FILES)]
    assert inner
    assert all("lang=" in href for href in inner), inner
    assert "/records?q=trotoar&office=pu&lang=en" in inner
    assert page.all("input", type="hidden", name="lang")[0].attrs["value"] == "id"
    response = client.get(f"/r/{archive().refs['plain']}?lang=en")
    assert response.headers["Location"] == f"/records/{archive().at['plain']}?lang=en"


def test_no_address_leads_to_another_site(client: FlaskClient) -> None:
    """A path that begins like another host's stays a path of this site in the language switch."""
    for path in ("//evil.example/x", "///evil.example"):
        with client.application.test_request_context(environ_overrides={"PATH_INFO": path}):
            assert here("id") == f"/{path.strip('/')}?lang=id"
        page = read(client.get(path.replace("//", "/%2F"), follow_redirects=True).get_data(as_text=True))
        assert not [href for href, _ in page.links if href.startswith("//")], path


def test_every_choice_of_the_formats_has_words() -> None:
    """Kinds, roles, capacities, relations and the choices of fields are said in both languages."""
    roles, capacities, relations = record.ROLES, record.CAPACITIES, record.RELATIONS
    keys = [f"kind-{one}" for one in kinds.KINDS] + [f"role-{one}" for one in roles] + [f"capacity-{one}" for one in capacities]
    keys += [f"{side}-{one}" for one in relations for side in ("does", "done")]
    keys += [f"action-{one}" for one in ("appoint", "transfer", "dismiss", "retire", "incentive", "other")]
    keys += [f"stage-{one}" for one in ("partial", "provisional", "final")]
    keys += [f"void-{one}" for one in ("unused", "cancelled", "reserved", "secret")]
    from ledger.records.events import EVENTS

    keys += [f"{part}-{one}" for one in EVENTS for part in ("event", "count")]
    keys += ["event-office-below", "event-form-law", "event-revoke-because", "event-rule-over"]
    assert [key for key in keys if not has_words(f"page.{key}")] == []


def test_every_field_of_every_kind_has_a_label() -> None:
    """What the tables of kinds allow is labelled in plain words."""
    source = Path(kinds.__file__).read_text("utf-8")
    names = set(re.findall(r'"([a-z_0-9]+)": (?!mapping|either)', source)) | {"start_on", "end_on"}
    names -= {"name", "form", "id", "unknown", "withheld", "year", "number", "from", "to", "unit", "field", "was", "becomes", "currency"}
    assert len(names) > 50
    assert [name for name in sorted(names) if not has_words(f"page.field-{name}")] == []


# -- home


def test_home_says_what_it_is_and_how_it_stands(client: FlaskClient) -> None:
    """What this is and is not, the newest acts first, size, who co-records it (nobody yet, in words), and quiet days."""
    for lang in LANGUAGES:
        page = show(client, "/", lang)
        for key in ("home-is-not", "co-none", "quiet-today"):
            assert say(f"page.{key}", lang) in page.main, key
        assert say("page.home-is", lang, city="Kota Uji") in page.main
        assert say("page.foot-size", lang, count="36") in page.text
        titles = [words for href, words in page.links if re.match(r"/records/\d+", href)]
        assert titles[:2] == [LONG, HOSTILE]


def test_home_does_not_wait_for_the_catalogue(tmp_path: Path) -> None:
    """Where the catalogue is behind or gone, the newest acts stand there all the same, and a search says how far it reaches."""
    town = Town(tmp_path)
    town.settle_in()
    town.published(b"%PDF one", title="Naskah yang baru")
    for file in tmp_path.glob("home/search.db*"):
        file.unlink()
    client = create_app(town.home).test_client()
    assert "Naskah yang baru" in show(client, "/").main
    assert "Naskah yang baru" in show(client, "/records/2").main
    assert say("page.search-behind", "en", reach=0, size=3) in show(client, "/records").main


# -- hostile text


def test_hostile_text_is_text_everywhere(client: FlaskClient) -> None:
    """Titles, numbers, fields and extra that look like markup are shown as they stand, on every page that names them."""
    it = archive()
    pages = ["/", "/records", "/records?q=alert", f"/records/{it.at['hostile']}", f"/n/{HOSTILE[:190]}", f"/records?q={HOSTILE}"]
    for path in pages:
        page = show(client, path, status=None)
        assert page.faults == []
        assert HOSTILE in page.text, path
        assert page.all("script") == [], path
        assert not [one for one in page.all("img") if "onerror" in one.attrs], path
    hostile = act(client, "hostile").main
    assert hostile.count(HOSTILE) >= 4
    assert LONG in act(client, "long").main


@pytest.mark.parametrize("typed", ["\u202egnp.exe", "<b>x</b>", "a\x00b", "x" * 5000, "%s%n", "{typed}", "../../etc/passwd", "\ud83d\ude00"])
def test_what_a_reader_types_is_text(client: FlaskClient, typed: str) -> None:
    """Into references, numbers and searches: never markup, never a turned-around line, never an error of ours."""
    text = typed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    for path, query in (("/r/", {"ref": text}), ("/n/", {"number": text}), ("/records", {"q": text}), ("/records", {"office": text})):
        response = client.get(path, query_string=query, follow_redirects=True)
        assert response.status_code in (200, 400, 404), (path, response.status_code)
        page = read(response.get_data(as_text=True))
        assert page.faults == []
        if path in ("/r/", "/n/"):
            shown = page.main
            assert "\u202e" not in shown
            assert "\x00" not in shown
        assert "<b>x</b>" not in response.get_data(as_text=True)


# -- what is not published


@pytest.fixture
def behind(tmp_path: Path) -> tuple[FlaskClient, int]:
    """The archive as it was before its newest checkpoint came out: the last acts are committed, and in the catalogue."""
    shutil.copytree(archive().home.path, tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "ledger.db") as connection:
        connection.execute("DROP TRIGGER published_no_delete")
        connection.execute("DELETE FROM published WHERE size > 34")
    connection.close()
    settings = tmp_path / "home" / "bening.toml"
    settings.write_text(settings.read_text().replace("../log.pem", str(archive().folder / "log.pem")))
    return create_app(Home.open(tmp_path / "home")).test_client(), 34


def test_what_is_not_published_is_not_shown(behind: tuple[FlaskClient, int]) -> None:
    """Committed acts are nowhere: not in lists, searches, numbers, references, counts, nor as entries."""
    client, size = behind
    hidden = [archive().at[name] for name in ("hostile", "long")]
    assert min(hidden) == size
    for path in ("/", "/records", "/records?q=alert", "/roster", "/numbers", "/coverage"):
        page = show(client, path)
        assert HOSTILE not in page.text, path
        assert LONG not in page.text, path
        assert "34" in page.by_id("main").text or say("page.foot-size", "en", count="34") in page.text, path
    for index in hidden:
        show(client, f"/records/{index}", status=404)
        show(client, f"/records/{index}/label.svg", status=404)
    show(client, f"/r/{archive().refs['long']}", status=404)
    show(client, f"/n/{HOSTILE[:190]}", status=404)


# -- errors


def test_refusals_are_pages_in_words(client: FlaskClient) -> None:
    """Not found, withdrawn, wrong method, malformed: a page in the reader's language, with the reason."""
    sha256 = archive().file(b"%PDF-1.4 withdrawn")["sha256"]
    for lang in LANGUAGES:
        gone = show(client, f"/documents/{sha256[:2]}/{sha256}", lang, 410)
        assert "UU 27/2022" in gone.main
        assert gone.headings[0][1] == say("page.error-410", lang)
        assert say("error.no-entry", lang, index=999, last=35) in show(client, "/records/999", lang, 404).main
        assert say("http.404", lang) in show(client, "/tidak-ada", lang, 404).main
        assert say("page.error-other", lang, status=400) in show(client, "/records?year=abc", lang, 400).main
        assert show(client, "/records?page=0", lang, 400).main
    assert client.post("/roster").status_code == 405


def test_a_ledger_that_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    """When the database is gone the page still says so, without the ledger's name and size, and asks to come back."""
    town = Town(tmp_path)
    app = create_app(town.home)
    town.home.ledger_db.rename(tmp_path / "away")
    response = app.test_client().get("/", headers={"Accept-Language": "id"})
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    page = read(response.get_data(as_text=True))
    assert page.faults == []
    assert page.headings[0][1] == say("page.error-503", "id")


def test_a_refusal_before_flask_is_a_page_too() -> None:
    """429 and 503 of the front: the same words and look, without ledger or template; what it says is text."""
    for lang in LANGUAGES:
        page = read(bare_page(429, "Tunggu <b>5</b> detik\nlalu coba lagi", lang))
        assert page.faults == []
        assert page.headings == [(1, say("page.error-429", lang))]
        assert "Tunggu <b>5</b> detik lalu coba lagi" in page.text
        assert page.all("html")[0].attrs["lang"] == lang
        assert say("page.error-other", lang, status=500) in read(bare_page(500, "x", lang)).text
