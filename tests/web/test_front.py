"""The front: who is limited and who is not, what is told about itself, and what is never told."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publisher.town import Town
from tests.web.asgi import Client
from web.front.asgi import Front
from web.front.journal import Journal
from web.front.limits import Buckets, Gate, whose
from web.lang import choose, wished
from web.settings import WebSettings


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    made = Town(tmp_path_factory.mktemp("town"))
    made.settle_in()
    return made


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def client(town: Town, out: io.StringIO) -> Iterator[Client]:
    made = Client(town.home, sequencing=False, front=Front(town.home, WebSettings(proxies=("127.0.0.1",)), Journal(out)))
    yield made
    made.close()


def test_pages_are_limited_by_address_and_files_never(client: Client) -> None:
    """A flood of pages from one address ends in 429 with Retry-After; tiles go on, and so does everybody else."""
    client.front.page_rate = Buckets(1, 5)
    statuses = [client.get("/nothing", address="203.0.113.5").status for _ in range(8)]
    assert statuses == [404] * 5 + [429] * 3
    limited = client.get("/nothing", address="203.0.113.5")
    assert int(limited.headers["retry-after"]) >= 1
    assert limited.body
    assert client.get("/nothing", address="203.0.113.6").status == 404
    assert {client.get("/checkpoint", address="203.0.113.5").status for _ in range(50)} == {200}


def test_work_at_once_is_bounded(client: Client) -> None:
    """When all places are taken, a page answers 503 with Retry-After instead of waiting in a growing queue."""
    client.front.page_gate = Gate(0)
    reply = client.get("/nothing")
    assert reply.status == 503
    assert "retry-after" in reply.headers


def test_the_journal_names_no_reader(client: Client, out: io.StringIO) -> None:
    """JSON lines with a request id; neither addresses nor what was searched for."""
    reply = client.get("/records?q=rahasia", address="203.0.113.77", headers={"user-agent": "Mozilla/5.0 teller"})
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[-1]["path"] == "/records"
    assert lines[-1]["id"] == reply.headers["x-request-id"]
    assert {"time", "level", "message", "status", "ms", "method"} <= lines[-1].keys()
    for told in ("203.0.113.77", "rahasia", "teller"):
        assert told not in out.getvalue()


def test_a_hostile_path_is_one_line_of_the_journal(client: Client, out: io.StringIO) -> None:
    """Line breaks and control characters in a path cannot forge a line."""
    client.get('/x\n{"level":"info"}\u202e\x1b[31m' + "y" * 5000)
    assert len(out.getvalue().splitlines()) == 1
    assert out.getvalue().isascii()
    assert len(out.getvalue()) < 2000


def test_health_says_whether_acts_are_published(client: Client, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 where readers are served; whether a sequencer runs is a field, not a failure."""
    monkeypatch.setattr("web.front.health._LOOK_EVERY", 0)
    reply = client.get("/healthz")
    assert reply.status == 200
    assert reply.json["status"] == "ok"
    assert reply.json["publishing"] is False
    with town.home.lock():
        assert client.get("/healthz").json["publishing"] is True


def test_a_restored_home_is_not_called_sound(client: Client, town: Town) -> None:
    """Until ``recover`` has shown that nothing newer was published, health says so instead of ok."""
    town.home.restore_mark.write_bytes(b"x")
    try:
        assert client.get("/healthz").json["status"] == "restored"
    finally:
        town.home.restore_mark.unlink()
    assert client.get("/healthz").json["status"] == "ok"


def test_metrics_are_for_this_machine_only(client: Client) -> None:
    """From another address, or through a proxy, there is no such page."""
    assert client.get("/metrics", address="127.0.0.1").status == 200
    assert b"bening_size" in client.get("/metrics", address="::1").body
    assert client.get("/metrics", address="203.0.113.9").status == 404
    assert client.get("/metrics", address="127.0.0.1", headers={"x-forwarded-for": "127.0.0.1"}).status == 404


def test_forwarded_headers_count_only_from_a_named_proxy(client: Client) -> None:
    """The last address that our own proxy saw is the reader's; anybody else's header is ignored."""
    client.front.page_rate = Buckets(0.01, 1)
    first = {"x-forwarded-for": "198.51.100.1, 203.0.113.1"}
    assert client.get("/nothing", address="127.0.0.1", headers=first).status == 404
    assert client.get("/nothing", address="127.0.0.1", headers={"x-forwarded-for": "203.0.113.1"}).status == 429
    assert client.get("/nothing", address="203.0.113.50", headers={"x-forwarded-for": "203.0.113.2"}).status == 404
    assert client.get("/nothing", address="203.0.113.50", headers={"x-forwarded-for": "203.0.113.3"}).status == 429


