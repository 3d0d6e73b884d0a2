"""The file to keep: opened from the disk without any network, it checks proofs and bundles by what the reader gives it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.publisher.home import Home
from ledger.words import sentences
from tests.adversary.attack import BODY, FORGED, Scene, rebag
from tests.web.browser import new_page
from tests.web.verifying import PinnedScene, compare_files
from web.app import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LANGUAGES = ("id", "en")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return PinnedScene(tmp_path)


@pytest.fixture(scope="module")
def files(plain_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, downloaded from the site."""
    folder = tmp_path_factory.mktemp("keep")
    client = create_app(plain_home).test_client()
    for lang in LANGUAGES:
        answer = client.get(f"/verify/bening-verify-{lang}.html")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="bening-verify-{lang}.html"'
        (folder / f"bening-verify-{lang}.html").write_bytes(answer.data)
    return folder


@pytest.fixture(params=LANGUAGES)
def kept(request: pytest.FixtureRequest, browser: Browser, files: Path) -> Iterator[tuple[Page, str]]:
    """The file in one language, open in a browser that has no network; it must ask for nothing but itself."""
    page = new_page(browser, offline=True)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    place = (files / f"bening-verify-{request.param}.html").as_uri()
    page.goto(place)
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page, request.param
    assert asked == [place]
    assert page.troubles == []  # type: ignore[attr-defined]
    page.context.close()


def status(page: Page) -> str | None:
    return page.get_attribute("#result", "data-status")


def reads(text: str, key: str, lang: str) -> bool:
    section, _, name = key.partition(".")
    parts = [part for part in re.split(r"\{\w+\}", " ".join(sentences(section, lang)[name].split())) if len(part) > 8]
    return all(part in " ".join(text.split()) for part in parts)


def give(page: Page, **trust: Any) -> None:
    """Give what the reader trusts."""
    for name, value in trust.items():
        if isinstance(value, bytes):
            page.set_input_files(f"#{name}", {"name": name, "mimeType": "text/plain", "buffer": value})
        else:
            page.fill(f"#{name.replace('_', '-')}", value)


def test_a_bundle_by_its_own_policy(kept: tuple[Page, str], scene: Scene) -> None:
    """It agrees with itself, which is said; nothing is complete by it."""
    page, lang = kept
    text = compare_files(page, ("bukti.zip", scene.bundle().read_bytes()))
    assert status(page) == "3"
    assert reads(text, "verify.headline-identical", lang)
    assert reads(text, "compare.bundle-own-policy", lang)
    assert reads(text, "check.later-offline", lang)


def test_a_bundle_by_the_printed_founding(kept: tuple[Page, str], scene: Scene) -> None:
    """The founding from a newspaper settles it; another one fails."""
    page, lang = kept
    give(page, founding=" ".join(re.findall(".{8}", scene.city.founding)))
    text = compare_files(page, ("bukti.zip", scene.bundle().read_bytes()))
    assert (status(page), reads(text, "compare.founding-given", lang)) == ("0", True)
    give(page, founding="0" * 64)
    text = compare_files(page, ("bukti.zip", scene.bundle().read_bytes()))
    assert (status(page), reads(text, "check.other-founding", lang)) == ("1", True)


