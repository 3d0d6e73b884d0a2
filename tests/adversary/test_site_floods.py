"""Floods, dawdlers and prying logs: what one reader or stranger can do to everybody else."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.records.envelope import dump_envelope
from tests.publisher.town import Town
from tests.web.asgi import Client, form
from web.front.asgi import Front
from web.front.form import Event, read_form
from web.front.health import health_of
from web.front.journal import Journal
from web.front.limits import Buckets
from web.server import _listen, _most_connections
from web.settings import WebSettings


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
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


def test_many_who_ask_for_health_are_no_sequencer(client: Client, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the sequencer's lock never meet each other, nor do they follow each other faster than once a second."""
    looks = list[bool]()
    real = type(town.home).is_sequenced
    monkeypatch.setattr(type(town.home), "is_sequenced", lambda home: looks.append(real(home)) or looks[-1])
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: json.loads(health_of(town.home, client.front.site)[1])["publishing"], range(400)))
    assert not any(told)
    assert len(looks) < 40


def test_a_second_line_of_forwarding_is_the_proxys(client: Client) -> None:
    """A proxy that adds a line of its own behind the reader's: the reader's line names nobody."""
    client.front.page_rate = Buckets(1, 2)
    scope = {"client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-for", b"203.0.113.8")]}
    assert client.front._origin(scope) == "203.0.113.8"


@pytest.mark.parametrize("path", ["/n/600.1/77/RAHASIA/2026", "/r/RAHASIA-77"])
def test_the_journal_keeps_no_number_that_was_looked_up(client: Client, out: io.StringIO, path: str) -> None:
    """A number that was typed and a code that was scanned are searches too."""
    assert client.get(path).status == 404
    assert "RAHASIA" not in out.getvalue()
    assert json.loads(out.getvalue().splitlines()[-1])["path"] == f"{path[:3]}…"


def test_a_form_that_goes_on_behind_its_end_is_answered() -> None:
    """Whoever sends on and on behind the end of a form, without any signature, holds no place meanwhile."""
    body, content_type = form([("envelope", b"{}")])
    read = list[int]()

    async def endless() -> AsyncIterator[bytes]:
        yield body
        for n in range(1000):
            read.append(n)
            yield b"x" * 100

    async def run() -> list[Event]:
        return [event async for event in read_form(content_type, endless())]

    assert [kind for kind, _ in asyncio.run(run())] == ["begin", "data", "end"]
    assert not read


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux ends connections that nobody reads")
def test_a_reader_that_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand who asked and never read took every connection for as long as they liked; the kernel now ends them."""
    monkeypatch.setattr("web.server._TAKEN_WITHIN", 1000)
    with _listen("127.0.0.1", 0, 1) as listening, socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        idle.connect(listening.getsockname())
        accepted = listening.accept()[0]
        accepted.settimeout(20)
        with accepted, pytest.raises(OSError) as ended:
            accepted.sendall(bytes(1 << 28))
        assert ended.value.errno == errno.ETIMEDOUT


def test_connections_at_once_leave_room_for_files() -> None:
    """At most half of the open files that the process may have are connections."""
    assert 256 <= _most_connections() <= max(256, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


def test_a_published_envelope_brings_nothing_to_the_disk(town: Town, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody has the envelopes that are published: junk as long as their documents is hashed and forgotten."""
    act = town.act(b"%PDF-1.4" + bytes(600_000))
    assert town.submit(act)[0].index is not None
    envelope = ("envelope", dump_envelope(act.envelope))
    monkeypatch.setattr("web.front.intake.Upload", None)
    body, content_type = form([envelope, ("document", b"%PDF-1.5" + bytes(600_000))])
    reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
    assert reply.status == 422, reply.body
    body, content_type = form([envelope, ("document", b"%PDF-1.4" + bytes(600_000))])
    reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
    assert reply.status == 201, reply.body


def test_envelopes_come_within_a_time(town: Town, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred published envelopes, sent as slowly as bytes may come, held a place for an hour."""
    act = town.act(b"%PDF-1.4 slow")
    assert town.submit(act)[0].index is not None
    monkeypatch.setattr("web.front.intake._ENVELOPES_WITHIN", 0.1)
    body, content_type = form([("envelope", dump_envelope(act.envelope))] * 40)
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    reply = client.ask("POST", "/api/v1/acts", body=pieces, pause=0.01, headers={"content-type": content_type})
    assert reply.status == 408, reply.body
