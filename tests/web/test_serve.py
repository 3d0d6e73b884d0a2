"""``bening serve``: both processes under one parent, any of them killed at any moment, and nothing acknowledged lost."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.verifier.audit import audit
from ledger.verifier.choice import choose_source
from ledger.verifier.client import open_source
from tests.faults.kills import Kills, wait_until_free
from tests.publisher.town import Town
from tests.web.serving import Served, children_of, serving

SEED = int(os.environ.get("BENING_TEST_SEED", "0")) or random.SystemRandom().randrange(2**32)
ROUNDS = int(os.environ.get("TEST_KILLS", "200"))


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
    """SIGKILL of sequencer, web and parent at random moments under load.

    What got 201 is there, once; no two signed heads contradict; no unfinished file stays; restart needs no hand.
    """
    sys.stderr.write(f"BENING_TEST_SEED={SEED}\n")
    kills = Kills(town, SEED)
    kills.run(ROUNDS)
    assert sum(kills.counts.values()) == ROUNDS
    assert kills.outside.promised, "the load never got through"


def test_the_children_end_with_a_killed_parent(town: Town, served: Served) -> None:
    """Nobody is left behind holding the lock or the address."""
    children = children_of(served.process.pid)
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    wait_until_free(town)
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children.values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
