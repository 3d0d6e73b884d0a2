"""The witness as a process: its commands, HTTP to the letter, kill -9 under load."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ledger.tlog.checkpoint import parse_any_checkpoint
from ledger.tlog.conviction import check_conviction, parse_conviction
from ledger.tlog.note import format_vkey, parse_note
from tests.commands.bening import Bening
from tests.witness.conftest import NAME
from tests.witness.logs import Log, body

ROOT = Path(__file__).parents[2]


class Served:
    """A witness that answers at a port of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.where = f"127.0.0.1:{free.getsockname()[1]}"
        self.folder, self.http = folder, urllib3.PoolManager(maxsize=16)
        self.start()

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        words = [sys.executable, "-m", "cli", "witness", "serve", str(self.folder), "--listen", self.where]
        self.process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "BENING_PASSPHRASE": "x" * 12})
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if self.get("/healthz").status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("the witness does not answer")

    def get(self, path: str, method: str = "GET", **more: Any) -> Any:
        """Ask for a path."""
        return self.http.request(method, f"http://{self.where}{path}", retries=False, timeout=20, **more)

    def add(self, request: bytes) -> Any:
        """Ask for a cosignature."""
        return self.get("/add-checkpoint", "POST", body=request)


@pytest.fixture
def made(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bening:
    """The command line in a folder with a witness that watches ``log.example/one``."""
    bening = Bening(tmp_path, capsys, monkeypatch)
    monkeypatch.setenv("BENING_PASSPHRASE", "x" * 12)
    bening("witness", "init", "saksi", "--name", NAME, "--contact", "tlog@saksi.example")
    bening("witness", "add-log", "saksi", format_vkey(Log().key))
    return bening


@pytest.fixture
def served(made: Bening) -> Iterator[Served]:
    """That witness, answering."""
    found = Served(made.folder / "saksi")
    yield found
    found.process.kill()
    found.process.wait()


def test_http(served: Served, made: Bening) -> None:
    """Statuses, types and bodies as the specification gives them; keep-alive; a page; the monitor's path."""
    log = Log()
    path = f"/{hashlib.sha256(log.origin.encode()).hexdigest()}/checkpoint"
    assert served.get(path).status == 404
    connections = served.http.connection_from_url(f"http://{served.where}/").num_connections
    conflict = served.add(log.request(3, 5))
    assert (conflict.status, conflict.headers["Content-Type"], conflict.data) == (409, "text/x.tlog.size", b"0\n")
    answer = served.add(log.request(0, 5))
    assert answer.status == 200
    statuses = {
        400: b"old x\n\n", 403: body(5, [], Log(seed=2).note(5)), 404: Log("log.example/none").request(0, 1),
        409: log.request(0, 5), 413: b"old 0\n\n" + b"x" * (1 << 20), 422: body(5, [], Log(salt="x").note(5)),
    }  # fmt: skip
    assert {served.add(request).status for request in statuses.values()} == set(statuses)
    for status, request in statuses.items():
        assert served.add(request).status == status
    assert {served.get(one, method).status for one, method in (("/add-checkpoint", "GET"), ("/", "POST"), (path, "PUT"))} == {405}
    note = served.get(path)
    assert note.headers["Content-Type"].startswith("text/plain")
    assert note.headers["Access-Control-Allow-Origin"] == "*"
    parsed = parse_note(note.data)
    assert parse_any_checkpoint(parsed.text).root == log.root(5)
    assert note.data == log.note(5) + answer.data
    assert served.get(path, "HEAD").data == b""
    assert {served.get(one).status for one in ("/0/checkpoint", "/nothing", path.upper())} == {404}
    for lang, word in (("id", "hanya bertambah"), ("en", "examined any decision")):
        page = served.get(f"/?lang={lang}").data.decode()
        assert word in page
        assert log.origin in page
    assert served.get("/static/site.css").status == 200
    assert served.http.connection_from_url(f"http://{served.where}/").num_connections == connections
    assert made.json("witness", "status", "saksi", status=1)["logs"][0] | {"time": 0} == {
        "origin": log.origin, "size": 5, "root": log.root(5).hex(), "time": 0, "locked": None, "odd": 1,
    }  # fmt: skip
    assert "convict" in made("witness", "status", "saksi", status=1)


def test_kill_under_load(served: Served, made: Bening) -> None:
    """Killed at any moment: what was answered is known after the restart, and no smaller size is cosigned again."""
    logs = [Log(f"log.example/{n}", seed=n + 10) for n in range(4)]
    for log in logs:
        made("witness", "add-log", "saksi", format_vkey(log.key))
    answered = dict.fromkeys((log.origin for log in logs), 0)
    for turn in range(4):
        stop = threading.Event()
        threads = [threading.Thread(target=_grow, args=(served, log, answered, stop)) for log in logs]
        for one in threads:
            one.start()
        time.sleep(0.2 + 0.17 * turn)
        served.process.send_signal(signal.SIGKILL)
        stop.set()
        for one in threads:
            one.join()
        served.process.wait()
        served.start()
        for log in logs:
            conflict = served.add(body(999_999, [], log.note(1_000_000, root=bytes(32))))
            assert conflict.status == 409
            known = int(conflict.data)
            assert known >= answered[log.origin]
            answered[log.origin] = known
    assert min(answered.values()) > 4


def _grow(served: Served, log: Log, answered: dict[str, int], stop: threading.Event) -> None:
    """Grow until told to stop; what was answered is remembered when the answer is there."""
    size = answered[log.origin]
    while not stop.is_set():
        try:
            answer = served.add(log.request(size, size + 1))
        except urllib3.exceptions.HTTPError:
            return
        if answer.status == 200:
            size = answered[log.origin] = size + 1
        elif answer.status == 409:
            size = int(answer.data)


def test_commands(made: Bening) -> None:
    """The rest of the commands, and their refusals."""
    assert made.json("witness", "status", "saksi")["logs"][0]["size"] is None
    assert "never" in made("witness", "status", "saksi")
    made("witness", "backup", "saksi", "copy.db")
    made("witness", "backup", "saksi", "copy.db", status=4)
    made("witness", "init", "saksi", "--name", NAME, status=4)
    made("witness", "init", "lain", "--name", "a b", status=2)
    made("witness", "add-log", "saksi", status=2)
    made("witness", "add-log", "saksi", "--policy", "nowhere", status=3)
    made("witness", "unlock", "saksi", "log.example/one", status=2)
    made("witness", "unlock", "saksi", "log.example/two", "--on-my-word", status=2)
    made("witness", "unlock", "saksi", "log.example/one", "--on-my-word")
    made("witness", "status", "nowhere", status=4)
    (made.folder / "saksi" / "witness.db").unlink()
    (made.folder / "copy.db").rename(made.folder / "saksi" / "witness.db")
    assert made.json("witness", "status", "saksi", status=3)["logs"][0]["locked"] == "copied"
    assert "locked" in made("witness", "status", "saksi", status=3)
    other = made.json("witness", "init", "kedua", "--name", "kedua.example/w1")
    assert [one.split("+")[0] for one in other["vkeys"]] == ["kedua.example/w1"] * 2
    assert json.dumps(other)


def test_evidence(made: Bening) -> None:
    """What convicts a log becomes files that anybody checks; what only looks odd does not."""
    log, other = Log(), Log(salt="x", forked=3)
    served = Served(made.folder / "saksi")
    try:
        for request, status in (
            (log.request(0, 5), 200), (body(5, [], other.note(5)), 422), (body(5, other.proof(5, 9), other.note(9)), 422),
            (body(5, [bytes(32)], log.note(9)), 422), (log.request(5, 12), 200), (body(12, other.proof(12, 20), other.note(20)), 422),
        ):  # fmt: skip
            assert served.add(request).status == status
    finally:
        served.process.kill()
        served.process.wait()
    found = made.json("witness", "evidence", "saksi", log.origin, "-o", "bukti", status=1)["files"]
    assert len(found) == 3
    kinds = [Path(made.folder, one).read_text().splitlines()[1] for one in found]
    assert kinds == ["kind same-size", "kind other-history", "kind other-history"]
    for one in found:
        check_conviction(parse_conviction(Path(made.folder, one).read_bytes()))
    assert "convicts" in made("witness", "evidence", "saksi", log.origin, "-o", "bukti", status=1)
    made("witness", "evidence", "saksi", "log.example/none", "-o", "bukti", status=2)
