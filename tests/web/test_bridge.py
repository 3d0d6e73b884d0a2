"""Flask behind ASGI: whole answers, streams, and readers who go away or errors in the middle."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response

from web.front.bridge import Bridge

SCOPE: dict[str, Any] = {
    "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": [(b"x-one", b"1"), (b"x-one", b"2")],
    "server": ("x", 80), "scheme": "http",
}  # fmt: skip


def app(produce: Any) -> Flask:
    made = Flask("streams")
    made.add_url_rule("/", "stream", lambda: Response(produce()))
    made.add_url_rule("/whole", "whole", lambda: "whole")
    return made


def run(bridge: Bridge, path: str = "/", send: Any = None) -> tuple[Any, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    return asyncio.run(bridge({**SCOPE, "path": path}, send or keep, "203.0.113.1")), sent


def test_a_page_comes_back_whole() -> None:
    """An answer with a length is returned, not sent."""
    whole, sent = run(Bridge(app(list), 1, "t"), "/whole")
    assert whole[0] == 200
    assert whole[2] == b"whole"
    assert sent == []


def test_an_export_is_streamed_piece_by_piece() -> None:
    """Without a length each piece goes out as it is made, and the end is said."""
    whole, sent = run(Bridge(app(lambda: iter([b"a", b"", b"b"])), 1, "t"))
    assert whole is None
    assert b"".join(one.get("body", b"") for one in sent) == b"ab"
    assert [one.get("more_body") for one in sent] == [None, True, True, False]


def test_an_error_in_the_middle_is_no_end() -> None:
    """The stream is broken off: no last message says that this was all."""

    def broken() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("disk")

    sent: list[dict[str, Any]] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ValueError, match="disk"):
        run(Bridge(app(broken), 1, "t"), send=keep)
    assert all(one.get("more_body", True) for one in sent)


def test_a_reader_who_goes_away_frees_the_thread() -> None:
    """The generator is closed at its next piece, in its own thread, and the thread serves the next request."""
    closed, threads = threading.Event(), set[str]()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                threads.add(threading.current_thread().name)
                yield b"x"
        finally:
            closed.set()

    async def gone(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("broken pipe")

    bridge = Bridge(app(endless), 1, "t")
    with pytest.raises(ConnectionError):
        run(bridge, send=gone)
    assert closed.wait(5)
    assert len(threads) == 1
    assert run(bridge, "/whole")[0][2] == b"whole"


def test_a_reader_who_is_too_slow_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes no piece in time, or lasts too long in all, keeps neither thread nor snapshot."""
    monkeypatch.setattr("web.front.bridge.SLOW", 0.05)

    async def slow(message: Any) -> None:
        await asyncio.sleep(1 if message["type"] == "http.response.body" else 0)

    with pytest.raises(ConnectionError):
        run(Bridge(app(lambda: iter([b"a"] * 5)), 1, "t"), send=slow)
    monkeypatch.setattr("web.front.bridge._LONGEST", -1.0)
    with pytest.raises(ConnectionError):
        run(Bridge(app(lambda: iter([b"a"])), 1, "t"))
