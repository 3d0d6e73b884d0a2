"""Two tabs of one browser share a pin: the one that knows less never writes over what the other has seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.publisher.town import Town
from tests.web.conftest import browser, browser_page, page, site_server  # noqa: F401 (fixtures)
from tests.web.verifying import Checker

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.web.browser import LocalSite

_OPEN = """async () => {
  const load = (name) => import(`/static/verify/${name}.js`);
  const [opening, pins, source] = await Promise.all(["opening", "pins", "source"].map(load));
  const kept = new pins.Pins(localStorage);
  const { pin } = await opening.openLedger(new source.Source(location.origin), kept);
  Object.assign(globalThis, { kept, pin });
  return pin.checkpoint.size;
}"""
_SEEN = """async () => {
  const pins = await import("/static/verify/pins.js");
  const { checkpoint, evidence, confirmed } = await new pins.Pins(localStorage).load();
  return { size: checkpoint.size, evidence: evidence.length, confirmed };
}"""


def test_a_tab_left_open_takes_nothing_back(tmp_path: Path, page: Page, site_server: Callable[..., LocalSite]) -> None:  # noqa: F811
    """Comparing the founding in a tab of yesterday keeps the newer state and the evidence of today's tab."""
    town = Town(tmp_path)
    town.settle_in()
    site = site_server(town.home)
    Checker(page, site)
    old = page.evaluate(_OPEN)
    town.published(b"%PDF-1.4 newer")
    other = page.context.new_page()
    other.goto(f"{site.url}/static/verify/bytes.js")
    new = other.evaluate(_OPEN)
    assert new > old
    other.evaluate("() => kept._keepEvidence(pin, pin.note)")
    page.evaluate("() => kept.confirm(pin)")
    assert page.evaluate(_SEEN) == {"size": new, "evidence": 1, "confirmed": True}
    other.evaluate("() => kept.forget()")
    assert page.evaluate("() => localStorage.length") == 0
