"""The files of the log over HTTP: types, caching, CORS and ranges as C2SP tlog-tiles and the design's section 6 have them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.verifier.client import UrlSource
from tests.publisher.town import Town
from tests.web.asgi import Client
from web.front.files import span_of

BODY = b"%PDF-1.4 " + bytes(range(256)) * 8
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    made = Town(tmp_path_factory.mktemp("town"))
    made.settle_in()
    made.published(BODY)
    made.published(b"<svg xmlns='http://www.w3.org/2000/svg'/>", documents=[
        {**made.file(b"<svg/>"), "media_type": "image/svg+xml", "name": "a.svg", "role": "signed"}])  # fmt: skip
    return made


@pytest.fixture
def client(town: Town) -> Iterator[Client]:
    made = Client(town.home, sequencing=False)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "content_type", "cache"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "max-age=2"),
        ("policy", "text/plain; charset=utf-8", "max-age=2"),
        ("policy-ed25519", "text/plain; charset=utf-8", "max-age=2"),
        ("roster.jsonl", "application/jsonl; charset=utf-8", "max-age=2"),
        (f"lookup/sha256/{SHA[:3]}", "text/plain; charset=utf-8", "max-age=2"),
        ("tile/0/000.p/4", "application/octet-stream", "immutable"),
        ("tile/entries/000.p/4", "application/octet-stream", "immutable"),
    ],
)
def test_files_of_the_log_are_served_byte_by_byte(town: Town, client: Client, path: str, content_type: str, cache: str) -> None:
    """Exact bytes, the specification's type, caching for seconds or for ever, readable from any origin."""
    reply = client.get(f"/{path}")
    assert reply.status == 200
    assert reply.body == (town.home.public / path).read_bytes()
    assert reply.headers["content-type"] == content_type
    assert cache in reply.headers["cache-control"]
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
    assert client.get(f"/{path}", headers={"if-none-match": reply.headers["etag"]}).status == 304
    head = client.ask("HEAD", f"/{path}")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) == len(reply.body)


def test_a_document_is_an_attachment_without_rights(client: Client) -> None:
    """Attachment, nosniff, CSP sandbox, for ever; never a type that a browser would run."""
    reply = client.get(f"/documents/{SHA[:2]}/{SHA}")
    assert reply.body == BODY
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert re.search(r"(^|; )sandbox$", reply.headers["content-security-policy"])
    assert "immutable" in reply.headers["cache-control"]


def test_a_pdf_can_be_looked_at_in_place_and_an_svg_cannot(town: Town, client: Client) -> None:
    """PDF and images are shown under a sandbox; what could carry scripts is only downloaded."""
    shown = client.get(f"/view/{SHA}")
    assert (shown.status, shown.body) == (200, BODY)
    assert shown.headers["content-type"] == "application/pdf"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert "allow-scripts" not in shown.headers["content-security-policy"]
    assert "x-bening-file" not in shown.headers
    assert client.get(f"/view/{SHA}", headers={"range": "bytes=0-3"}).body == b"%PDF"
    svg = hashlib.sha256(b"<svg/>").hexdigest()
    assert client.get(f"/view/{svg}").status == 415
    assert client.get(f"/view/{'0' * 64}").status == 404
    assert client.get("/view/..%2f..%2fbening.toml").status == 404


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=2048-", 206, (2048, len(BODY))),
        ("bytes=-5", 206, (len(BODY) - 5, len(BODY))),
        ("bytes=-999999", 206, (0, len(BODY))),
        ("bytes=10-999999", 206, (10, len(BODY))),
        ("bytes=999999-", 416, None),
        ("bytes=5-2", 200, (0, len(BODY))),
        ("bytes=0-1,3-4", 200, (0, len(BODY))),
        ("lines=0-1", 200, (0, len(BODY))),
        ("bytes=-", 200, (0, len(BODY))),
        ("bytes=٤-٥", 200, (0, len(BODY))),
    ],
)
def test_ranges(client: Client, asked: str, status: int, span: tuple[int, int] | None) -> None:
    """One range is served; what cannot be satisfied is 416; what is not one range is answered whole (RFC 9110, 14)."""
    reply = client.get(f"/documents/{SHA[:2]}/{SHA}", headers={"range": asked})
    assert reply.status == status
    if span:
        assert reply.body == BODY[slice(*span)]
    if status == 206 and span:
        assert reply.headers["content-range"] == f"bytes {span[0]}-{span[1] - 1}/{len(BODY)}"


