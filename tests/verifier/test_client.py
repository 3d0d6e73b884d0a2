"""Reading from a folder or a URL: everything ends, nothing escapes, and absence is its own answer."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.errors import FetchError, FormatError, ProofError
from ledger.tlog.tiles import Tile
from ledger.verifier.client import (
    FolderSource,
    UrlSource,
    fetch_checkpoint,
    fetch_document,
    fetch_entries,
    fetch_tile,
    look_up,
    open_source,
    read_roster,
    roster_lines,
)
from tests.city import City, serve


@pytest.fixture
def city(tmp_path: Path) -> City:
    city = City(tmp_path / "kota")
    city.publish()
    city.write()
    return city


@pytest.fixture(params=["folder", "url"])
def location(city: City, request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "folder":
        yield str(city.path)
    else:
        with serve(city.path) as url:
            yield url


def test_both_sources_give_the_same_bytes(city: City, location: str) -> None:
    """A folder and a plain static server are one to the reader."""
    source = open_source(location)
    assert fetch_checkpoint(source) == city.checkpoint()
    assert [one.id for one in read_roster(source)] == [one.id for one in city.envelopes]
    assert len(fetch_tile(source, Tile(0, 0, len(city.entries)))) == 32 * len(city.entries)


def test_absence_is_its_own_code(location: str) -> None:
    """A missing file is ``fetch-missing``, and a missing bucket is an empty one."""
    source = open_source(location)
    with pytest.raises(FetchError) as caught:
        source.fetch("tile/0/999", limit=100)
    assert caught.value.code == "fetch-missing"
    assert look_up(source, "sha256", "fff", "f" * 64) == []


def test_size_is_capped(location: str) -> None:
    """A file larger than the limit is not read to its end."""
    with pytest.raises(FetchError) as caught:
        open_source(location).fetch("checkpoint", limit=10)
    assert caught.value.code == "fetch-too-large"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../b", "a//b", "", ".hidden", "a\\b", "a?b", "a%2e%2e/b"])
def test_only_plain_paths(location: str, path: str) -> None:
    """A path that leads up, is absolute or is encoded is refused before anything is opened."""
    with pytest.raises(FetchError):
        open_source(location).fetch(path, limit=100)


def test_no_symlink_leads_outside(city: City, tmp_path: Path) -> None:
    """A symbolic link inside the folder does not show a file outside it."""
    (tmp_path / "secret").write_text("secret")
    (city.path / "policy").unlink()
    (city.path / "policy").symlink_to(tmp_path / "secret")
    with pytest.raises(FetchError):
        FolderSource(city.path).fetch("policy", limit=100)


def test_a_pipe_or_folder_is_no_file(city: City) -> None:
    """What is not a regular file never blocks the reader."""
    import os

    os.mkfifo(city.path / "pipe")
    for path in ("pipe", "tile"):
        with pytest.raises(FetchError):
            FolderSource(city.path).fetch(path, limit=100)


def test_a_home_is_read_by_its_public_folder(city: City, tmp_path: Path) -> None:
    """A folder with bening.toml is a home; its public folder is what is read."""
    (tmp_path / "home").mkdir()
    city.path.rename(tmp_path / "home" / "public")
    (tmp_path / "home" / "bening.toml").write_text("")
    assert fetch_checkpoint(open_source(str(tmp_path / "home"))) == city.checkpoint()


def test_full_tile_stands_for_a_partial_one(city: City) -> None:
    """Where the partial tile has gone, the full one is cut to the width; any other length is cut short."""
    source, full = open_source(str(city.path)), bytes(range(256)) * 32
    (city.path / "tile/0/001").write_bytes(full)
    assert fetch_tile(source, Tile(0, 1, 5)) == full[:160]
    (city.path / "tile/0/001").write_bytes(full[:-1])
    with pytest.raises(ProofError) as caught:
        fetch_tile(source, Tile(0, 1, 5))
    assert caught.value.code == "truncated"
    (city.path / "tile/entries/001").write_bytes(b"whole")
    assert fetch_entries(source, Tile(-1, 1, 5)) == b"whole"


def test_document_is_hashed_on_the_way(city: City, location: str) -> None:
    """A document with other bytes than its name is refused."""
    code, body = next(iter(city.documents.items()))
    into = io.BytesIO()
    fetch_document(open_source(location), code, len(body), into)
    assert into.getvalue() == body
    (city.path / f"documents/{code[:2]}/{code}").write_bytes(b"x" * len(body))
    with pytest.raises(FetchError) as caught:
        fetch_document(open_source(location), code, len(body), io.BytesIO())
    assert caught.value.code == "document-differs"


@pytest.mark.parametrize("line", [" 1", "01", "+1", "1 ", "\u0661", "9" * 30])
def test_a_bucket_is_read_exactly(city: City, line: str) -> None:
    """Only exact decimals are indexes."""
    code = next(iter(city.documents))
    (city.path / f"lookup/sha256/{code[:3]}").write_text(f"{code} {line}\n", encoding="utf-8")
    with pytest.raises(FetchError):
        look_up(open_source(str(city.path)), "sha256", code[:3], code)


@pytest.mark.parametrize("data", [b"{}\n", b"no newline", b"\n", b"x" * 60_000 + b"\n"])
def test_roster_lines_are_envelopes(data: bytes) -> None:
    """Anything but whole lines of canonical envelopes is refused."""
    with pytest.raises(FormatError):
        roster_lines(data)


def test_only_http(tmp_path: Path) -> None:
    """No other scheme is opened, and a missing folder says so."""
    for location in ("ftp://example.org", "file:///etc", str(tmp_path / "none")):
        with pytest.raises(FetchError):
            open_source(location)


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], str]]:
    """Serve whatever a test answers."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _send(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def test_redirects_are_not_followed(answering: Callable[[Answer], str]) -> None:
    """A server cannot send the reader elsewhere."""
    url = answering(lambda one: _send(one, 302, b"", Location="http://127.0.0.1:1/"))
    with pytest.raises(FetchError) as caught:
        UrlSource(url).fetch("checkpoint", limit=100)
    assert "302" in str(caught.value)


