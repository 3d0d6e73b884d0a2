"""Fixtures for tests of the site in a real browser; see ``browser``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.publisher.town import Town
from tests.web.browser import LocalSite, chromium, find_chromium, local_site, new_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from ledger.publisher.home import Home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for one test module; skipped aloud where there is none, but never in CI."""
    if find_chromium() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have Chromium: nothing was tested in a browser")
        pytest.skip("NO CHROMIUM HERE: what a browser does with these pages was NOT tested")
    with chromium() as running:
        yield running


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile, English, 1280 x 900; after the test no script may have failed on it."""
    page = new_page(browser)
    yield page
    page.context.close()
    assert page.troubles == []  # type: ignore[attr-defined]


@pytest.fixture
def page(browser_page: Page) -> Page:
    """``browser_page`` by its short name."""
    return browser_page


@pytest.fixture
def site_server() -> Iterator[Callable[..., LocalSite]]:
    """Serve a home (``site_server(home)``) or another ``public`` folder, until the test ends; see ``LocalSite``."""
    with ExitStack() as open_sites:

        def start(home: Home | None = None, public: Path | None = None) -> LocalSite:
            return open_sites.enter_context(local_site(home, public))

        yield start


@pytest.fixture(scope="session")
def plain_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small ledger that no test writes to: whoever brings a published folder of its own serves the site around it."""
    town = Town(tmp_path_factory.mktemp("town"))
    town.settle_in()
    return town.home
