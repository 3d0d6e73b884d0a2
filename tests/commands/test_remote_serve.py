"""Commands with ``-L URL`` against ``bening serve`` itself: two processes, the real site, real contracts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.bening import SECRET, Bening
from tests.commands.test_bulk import MAP, ROOT, ROSTER, row, run, write

SAID = ("--number", "188/1 Tahun 2026", "--title", "Penetapan Tim", "--signed-on", "2 Januari 2026", "--signatory", "Wali Kota")


@pytest.fixture
def url(bening: Bening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger that is served, pinned, and named in the settings."""
    ready = tmp_path_factory.getbasetemp() / "served-city"
    if ready.exists():
        shutil.copytree(ready, ".", dirs_exist_ok=True)
    else:
        bening.found()
        bening.enrol_head()
        shutil.copytree(".", ready)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "cli.py"), "serve", "-L", "city", "--listen", f"127.0.0.1:{port}"]
    with open("serve.log", "wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "BENING_PASSPHRASE": SECRET}, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", process)
        bening("setup", "-L", f"http://127.0.0.1:{port}", "--name", "kota", "--key", "head.pem", "--form", "sk")
        bening("trust", "add", "kota")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, Path("serve.log").read_text()[-2000:]


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(Path("serve.log").read_text()[-2000:])


def _may_sign_contracts(bening: Bening) -> None:
    """Enrol b.pem for contracts, by the site, and write a map."""
    office = '[[office]]\nid = "hukum"\nname = "Bagian Hukum"\n'
    Path("roster.toml").write_text(ROSTER.replace(office, "").replace("head.pem.pub", "b.pem.pub"))
    bening("key", "new", "b.pem")
    bening("roster", "apply", "roster.toml", "--key", "a0.pem", "--key", "b.pem")
    Path("map.toml").write_text(MAP)


def test_an_official_s_day(bening: Bening, url: str) -> None:
    """Publish, again, correct, draft, sign, submit, refused, status and roster: all by the site; the proofs verify."""
    Path("sk.pdf").write_bytes(b"%PDF-1.7 sk")
    ref = bening.json("number", "sk")["labels"][0]["ref"]
    first = bening.json("publish", "sk.pdf", *SAID, "--ref", ref, "--yes")
    assert (first["index"], first["already"]) == (4, False)
    again = bening.json("publish", "sk.pdf", *SAID, "--ref", ref, "--yes")
    assert (again["id"], again["already"]) == (first["id"], True)
    assert [one["code"] for one in bening.json("publish", "sk.pdf", *SAID, "--yes", status=4)["reasons"]] == ["number-used"]
    corrected = bening.json("publish", "--corrects", ref, "--title", "Penetapan", "--reason", "salah judul", "--yes")
    assert corrected["index"] == 5
    Path("big.pdf").write_bytes(b"%PDF-1.7 " + os.urandom(3_000_000))
    bening("draft", "big.pdf", "--number", "2", *SAID[2:], "-o", "act.json")
    bening("sign", "act.json", "--yes")
    assert [one["code"] for one in bening.json("submit", "act.json", status=4)["reasons"]] == ["document-missing"]
    found = bening.json("submit", "act.json", "big.pdf")
    assert bening.json("status", "--act", found["id"])["index"] == found["index"] == 6
    bening("verify", "sk.pdf", "big.pdf")
    bening("roster", "office", "pu", "--name", "Dinas PU", "--key", "a0.pem")
    assert bening.json("roster", "list") == bening.json("roster", "list", "-L", "city")
    assert bening.json("status")["size"] == 8
    bening("audit", url)


def test_many_rows_with_some_refused(bening: Bening, url: str) -> None:
    """The site takes nothing of a request with a refused act; the others are sent again, and stand in their order."""
    _may_sign_contracts(bening)
    rows = [row(number) for number in range(130)]
    write([*rows, row(3), row(131, no="9/SPK/2026")])
    found = run(bening, "rows.jsonl", "--yes", "--key", "b.pem", status=4)
    assert found["counts"] == {"publish": 130, "already": 1, "refused": 1}
    assert [one["index"] for one in found["rows_published"]] == list(range(5, 135))
    assert run(bening, "rows.jsonl", "--yes", "--key", "b.pem", status=4)["counts"] == {"publish": 0, "already": 131, "refused": 1}


def test_the_real_contracts(bening: Bening, url: str, shared: Path) -> None:
    """948 lines over HTTP: 935 published, 8 already, 5 refused; the same acts in the same places as on a folder."""
    source = shared / "data" / "contracts-bandung-2025.jsonl"
    if not source.is_file():
        pytest.skip("the contracts are not here")
    for name in ("kab-bandung-roster.toml", "kab-bandung-contracts.toml"):
        shutil.copy(ROOT / "examples" / name, name)
    Path("contracts.jsonl").write_bytes(source.read_bytes())
    bening("key", "new", "import.pem")
    bening("roster", "apply", "kab-bandung-roster.toml", "--key", "a0.pem", "--key", "import.pem")
    bening("backup", "copy", "-L", "city")
    bening("restore", "copy", "twin")
    words = ("import", "contracts.jsonl", "--map", "kab-bandung-contracts.toml", "--key", "import.pem", "--yes")
    there = bening.json(*words, status=4)
    assert there["counts"] == {"publish": 935, "already": 8, "refused": 5}
    assert bening.json("fsck", "-L", "city")["faults"] == []
    assert bening.json(*words[:-1], status=4)["counts"] == {"publish": 0, "already": 943, "refused": 5}
    Path("contracts.jsonl.bening-import.jsonl").unlink()
    here = bening.json(*words[:-1], "-L", "twin", status=4)
    for key in ("counts", "rows_published", "rows_already", "rows_refused", "rows_twins", "rows_warnings"):
        assert there[key] == here[key], key


def test_a_killed_web_process_doubles_nothing(bening: Bening, url: str) -> None:
    """kill -9 of the process that answers, in the middle of an import: it is started again, and the import goes on."""
    _may_sign_contracts(bening)
    write([row(number) for number in range(450)])
    words = [sys.executable, str(ROOT / "cli.py"), "import", "rows.jsonl", "--map", "map.toml", "--yes", "--key", "b.pem", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and bening.json("status", "-L", "city")["size"] < 120:
        time.sleep(0.05)
    os.kill(_web_process(), signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    assert json.loads(out)["counts"] == {"publish": 450, "already": 0, "refused": 0}
    assert [one["index"] for one in json.loads(out)["rows_published"]] == list(range(5, 455))
    assert bening.json("status")["size"] == 455
    bening("fsck", "-L", "city")


def _web_process() -> int:
    """Return the process of this ledger's ``bening web``."""
    here = str(Path("city").absolute()).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"web" in words and here in words:
                return int(path.parent.name)
    raise AssertionError("no web process")
