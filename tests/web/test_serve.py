"""``bening serve``: both processes under one parent, any of them killed at any moment, and nothing acknowledged lost."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from ledger.publisher.fsck import check_home
from ledger.publisher.store import Store
from ledger.verifier.audit import audit
from ledger.verifier.choice import choose_source
from ledger.verifier.client import open_source
from tests.publisher.town import Town
from tests.web.serving import Served, children_of, kill, serving

SEED = int(os.environ.get("BENING_TEST_SEED", "0")) or random.SystemRandom().randrange(2**32)
ROUNDS = int(os.environ.get("TEST_KILLS", "12"))


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.settle_in()
    return made


@pytest.fixture
def served(town: Town) -> Iterator[Served]:
    with serving(town.home) as one:
        yield one


def test_an_act_goes_in_and_comes_out(town: Town, served: Served) -> None:
    """Submitted by real HTTP, published, read back, and the whole ledger audited through the site."""
    reply = served.submit(town.act(b"%PDF-1.4 whole way"))
    assert reply.status == 201, reply.data
    source = open_source(served.url)
    trusted, _ = choose_source(town.folder / "trust", served.url)
    report = audit(source, trusted.policy, trusted.founding or "", state_dir=town.folder / "audit")
    assert report.exit_status() == 0, report
    assert served.get("/checkpoint").data == (town.home.public / "checkpoint").read_bytes()


def test_both_stop_cleanly(town: Town, served: Served) -> None:
    """SIGTERM ends parent and children with status 0, and another sequencer may run at once."""
    children = children_of(served.process.pid)
    assert set(children) == {"sequence", "web"}
    assert served.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
    with town.home.lock() as free:
        assert free


def test_the_web_process_is_given_no_passphrase(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What opens the log's key reaches the sequencer only, and stands in no environment or command line."""
    monkeypatch.setenv("BENING_PASSPHRASE", "frasa sandi rahasia")
    with serving(town.home) as served:
        for pid in children_of(served.process.pid).values():
            assert b"rahasia" not in Path(f"/proc/{pid}/environ").read_bytes()
            assert b"rahasia" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_an_address_that_is_taken_is_said_at_once(town: Town, served: Served) -> None:
    """A second site on the same address ends with a sentence and status 4, instead of trying for ever."""
    import subprocess

    from tests.web.serving import ROOT

    listen = served.url.removeprefix("http://")
    words = [sys.executable, "-m", "cli", "--lang", "en", "web", "-L", str(town.home.path), "--listen", listen]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 4
    assert "--listen" in done.stderr


def test_slow_clients_keep_nobody_waiting(town: Town, served: Served) -> None:
    """Two hundred connections that send a byte now and then: readers and publishers are served meanwhile."""
    import socket

    host, _, port = served.url.removeprefix("http://").partition(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(200)]
    for n, one in enumerate(slow):
        if n % 2:
            one.sendall(b"GET /records HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        else:
            one.sendall(b"POST /api/v1/acts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40000\r\n\r\n{")
    began = time.monotonic()
    assert served.get("/checkpoint").status == 200
    assert served.get("/healthz").status == 200
    assert served.get("/nothing").status == 404
    assert time.monotonic() - began < 10
    for one in slow:
        one.close()
    until = time.monotonic() + 10
    while (status := served.submit(town.act(b"%PDF-1.4 after the slow ones")).status) == 503 and time.monotonic() < until:
        time.sleep(0.2)
    assert status == 201


def test_whatever_is_killed_nothing_acknowledged_is_lost(town: Town) -> None:
    """SIGKILL of sequencer, web and parent at random moments under load: what got 201 is there, once; restart needs no hand."""
    sys.stderr.write(f"BENING_TEST_SEED={SEED}\n")
    chance = random.Random(SEED)
    load = _Load(town)
    for _ in range(max(1, ROUNDS // 4)):
        with serving(town.home) as served:
            load.url = served.url
            for victim in chance.sample(["sequence", "web", "sequence", "web"], 3):
                time.sleep(chance.uniform(0.05, 0.8))
                kill([pid for name, pid in children_of(served.process.pid).items() if name == victim])
                served.wait()
            time.sleep(chance.uniform(0.05, 0.5))
            kill([served.process.pid])
            served.process.wait()
            _wait_until_free(town)
    load.stop()
    with serving(town.home) as served:
        assert served.submit(town.act(b"%PDF-1.4 last")).status == 201
        for act in load.unanswered:  # may be sent again, and is not doubled
            assert served.submit(act).status == 201
        assert served.stop() == 0
    assert load.acknowledged, "the load never got through"
    with Store(town.home, read_only=True) as store:
        assert {act_id: store.index_of(act_id) for act_id in load.acknowledged} == load.acknowledged
    assert check_home(town.home) == []
    assert not [path for path in town.home.staging.iterdir() if not path.name.startswith(".")]


class _Load:
    """Threads that submit acts one after the other, and remember what was acknowledged and what was left unanswered."""

    def __init__(self, town: Town) -> None:
        self.town, self.url = town, ""
        self.acknowledged: dict[str, int] = {}
        self.unanswered: list = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(4)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, n: int) -> None:
        count = 0
        while not self.stopping.is_set():
            if not self.url:
                time.sleep(0.05)
                continue
            act = self.town.act(f"%PDF-1.4 load {n} {count}".encode())
            count += 1
            self._send(act)

    def _send(self, act) -> None:
        served = Served.__new__(Served)
        served.url, served.http = self.url, urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=1, read=15))
        try:
            reply = served.submit(act)
            found = reply.json()["acts"][0] if reply.status in (201, 202) else {}
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            found = {}
            time.sleep(0.05)
        if found.get("state") == "published":
            self.acknowledged[found["id"]] = found["index"]
        else:
            self.unanswered.append(act)


def _wait_until_free(town: Town) -> None:
    """Wait until the children of a killed parent have ended."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with town.home.lock() as free:
            if free:
                return
        time.sleep(0.05)
    raise AssertionError("the sequencer outlived its parent")


def test_the_children_end_with_a_killed_parent(town: Town, served: Served) -> None:
    """Nobody is left behind holding the lock or the address."""
    children = children_of(served.process.pid)
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    _wait_until_free(town)
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children.values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
