"""``/verify`` as it is really served: by ``bening serve``, with its own headers, from the publishing of an act to its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.publisher.town import Town
from tests.web.browser import new_page
from tests.web.serving import serving
from tests.web.verifying import compare_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BODY = b"%PDF-1.4 served"


def test_an_act_published_over_http_is_compared_in_the_browser(tmp_path: Path, browser: Browser) -> None:
    """First not found, then published, then identical; the second visit continues what the first has seen."""
    town = Town(tmp_path)
    town.settle_in()
    with serving(town.home) as served:
        page = new_page(browser, lang="id")
        page.goto(f"{served.url}/verify")
        page.wait_for_selector("html[data-ready]", state="attached")
        assert compare_files(page, ("sk.pdf", BODY)).startswith("Berkas ini tidak sama persis")
        answer = served.submit(town.act(BODY))
        assert answer.status == 201, answer.data
        page.goto(f"{served.url}/verify")
        page.wait_for_selector("html[data-ready]", state="attached")
        text = compare_files(page, ("sk.pdf", BODY))
        assert text.startswith("Berkas ini sama persis dengan berkas yang diterbitkan Kota Uji"), text
        assert page.get_attribute("#result", "data-status") == "0"
        proof = answer.json()["acts"][0]["proof"].encode()
        assert compare_files(page, ("x.pdf", b"lain"), ("x.pdf.tlog-proof", proof)).startswith("TIDAK COCOK.")
        page.click("#result .actions a")
        page.wait_for_url("**/records/*")
        assert page.troubles == []  # type: ignore[attr-defined]
        page.context.close()