def test_a_range_of_another_version_is_answered_whole(client: Client) -> None:
    """If-Range with another tag: the whole document, never a mixture."""
    reply = client.get(f"/documents/{SHA[:2]}/{SHA}", headers={"range": "bytes=0-3", "if-range": '"old"'})
    assert (reply.status, reply.body) == (200, BODY)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_spans_stay_inside(size: int) -> None:
    """Whatever is asked, a span lies inside the file and is not empty."""
    for start in ["", *range(12)]:
        for end in ["", *range(12)]:
            span = span_of(f"bytes={start}-{end}", size)
            assert span is None or span == (-1, -1) or 0 <= span[0] < span[1] <= size


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/000.p/5", "/tile/0/999", "/lookup/sha256/00g", "/lookup/ref/IL", "/lookup/other/000",
        "/documents/../bening.toml", "/documents/aa/../../../bening.toml", "//bening.toml", "/bening.toml", "/ledger.db",
        "/../bening.toml", "/tile/../../bening.toml", "/documents/aa/" + "b" * 64, "/tile/0/000.p/04", "/tile/0/x000/000",
        "/checkpoint/", "/checkpoint\x00", "/%2e%2e/bening.toml", "/staging/x", "/inbox.db", "/search.db",
    ],
)  # fmt: skip
def test_nothing_else_is_read(client: Client, path: str) -> None:
    """Only names that the log can have lead to files; everything else is 404, whatever it spells."""
    reply = client.get(path)
    assert reply.status == 404
    assert b"founding" not in reply.body


def test_a_tile_that_went_is_gone_at_once(tmp_path: Path) -> None:
    """What lies in memory is held against the disk: a partial tile that was outgrown, a document that was withdrawn."""
    town = Town(tmp_path)
    town.settle_in()
    town.published(BODY)
    client = Client(town.home, sequencing=False)
    path = f"/documents/{SHA[:2]}/{SHA}"
    first = client.get("/checkpoint").body
    assert client.get(path).status == 200
    town.roster({"event": "withdraw", "sha256": SHA, "law": "UU 27/2022", "reason": "data pribadi"})
    assert client.get("/checkpoint").body != first
    gone = client.get(path, headers={"accept-language": "id"})
    assert gone.status == 410
    assert "data pribadi" in gone.body.decode()
    assert "UU 27/2022" in gone.body.decode()
    assert client.get(f"/view/{SHA}").status == 410
    client.close()


def test_the_headers_of_a_page_reach_an_a_plus(client: Client) -> None:
    """CSP without unsafe-*, no framing, no referrer, isolation; HSTS only where the request came over TLS."""
    page = client.get("/nothing-here")
    csp = page.headers["content-security-policy"]
    assert csp.startswith("default-src 'none'")
    assert "unsafe" not in csp
    assert "frame-ancestors 'none'" in csp
    for name, value in {
        "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-origin",
    }.items():  # fmt: skip
        assert page.headers[name] == value
    assert "strict-transport-security" not in page.headers
    assert "set-cookie" not in page.headers


def test_the_verifier_reads_through_the_site(town: Town) -> None:
    """What the command line reads by HTTP is what this serves: checkpoint, tiles, entries, roster, look-ups."""
    assert UrlSource("http://ledger.example").location == "http://ledger.example"
