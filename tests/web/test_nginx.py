"""nginx as docs/operating.md sets it up: the same files with the same meaning, and nothing static through Python."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.publisher.town import Town
from tests.web.serving import ROOT, Served, free_port, serving

EXAMPLES = ROOT / "examples" / "nginx"
BODY = b"%PDF-1.4 behind nginx"
SHA = hashlib.sha256(BODY).hexdigest()
SAME = (
    "content-type", "cache-control", "access-control-allow-origin", "content-security-policy", "x-content-type-options",
    "content-disposition", "cross-origin-resource-policy", "referrer-policy", "x-frame-options",
)  # fmt: skip

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str, Town]]:
    """A served town, and the URL of nginx before it."""
    folder = tmp_path_factory.mktemp("nginx")
    town = Town(folder)
    town.settle_in()
    town.published(BODY)
    town.published(b"%PDF-1.4 withdrawn")
    gone = hashlib.sha256(b"%PDF-1.4 withdrawn").hexdigest()
    town.roster({"event": "withdraw", "sha256": gone, "law": "UU 27/2022", "reason": "data pribadi"})
    for path in (folder, *folder.parents):
        if path != Path("/") and path.stat().st_uid == 0 and "pytest" in str(path):
            path.chmod(0o755)
    with (town.home.path / "bening.toml").open("a") as settings:
        settings.write('\n[web]\nproxies = ["127.0.0.1"]\n')
    with serving(town.home) as served:
        port, process = _start(folder, town, served)
        try:
            yield served, f"http://127.0.0.1:{port}", town
        finally:
            process.terminate()
            process.wait()


def _start(folder: Path, town: Town, served: Served) -> tuple[int, subprocess.Popen[bytes]]:
    port = free_port()
    text = (EXAMPLES / "ledger.conf").read_text()
    text = text.replace("/srv/ledger/home/public", str(town.home.public)).replace("bening/", f"{EXAMPLES}/")
    text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port};", text)
    text = re.sub(r"ssl_certificate.*\n", "\n", text).replace("http://127.0.0.1:8000", served.url)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;\n"
        f"events {{ }}\nhttp {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n{text}\n}}\n"
    )
    checked = subprocess.run(["nginx", "-t", "-c", str(conf)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return port, process


def get(url: str, **options: object) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, retries=False, redirect=False, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "policy", "policy-ed25519", "roster.jsonl", f"lookup/sha256/{SHA[:3]}", "tile/0/000.p/5",
     "tile/entries/000.p/5", f"documents/{SHA[:2]}/{SHA}"],
)  # fmt: skip
def test_files_are_the_same_behind_nginx(both: tuple[Served, str, Town], path: str) -> None:
    """Bytes, types, caching, CORS and rights are those that ``bening serve`` itself gives."""
    served, url, _ = both
    ours, theirs = served.get(f"/{path}"), get(f"{url}/{path}")
    assert theirs.status == ours.status == 200
    assert theirs.data == ours.data
    for name in SAME:
        assert theirs.headers.get(name) == ours.headers.get(name), name
    assert "x-request-id" not in theirs.headers, "it went through Python"


def test_pages_and_submissions_pass_through(both: tuple[Served, str, Town]) -> None:
    """What is no file reaches the site: pages, refusals of documents with their reason, submissions."""
    served, url, town = both
    assert "x-request-id" in get(f"{url}/nothing").headers
    gone = hashlib.sha256(b"%PDF-1.4 withdrawn").hexdigest()
    assert get(f"{url}/documents/{gone[:2]}/{gone}").status == 410
    behind = Served(served.process, url, served.log)
    assert behind.submit(town.act(b"%PDF-1.4 through nginx")).status == 201
    assert get(f"{url}/metrics").status == 404
    assert get(f"{url}/../bening.toml").status in (400, 404)
