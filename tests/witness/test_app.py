"""The application by itself: what no honest client does to it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.keyfile import LogKeys
from ledger.witness.home import open_home
from ledger.witness.witness import Witness
from tests.witness.conftest import NAME, Wall
from tests.witness.logs import Log
from web.front.journal import Journal
from web.witness import app
from web.witness.app import WitnessFront


@pytest.fixture
def front(folder: Path, keys: LogKeys, wall: Wall) -> Iterator[WitnessFront]:
    """The application of a witness that watches ``log.example/one``."""
    made = WitnessFront(open_home(folder), lambda state: Witness(state, NAME, keys, wall.clock()), Journal(io.StringIO()))
    with made.witness.state.transaction():
        made.witness.state.add_log(Log().origin, [Log().key])
    yield made
    made.opened.close()


async def asked(front: WitnessFront, receive: Any, path: str = "/add-checkpoint", method: str = "POST") -> int | None:
    """Return the status of one answer; None where there was none."""
    said: list[Any] = []
    front.waiting = asyncio.Queue(1)
    working = asyncio.create_task(front._work(front.waiting))
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}

    async def send(message: Any) -> None:
        said.append(message)

    await front(scope, receive, send)
    working.cancel()
    return said[0]["status"] if said else None


def whole(data: bytes) -> Any:
    """A body that comes at once."""

    async def receive() -> Any:
        return {"type": "http.request", "body": data, "more_body": False}

    return receive


def test_bodies_without_an_end(front: WitnessFront, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes too slowly, one that never ends, one whose sender goes away: told or left, and the next is answered."""

    async def never() -> Any:
        await asyncio.sleep(60)

    async def endless() -> Any:
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    monkeypatch.setattr(app, "_WITHIN", 0.2)
    assert asyncio.run(asked(front, never)) == 408
    assert asyncio.run(asked(front, gone)) is None
    monkeypatch.setattr(app, "_WITHIN", 20)
    assert asyncio.run(asked(front, endless)) is None
    assert asyncio.run(asked(front, whole(Log().request(0, 4)))) == 200


def test_what_breaks_inside_is_no_answer(front: WitnessFront, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw is 500, is told to the operator, and nothing is cosigned."""

    def broken(bodies: Any) -> Any:
        raise ZeroDivisionError("inside")

    with monkeypatch.context() as patch:
        patch.setattr(front.witness, "add_checkpoints", broken)
        assert asyncio.run(asked(front, whole(Log().request(0, 4)))) == 500
    assert "inside" in front.journal.out.getvalue()  # type: ignore[attr-defined]
    assert front.witness.state.logs()[0].time == 0


def test_too_many_wait(front: WitnessFront) -> None:
    """Who comes when too many wait is told to come back."""

    async def many() -> int | None:
        front.waiting = asyncio.Queue(1)
        front.waiting.put_nowait((b"", asyncio.get_running_loop().create_future()))
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "method": "POST", "path": "/add-checkpoint", "query_string": b"", "headers": []}
        await front(scope, whole(b"old 0\n\n"), send)
        return int(said[0]["status"])

    assert asyncio.run(many()) == 503
