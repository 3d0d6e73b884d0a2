"""``bening serve`` as a real process on a free port, asked by real HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import urllib3

from ledger.publisher.handover import Submission
from ledger.publisher.home import Home
from ledger.records.envelope import Envelope
from tests.web.asgi import form_of

__all__ = ["Served", "children_of", "free_port", "serving"]

ROOT = Path(__file__).parents[2]


class Served:
    """A running site: its parent process, its URL, and a pool of connections."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log
        self.http = urllib3.PoolManager(maxsize=64, retries=False, timeout=urllib3.Timeout(connect=2, read=30))

    def get(self, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """Ask for a path."""
        return self.http.request("GET", self.url + path, redirect=False, **options)

    def submit(self, *acts: Submission | Envelope) -> urllib3.BaseHTTPResponse:
        """Submit acts with their documents as one form."""
        body, content_type = form_of(acts)
        return self.http.request("POST", f"{self.url}/api/v1/acts", body=body, headers={"content-type": content_type})

    def wait(self, seconds: float = 30) -> None:
        """Wait until it answers and publishes."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                found = self.get("/healthz")
                if found.status == 200 and found.json()["publishing"]:
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"not up: {self.log.read_text()}")

    def stop(self) -> int:
        """Ask it to end, and return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextlib.contextmanager
def serving(home: Home, *options: str) -> Iterator[Served]:
    """Run ``bening serve`` for a home until the block ends."""
    port = free_port()
    log = home.path.parent / f"serve-{port}.log"
    words = [sys.executable, "-m", "cli", "--lang", "en", "serve", "-L", str(home.path), "--listen", f"127.0.0.1:{port}", *options]
    with open(log, "wb") as out:
        process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    served = Served(process, f"http://127.0.0.1:{port}", log)
    try:
        served.wait()
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def children_of(pid: int) -> dict[str, int]:
    """Return the process ids of the children of ``pid`` by the command that they run."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                if parent == pid:
                    found.update({name: int(entry.name) for name in ("sequence", "web") if name in words})
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill(pids: Sequence[int]) -> None:
    """Kill processes outright."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