def test_gzip_is_unpacked_up_to_the_cap(answering: Callable[[Answer], str]) -> None:
    """A packed bundle arrives whole; a gzip bomb stops at the cap."""
    bodies = {"/good": gzip.compress(b"entry " * 1000, mtime=0), "/bomb": gzip.compress(bytes(50_000_000), mtime=0)}
    url = answering(lambda one: _send(one, 200, bodies[one.path], Content_Encoding="gzip"))
    assert UrlSource(url).fetch("good", limit=10_000) == b"entry " * 1000
    with pytest.raises(FetchError) as caught:
        UrlSource(url).fetch("bomb", limit=10_000)
    assert caught.value.code == "fetch-too-large"


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b"x" * 999, mtime=0)[:-9], gzip.compress(b"x", mtime=0) + b"tail"])
def test_broken_gzip_is_nobodys_evidence(answering: Callable[[Answer], str], body: bytes) -> None:
    """What cannot be unpacked is a fetch error, no foreign exception."""
    url = answering(lambda one: _send(one, 200, body, Content_Encoding="gzip"))
    with pytest.raises(FetchError) as caught:
        UrlSource(url).fetch("checkpoint", limit=10_000)
    assert caught.value.code == "fetch"


def test_server_trouble_is_nobodys_evidence(answering: Callable[[Answer], str]) -> None:
    """Errors, a closed port and a body that ends early are fetch errors, and not absence."""
    sources = [UrlSource(answering(lambda one: _send(one, 503, b"later"))), UrlSource("http://127.0.0.1:9"), UrlSource("http://[")]

    def cut(one: http.server.BaseHTTPRequestHandler) -> None:
        one.send_response(200)
        one.send_header("Content-Length", "100")
        one.end_headers()
        one.wfile.write(b"short")

    for source in (*sources, UrlSource(answering(cut))):
        with pytest.raises(FetchError) as caught:
            source.fetch("checkpoint", limit=1000)
        assert caught.value.code == "fetch"


def test_reader_names_itself_and_keeps_the_connection(answering: Callable[[Answer], str]) -> None:
    """The user agent is ``bening``; files come over one connection where the server allows it."""
    seen = []

    def answer(one: http.server.BaseHTTPRequestHandler) -> None:
        one.protocol_version = "HTTP/1.1"
        seen.append((one.headers["User-Agent"], one.client_address))
        _send(one, 200, hashlib.sha256(b"").digest(), Connection="keep-alive")
        one.close_connection = False

    source = UrlSource(answering(answer))
    for _ in range(3):
        source.fetch("checkpoint", limit=100)
    assert {agent for agent, _ in seen} == {"bening"}