def test_tls_is_told_by_the_proxy(client: Client) -> None:
    """HSTS where our proxy says https, and only from it."""
    said = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.1"}
    for path in ("/nothing", "/checkpoint"):
        assert "strict-transport-security" in client.get(path, address="127.0.0.1", headers=said).headers
        assert "strict-transport-security" not in client.get(path, address="203.0.113.1", headers=said).headers


def test_a_body_never_reaches_a_page(client: Client) -> None:
    """A page that is posted to answers 405 without reading what is sent."""
    reply = client.ask("POST", "/about", body=b"x" * 100, headers={"content-length": "100"})
    assert reply.status in (404, 405)


def test_buckets_refill_and_forget() -> None:
    """Tokens come back at the rate, and only the latest addresses are kept."""
    clock = [0.0]
    buckets = Buckets(2, 3, most=2, now=lambda: clock[0])
    for _ in range(3):
        buckets.take("a")
    with pytest.raises(Exception, match="too many") as refused:
        buckets.take("a")
    assert refused.value.values["retry_after"] == 1
    clock[0] = 1
    buckets.take("a")
    buckets.take("a")
    for name in ("b", "c", "d"):
        buckets.take(name)
    assert len(buckets._found) == 2


def test_an_ipv6_site_is_one_address() -> None:
    """Whoever holds a /64 has one bucket; what is no address is its own name."""
    assert whose("2001:db8:1:2::1") == whose("2001:db8:1:2:ffff::9") != whose("2001:db8:1:3::1")
    assert whose("203.0.113.1") != whose("203.0.113.2")
    assert whose("fe80::1%eth0") == whose("fe80::2")
    assert whose("unix") == "unix"


@pytest.mark.parametrize(
    ("asked", "header", "found"),
    [
        ("en", "id", "en"), (None, "en-GB,en;q=0.9,id;q=0.5", "en"), (None, "id;q=0.4, en;q=0.3", "id"), (None, "in", "id"),
        (None, "fr, de", "id"), (None, None, "id"), ("xx", "", "id"), (None, "en;q=0", "id"), (None, "en;q=nan,id", "id"),
        (None, "*;q=x,,;;", "id"),
    ],
)  # fmt: skip
def test_the_language_is_the_readers(asked: str | None, header: str | None, found: str) -> None:
    """?lang= first, then the browser's order, then Indonesian; malformed headers do no harm."""
    assert choose(asked, header) == found
    assert len(wished("a," * 5000)) < 5000


def test_settings_with_a_mistake_are_refused(town: Town, tmp_path: Path) -> None:
    """An unknown name or a wrong kind of value in [web] is named, not ignored."""
    for text in ('[web]\nlistn = "x"\n', "[web]\nthreads = 0\n", '[web]\nproxies = "127.0.0.1"\n', "web = 3\n", "[web]\nthreads = true\n"):
        (tmp_path / "bening.toml").write_text(text)
        home = type(town.home)(tmp_path, "o", "f", ())
        with pytest.raises(Exception, match=r"web|bening") as refused:
            WebSettings.of(home)
        assert refused.value.code == "bad-settings"


def test_texts_are_packed_for_slow_lines(client: Client) -> None:
    """Pages, style and JSON go out as gzip where that is asked for, with the same content; nothing else does."""
    import gzip

    for path in ("/about", "/static/site.css", "/api/v1/openapi.json"):
        plain, packed = client.get(path), client.get(path, headers={"accept-encoding": "gzip, br"})
        assert packed.status == plain.status == 200
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body)
        assert "content-encoding" not in plain.headers
        assert "accept-encoding" in packed.headers["vary"].lower()
        if "etag" in packed.headers:
            assert client.get(path, headers={"if-none-match": packed.headers["etag"]}).status == 304
    assert "content-encoding" not in client.get("/about", headers={"accept-encoding": "gzip;q=0"}).headers
    assert "content-encoding" not in client.get("/checkpoint", headers={"accept-encoding": "gzip"}).headers
    export = client.get("/api/v1/records.jsonl", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in export.headers


def test_a_refusal_before_flask_is_a_page_for_people(client: Client) -> None:
    """429 and 503 are told as a page in the reader's language with the headers of a page; the API gets JSON."""
    client.front.page_gate = Gate(0)
    reply = client.get("/", headers={"accept-language": "en"})
    assert reply.status == 503
    assert b'<html lang="en">' in reply.body
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert client.get("/api/v1/ledger").json["error"] == "busy"


def test_pages_are_asked_for_again_and_robots_are_told(client: Client) -> None:
    """A page is never kept without asking; search engines read acts and stay out of filters and exports."""
    assert client.get("/about").headers["cache-control"] == "no-cache"
    robots = client.get("/robots.txt").body.decode()
    assert "Disallow: /api/" in robots
    assert "Disallow: /records?" in robots
    assert "Disallow: /records/" not in robots
