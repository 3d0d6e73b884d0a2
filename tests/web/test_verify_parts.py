"""What ``/verify`` is made of: joined modules, sentences for every code, headers, and no request that is not needed."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest

from ledger.publisher.home import Home
from ledger.words import LANGUAGES, sentences
from web.app import create_app
from web.pages.joining import join_modules
from web.pages.verify import data_for

MODULES = Path(__file__).parents[2] / "web" / "static" / "verify"
# Words with hyphens in the modules that are no codes.
NO_CODES = {
    "camera-close", "camera-picture", "cannot-text", "certified-copy", "content-type", "data-status", "deflate-raw", "key-trust", "log-pq",
    "look-up", "names-hold", "no-referrer", "no-store", "pin-accept", "pin-compare", "pin-evidence", "pin-facts", "pin-forget", "pin-told",
    "pin-typed", "policy-ed25519", "policy-text", "roster-file", "scan-none", "typed-text", "utf-8", "aria-busy", "post-quantum",
}  # fmt: skip


def modules() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in sorted(MODULES.glob("*.js"))}


@pytest.fixture
def client(plain_home: Home):
    return create_app(plain_home).test_client()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_in_the_modules_has_its_sentence(lang: str) -> None:
    """What the script can say, the page carries; a code without a sentence would show an engineer's word."""
    words = data_for(lang)["words"]
    known = {key.partition(".")[2] for key in words if key.partition(".")[0] in ("compare", "check", "reason", "error")}
    for name, text in modules().items():
        codes = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', text)) - NO_CODES
        assert codes <= known, f"{name}: {sorted(codes - known)}"
        keys = set(re.findall(r'say\("([a-z.-]+\.[a-z0-9_-]+)"', text))
        assert keys <= words.keys(), f"{name}: {sorted(keys - words.keys())}"


def test_single_word_codes_have_sentences_too() -> None:
    """Codes without a hyphen stand as second argument of an error, or as a check's code."""
    words = data_for("en")["words"]
    known = {key.partition(".")[2] for key in words}
    for name, text in modules().items():
        for code in re.findall(r'(?:Error|check|add)\((?:[^()"]|"[^"]*", )*"(?:passed|failed|not_checked|disputed)", "([a-z-]+)"', text):
            assert code in known, f"{name}: {code}"
    for code in ("fetch", "format", "inclusion", "consistency", "proof", "policy", "signature", "verification", "truncated", "portal", "included", "grew", "witnessed",
                 "unsorted", "missing", "twice", "float"):  # fmt: skip
        assert code in known, code


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_place_in_a_sentence_that_the_browser_says_itself(lang: str) -> None:
    """Each {value} of the browser's own sentences is one that some module gives."""
    given = set(re.findall(r"\b([a-z_0-9]+)(?=[,:} ])", " ".join(modules().values())))
    for key, text in sentences("compare", lang).items():
        assert set(re.findall(r"\{(\w+)\}", text)) <= given, key


def test_words_of_the_browser_are_those_of_the_design() -> None:
    """Design, section 9, for the sentences of the browser as for all that people read."""
    from tests.test_words import NEVER

    for lang in LANGUAGES:
        for key, text in sentences("compare", lang).items():
            assert not re.search(rf"\b(?:{NEVER[lang]})\b", re.sub(r"\{\w+\}", "", text), re.IGNORECASE), key


def test_modules_join(tmp_path: Path) -> None:
    """One script without import or export, each module once and after what it needs."""
    script = join_modules(MODULES, "main")
    assert not re.search(r"^(?:import|export)\b", script, re.MULTILINE)
    order = re.findall(r"^const m_(\w+) = ", script, re.MULTILINE)
    assert len(order) == len(set(order))
    for name, body in re.findall(r"^const m_(\w+) = \(\(\) => \{\n(.*?)^\}\)\(\);", script, re.MULTILINE | re.DOTALL):
        for needed in re.findall(r"= m_(\w+);", body):
            assert order.index(needed) < order.index(name)
    used = {*order, *re.findall(r"^const m_(\w+) = ", join_modules(MODULES, "offline"), re.MULTILINE)}
    assert used == modules().keys()  # no module is left over


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("default", "export default 1;\n", "cannot be joined"),
        ("renamed", 'import * as x from "./a.js";\n', "cannot be joined"),
        ("circle", 'import { x } from "./circle.js";\nexport const x = 1;\n', "circle"),
        ("html", 'export const x = "</script>";\n', "inside HTML"),
    ],
)
def test_a_module_of_another_shape_is_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    """Rather no page than a script that was joined wrongly."""
    (tmp_path / f"{name}.js").write_text(text)
    (tmp_path / "a.js").write_text("export const x = 1;\n")
    with pytest.raises(ValueError, match=why):
        join_modules(tmp_path, name)


def test_modules_keep_to_their_measure() -> None:
    """One idea a file: a head that says what it is, short lines, nothing left over from work."""
    for name, text in modules().items():
        assert text.startswith("// "), name
        lines = text.split("\n")
        assert len(lines) < 300, name
        assert max(map(len, lines)) <= 130, name
        assert not re.search(r"TODO|FIXME|console\.|debugger|innerHTML|insertAdjacentHTML|eval\(|document\.write", text), name


def test_the_page_needs_one_script(client) -> None:
    """One request for the script, which never changes under its name and comes packed; everything by our own address."""
    page = client.get("/verify?lang=en")
    assert page.status_code == 200
    scripts = re.findall(r'<script type="module" src="([^"]+)"', page.text)
    assert len(scripts) == 1
    script = client.get(scripts[0], headers={"Accept-Encoding": "gzip"})
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(script.data) == client.get(scripts[0]).data
    assert len(script.data) < 80_000
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(r"\son[a-z]+=|\sstyle=|<style", page.text)


def test_what_is_not_there(client) -> None:
    """Another name below /verify is no page."""
    for name in ("compare-000000000000.js", "bening-verify-fr.html", "main.js", "x"):
        assert client.get(f"/verify/{name}").status_code == 404


def test_node_reads_every_module() -> None:
    """Where node is there, each module parses by itself."""
    try:
        subprocess.run(["node", "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no node here")
    for path in sorted(MODULES.glob("*.js")):
        subprocess.run(["node", "--check", str(path)], check=True, capture_output=True)
