"""Pages in a real browser: for everybody's eyes, hands and ears, on a cheap phone, on paper, and without scripts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ledger.words import say
from tests.web.archive import LONG, archive
from tests.web.browser import LocalSite, local_site, new_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATHS = ("/", "/records?q=trotoar&office=pu", "/records", "/records?q=tidakada", "/roster", "/numbers", "/coverage", "/witnesses", "/about",
         "/n/188.4%2F1%20Tahun%202026", "/r/0000", "/tidak-ada", "/records/0", "/records/1")  # fmt: skip
ACTS = ("contract", "plain", "revoked", "corrected", "disputed", "personnel", "withdrawn", "void", "hostile", "long", "suspect-revocation")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ORDER = ("status", "act-form", "act-title", "act-office", "act-money", "act-dates", "signers", "open", "compare", "checked-short")


@pytest.fixture(scope="module")
def site() -> Iterator[LocalSite]:
    """The site of the archive."""
    with local_site(archive().home) as running:
        yield running


def every_path() -> list[str]:
    """Fixed pages, and acts of every fate."""
    return [*PATHS, *(f"/records/{archive().at[name]}" for name in ACTS)]


# -- accessibility


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browser: Browser, site: LocalSite, dark: bool) -> None:
    """No violation of WCAG 2.2 AA (target size too) nor of good practice, on any page, in either colour scheme."""
    from axe_playwright_python.sync_playwright import Axe

    axe, found = Axe(), []
    page = new_page(browser, dark=dark)
    for path in every_path():
        page.goto(site.url + path)
        options: Any = {"runOnly": RULES, "rules": {"target-size": {"enabled": True}}}
        for one in axe.run(page, options=options).response["violations"]:
            found.append((path, one["id"], [node["html"][:160] for node in one["nodes"][:3]]))
    page.context.close()
    assert found == []


def test_axe_finds_nothing_on_a_phone(browser: Browser, site: LocalSite) -> None:
    """The same where tables become lists and the menu folds, with the menu open."""
    from axe_playwright_python.sync_playwright import Axe

    page, found = new_page(browser, lang="id", width=360, height=640), []
    for path in every_path():
        page.goto(site.url + path)
        page.locator("summary", has_text="Menu").click()
        for one in Axe().run(page, options={"runOnly": RULES, "rules": {"target-size": {"enabled": True}}}).response["violations"]:
            found.append((path, one["id"], [node["html"][:160] for node in one["nodes"][:3]]))
    page.context.close()
    assert found == []


# -- the first screen of an act


@pytest.mark.parametrize("lang", ["id", "en"])
@pytest.mark.parametrize("name", ["contract", "revoked", "personnel", "plain"])
def test_what_decides_stands_on_the_first_screen_of_a_phone(browser: Browser, site: LocalSite, lang: str, name: str) -> None:
    """On 360 x 640: status, form, title, office, money or effect, dates, signers, document, comparing, checked: in this order."""
    page = new_page(browser, lang=lang, width=360, height=640)
    page.goto(f"{site.url}/records/{archive().at[name]}")
    places = [(one, page.locator(f"#{one}").bounding_box()) for one in ORDER]
    page.context.close()
    for (before, upper), (after, lower) in itertools.pairwise(places):
        assert upper is not None, before
        assert lower is not None, after
        assert (upper["y"], upper["x"]) < (lower["y"], lower["x"] + 1), (before, after)
    for one, box in places:
        assert box is not None
        assert box["y"] + box["height"] <= 640, (one, box)
        assert box["x"] >= 0, (one, box)
        assert box["x"] + box["width"] <= 360, (one, box)


# -- narrow, zoomed, long


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_scrolls_sideways(browser: Browser, site: LocalSite, width: int) -> None:
    """At 320 CSS pixels (1280 at 400 %) and wider, on every page, words without a space included."""
    page, wide = new_page(browser, width=width, height=640), []
    for path in every_path():
        page.goto(site.url + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    page.context.close()
    assert wide == []


def test_long_words_stay_inside(browser: Browser, site: LocalSite) -> None:
    """A title of 990 letters without a space is broken, not cut, on its own page."""
    page = new_page(browser, width=320, height=640)
    page.goto(f"{site.url}/records/{archive().at['long']}")
    box, text = page.locator("h1").bounding_box(), page.locator("h1").inner_text()
    page.context.close()
    assert box is not None
    assert box["x"] + box["width"] <= 320
    assert box["height"] > 400
    assert re.sub(r"\s", "", text) == LONG


# -- keyboard


def test_by_keyboard_alone(browser: Browser, site: LocalSite) -> None:
    """The first tab stop skips to the content, focus is always visible, and a search is typed, sent, and read on."""
    page = new_page(browser, lang="en")
    page.goto(site.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("trotoar")
    page.keyboard.press("Enter")
    page.wait_for_url("**/records?q=trotoar")
    stops = _stops(page)
    page.context.close()
    assert {"q", "sort", "since", "until"} <= {one["id"] for one in stops}
    assert [one["href"] for one in stops if one["href"].startswith("/records/")]
    assert [one for one in stops if not one["outlined"]] == []


def _stops(page: Page) -> list[dict[str, Any]]:
    """Tab through the whole page; each stop with its id, address, and whether its focus can be seen."""
    found: list[dict[str, Any]] = []
    script = """() => { const e = document.activeElement, s = getComputedStyle(e);
      return {id: e.id, href: e.getAttribute('href') || '', tag: e.tagName,
              outlined: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2}; }"""
    page.evaluate("document.activeElement.blur()")
    for _ in range(120):
        page.keyboard.press("Tab")
        stop = page.evaluate(script)
        if stop["tag"] == "BODY":
            break
        found.append(stop)
    return found


def test_the_menu_of_a_phone_opens_by_keyboard_and_without_scripts(browser: Browser, site: LocalSite) -> None:
    """It is a plain disclosure; its links lead on."""
    page = new_page(browser, lang="en", width=360, height=640, java_script_enabled=False)
    page.goto(site.url + "/numbers")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("navigation").get_by_role("link", name="Who may sign").click()
    assert page.url == site.url + "/roster"
    page.context.close()


# -- without scripts, third parties, cookies


def test_everything_works_without_scripts(browser: Browser, site: LocalSite) -> None:
    """Search, a facet, an order, a chip, the next page, an act, its proof in full: by plain links and forms."""
    page = new_page(browser, lang="en", java_script_enabled=False)
    page.goto(site.url + "/records")
    page.get_by_label("Dinas Pekerjaan Umum dan Penataan Ruang").check()
    page.get_by_label("Order", exact=True).select_option("recorded")
    page.get_by_role("button", name="Apply").click()
    assert page.url == site.url + "/records?q=&sort=recorded&office=pu&since=&until="
    assert page.locator("#hits").inner_text() == say("page.hits", "en", count="5")
    page.get_by_role("link", name="Perbaikan Trotoar Jalan Merdeka").first.click()
    assert page.locator("#act-title").inner_text() == "Perbaikan Trotoar Jalan Merdeka"
    page.get_by_text(say("page.proof-values", "en")).click()
    assert page.get_by_text(say("page.proof-signed", "en")).is_visible()
    page.get_by_role("link", name="ID", exact=True).first.click()
    assert page.locator("html").get_attribute("lang") == "id"
    page.context.close()


def test_no_third_party_no_cookie_no_broken_part(browser: Browser, site: LocalSite) -> None:
    """Every request goes to this site and succeeds, no cookie or storage is left behind, no script is refused, no dialog opens."""
    page = new_page(browser)
    asked: list[tuple[str, int]] = []
    dialogs: list[str] = []
    page.on("response", lambda response: asked.append((response.url, response.status)))
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for path in every_path():
        page.goto(site.url + path, wait_until="load")
        assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)"), path
    left = page.context.cookies(), page.evaluate("[localStorage.length, sessionStorage.length]")
    troubles = [one for one in page.troubles if "404" not in one]  # type: ignore[attr-defined]
    page.context.close()
    assert [url for url, _ in asked if not url.startswith(site.url)] == []
    assert {url for url, status in asked if status >= 400} == {site.url + "/r/0000", site.url + "/tidak-ada"}
    assert left == ([], [0, 0])
    assert dialogs == troubles == []


# -- paper


@pytest.mark.parametrize("lang", ["id", "en"])
@pytest.mark.parametrize("name", ["contract", "plain", "corrected", "disputed", "personnel", "permit", "addendum"])
def test_an_act_prints_to_one_sheet(browser: Browser, site: LocalSite, lang: str, name: str) -> None:
    """A4, with status, facts, file codes, citation, the QR code and its sentence; no menu, no button."""
    page = new_page(browser, lang=lang)
    page.goto(f"{site.url}/records/{archive().at[name]}")
    data = page.pdf(prefer_css_page_size=True, format="A4")
    page.emulate_media(media="print")
    label, sentence = page.locator(".label img").bounding_box(), page.get_by_text(say("page.label-sentence", lang)).bounding_box()
    shown = page.evaluate("document.body.innerText")
    gone = [page.locator(one).first.is_visible() for one in (".wide", ".languages", ".button", ".proof")]
    page.context.close()
    assert len(re.findall(rb"/Type\s*/Page\b", data)) == 1
    assert label is not None
    assert label["width"] > 80
    assert sentence is not None
    for one in (say("page.cite", lang), say("page.compare", lang), say("page.not-checked-short", lang), say("page.not-gazette", lang)):
        assert one in shown, one
    assert not any(gone)
