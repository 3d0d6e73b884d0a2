"""The JavaScript verifier in a real browser, asked as Python asks its own; and a city that both have pinned.

    checker = Checker(page, site)                       # the modules of web/static/verify, without the page around them
    checker.pin()                                       # a first visit, and the founding compared
    checker.files({"sk.pdf": b"%PDF ..."})              # [{"status": 0, "checks": [...], "facts": {...}, "notices": [...]}]
    checker.run("numbers", "m.foldNumber(a)", "No. 1")  # any expression with the module as m and the argument as a
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error

from ledger.verifier.client import open_source
from ledger.verifier.trust import add_pin, propose_source
from ledger.verifier.verdict import Verdict
from tests.adversary.attack import Scene
from web.pages.verify import data_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.web.browser import LocalSite

__all__ = ["Checker", "PinnedScene", "compare_files", "differences", "open_page", "result_text", "summary"]

_CHECK = """async ({files, typed, readme}) => {
  const load = (name) => import(`/static/verify/${name}.js`);
  const [opening, pins, source, checking, verdict, bytes, stage] = await Promise.all(
    ["opening", "pins", "source", "checking", "verdict", "bytes", "stage"].map(load));
  const ledger = await opening.openLedger(new source.Source(location.origin), new pins.Pins(localStorage));
  const given = files?.map(([name, data]) => new File([bytes.parseBase64(data)], name));
  const found = typed
    ? await checking.checkTyped(typed, ledger)
    : await checking.checkFiles(given, ledger, { readme: stage.makeReadme(readme) });
  return found.map((one) => ({ ...one, status: verdict.statusOf(one) }));
}"""
_PIN = """async () => {
  const load = (name) => import(`/static/verify/${name}.js`);
  const [opening, pins, source] = await Promise.all(["opening", "pins", "source"].map(load));
  const kept = new pins.Pins(localStorage);
  const { pin, before } = await opening.openLedger(new source.Source(location.origin), kept);
  if (!pin) throw new Error(JSON.stringify(before));
  kept.confirm(pin);
}"""
# What the browser tells besides: its own pin, and what it cannot check. Nothing of it is in Python's verdict.
_OWN = {"pinned", "compared", "post-quantum", "look-up"}
_OWN_ALARMS = {"founding-changed", "policy-other-keys", "policy-weaker"}


class Checker:
    """The modules in ``page``, asked at ``site``."""

    def __init__(self, page: Page, site: LocalSite) -> None:
        self.page, self.site = page, site
        page.goto(f"{site.url}/static/verify/bytes.js")

    def run(self, module: str, expression: str, argument: Any = None) -> Any:
        """Return what an expression says, with the module as ``m``, the bytes module as ``b`` and the argument as ``a``."""
        loads = f"const m = await import('/static/verify/{module}.js'); const b = await import('/static/verify/bytes.js');"
        return self._ask(f"async (a) => {{ {loads} return {expression}; }}", argument)

    def _ask(self, program: str, argument: Any = None) -> Any:
        """Return what ``program`` says. One that does not answer is asked once more on a fresh page, and then fails.

        A browser on a busy machine sometimes loses a request of its own; a test must neither wait for ever nor fail for that.
        """
        late = "new Promise((_, no) => setTimeout(() => no(new Error('no answer in time')), 60000))"
        raced = f"(a) => Promise.race([({program})(a), {late}])"
        try:
            return self.page.evaluate(raced, argument)
        except Error as error:
            if "no answer in time" not in str(error):
                raise
        self.page.goto(f"{self.site.url}/static/verify/bytes.js")
        return self.page.evaluate(raced, argument)

    def pin(self) -> None:
        """Visit the ledger for the first time, and note that its founding was compared."""
        self._ask(_PIN)

    def files(self, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """Check files that are given together."""
        given = [[name, base64.b64encode(data).decode()] for name, data in files.items()]
        return list(self._ask(_CHECK, {"files": given, "typed": None, "readme": data_for("en")["readme"]}))

    def typed(self, **typed: str) -> list[dict[str, Any]]:
        """Check what was typed: ``ref=`` or ``number=``."""
        return list(self._ask(_CHECK, {"files": None, "typed": typed, "readme": data_for("en")["readme"]}))


class PinnedScene(Scene):
    """A scene whose reader has pinned the policy for readers without ML-DSA-44, as a browser does."""

    def renew(self) -> None:
        """Pin what the city offers to such readers."""
        policy = (self.city.path / "policy-ed25519").read_bytes()
        self.pin = add_pin(self.path / "trust", propose_source(open_source(str(self.city.path)), policy_file=policy))


def summary(verdict: Verdict | Mapping[str, Any]) -> dict[str, Any]:
    """Return what two verifiers must agree on: the status, every check, the facts, the notices."""
    found = json.loads(json.dumps(verdict.to_json(lambda key, **_: key))) if isinstance(verdict, Verdict) else dict(verdict)
    checks = [(one["name"], one["state"], one["code"]) for one in found["checks"]]
    own = {(one, state) for one in _OWN for state in ("passed", "not_checked")} - {("pinned", "not_checked")}
    facts = found["facts"] and {**found["facts"], "dates": dict(found["facts"]["dates"])}
    (facts or {}).pop("utc_offset", None)
    notices = [(one["code"], one["values"].get("index"), one["values"].get("ref")) for one in found["notices"]]
    return {
        "status": found["status"],
        "checks": sorted({one for one in checks if one[:2] not in own and one[2] not in _OWN_ALARMS}),
        "facts": facts,
        "notices": [one for one in notices if one[0] != "policy-changed"],
    }


def differences(ours: list[dict[str, Any]], theirs: list[Verdict]) -> list[str]:
    """Return where the browser's verdicts differ from Python's, none where they agree."""
    if len(ours) != len(theirs):
        return [f"{len(ours)} verdicts, not {len(theirs)}"]
    found = []
    for one, other in zip(map(summary, ours), map(summary, theirs), strict=True):
        found += [f"{key}: {one[key]} != {other[key]}" for key in one if one[key] != other[key]]
    return found


# ---- the page


def open_page(page: Page, site: LocalSite, lang: str = "en") -> None:
    """Open ``/verify`` and wait until its script is ready."""
    page.goto(f"{site.url}/verify?lang={lang}")
    page.wait_for_selector("html[data-ready]", state="attached")


def compare_files(page: Page, *files: Path | tuple[str, bytes]) -> str:
    """Choose files on the page, wait for the verdict, and return its text."""
    given: Any = [
        str(one) if isinstance(one, Path) else {"name": one[0], "mimeType": "application/octet-stream", "buffer": one[1]}
        for one in files
    ]
    page.set_input_files("#files", given)
    return result_text(page)


def result_text(page: Page) -> str:
    """Wait until the comparison has ended; return the text of its result."""
    page.wait_for_selector("#result[aria-busy=false]")
    return page.inner_text("#result")