@pytest.mark.parametrize("lie", ["documents/", "record.json", "roster.jsonl", "data/checkpoint", "policy-ed25519"])
def test_a_bundle_that_was_changed(kept: tuple[Page, str], scene: Scene, lie: str) -> None:
    """One byte of any part, though the manifest agrees: it does not hold, in words."""
    page, lang = kept
    give(page, founding=scene.city.founding)

    def change(files: dict[str, bytes]) -> None:
        name = next(one for one in files if lie in one)
        data = bytearray(files[name])
        data[len(data) // 3] ^= 1
        files[name] = bytes(data)

    text = compare_files(page, ("bukti.zip", rebag(scene.bundle(), change).read_bytes()))
    assert status(page) == "1"
    assert " ".join(text.split()).startswith(sentences("verify", lang)["headline-failed"])


def test_a_document_with_its_proof(kept: tuple[Page, str], scene: Scene) -> None:
    """Policy and roster given: all needed is checked; without the roster the signer is not; a changed file fails."""
    page, lang = kept
    proof = ("sk.pdf.tlog-proof", scene.city.proof(scene.index))
    text = compare_files(page, ("sk.pdf", BODY), proof)
    assert (status(page), reads(text, "compare.no-trust-given", lang)) == ("3", True)
    give(page, policy_text=scene.city.policy_file(post_quantum=False).decode())
    text = compare_files(page, ("sk.pdf", BODY), proof)
    assert (status(page), reads(text, "compare.signer-not-checked", lang)) == ("3", True)
    give(page, roster=(scene.city.path / "roster.jsonl").read_bytes())
    text = compare_files(page, ("sk.pdf", BODY), proof)
    assert (status(page), reads(text, "verify.headline-identical", lang)) == ("0", True)
    assert hashlib.sha256(BODY).hexdigest() in text
    text = compare_files(page, ("sk.pdf", FORGED), proof)
    assert (status(page), reads(text, "check.document-differs", lang)) == ("1", True)


def test_the_full_policy(kept: tuple[Page, str], scene: Scene) -> None:
    """With the post-quantum key in it: its line must be there, and is said not to be checked."""
    page, lang = kept
    give(page, policy=scene.city.policy, roster=(scene.city.path / "roster.jsonl").read_bytes())
    proof = scene.city.proof(scene.index)
    text = compare_files(page, ("sk.pdf", BODY), ("sk.pdf.tlog-proof", proof))
    assert (status(page), reads(text, "compare.post-quantum", lang)) == ("0", True)
    lines = proof.rstrip(b"\n").split(b"\n")
    text = compare_files(page, ("sk.pdf", BODY), ("sk.pdf.tlog-proof", b"\n".join(lines[:-1]) + b"\n"))
    assert status(page) != "0"


def test_damaged_trust(kept: tuple[Page, str], scene: Scene) -> None:
    """A policy that is none, or of another founding than the typed one, never gives 0."""
    page, _ = kept
    proof = ("sk.pdf.tlog-proof", scene.city.proof(scene.index))
    give(page, policy_text="hello")
    compare_files(page, ("sk.pdf", BODY), proof)
    assert status(page) != "0"
    give(page, policy_text=scene.city.policy_file(post_quantum=False).decode(), founding="1" * 64)
    compare_files(page, ("sk.pdf", BODY), proof)
    assert status(page) == "1"


def test_a_document_alone(kept: tuple[Page, str]) -> None:
    """Nothing to check it against: said, with its code."""
    page, lang = kept
    text = compare_files(page, ("sk.pdf", BODY))
    assert (status(page), reads(text, "compare.nothing-to-check-against", lang)) == ("3", True)


def test_it_is_one_file_that_can_reach_nothing(files: Path) -> None:
    """No address in it but those of the sentences, and a policy that lets in this script and these styles only."""
    for lang in LANGUAGES:
        text = (files / f"bening-verify-{lang}.html").read_text("utf-8")
        assert re.search(r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-", text.replace("&#39;", "'"))
        assert not re.search(r"<(?:link|img|iframe|script) [^>]*(?:src|href)=", text)
        assert f'<html lang="{lang}">' in text


def test_accessibility(kept: tuple[Page, str], scene: Scene) -> None:
    """axe finds nothing, before and after; nothing is wider than a phone."""
    page, _ = kept
    page.set_viewport_size({"width": 360, "height": 640})
    from axe_playwright_python.sync_playwright import Axe

    assert Axe().run(page).violations_count == 0
    compare_files(page, ("bukti.zip", scene.bundle().read_bytes()))
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
