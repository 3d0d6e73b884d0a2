"""A witness: cosignatures a second through HTTP, beside bare durable commits of SQLite of the same rows."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.table import Row, ratio_row
from ledger.keyfile import load_log_keys, new_log_keys
from ledger.sqlite import connect, transaction
from ledger.witness.home import create_home
from ledger.witness.state import open_state
from tests.witness.logs import Log
from tests.witness.test_served import Served

__all__ = ["witnessing"]

ROUNDS, COUNT, CLIENTS = 5, 400, (1, 8, 64)
_ROW = 9_000  # bytes of a checkpoint with the log's and both of the witness's signatures, and what is beside it


def witnessing() -> list[Row]:
    """Checkpoints of 64 logs by 1, 8 and 64 clients, turn by turn with bare commits; two cosignatures each, one process."""
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
        served, logs = _served(Path(folder)), [Log(f"log.example/{n}", seed=n + 1) for n in range(64)]
        try:
            for log in logs:
                if served.add(log.request(0, 5)).status != 200:
                    raise RuntimeError("refused")
            requests = [_http(log.request(5, 5)) for log in logs]
            rows = []
            for clients in CLIENTS:
                work, limits = [], []
                for _ in range(ROUNDS):
                    before = _bare(Path(folder) / "bare.db")
                    work.append(COUNT / _load(served, requests, clients, Path(folder)))
                    limits.append((before + _bare(Path(folder) / "bare.db")) / 2)
                name = f"witness, {clients} clients: cosigned checkpoints / bare durable commits of SQLite"
                rows.append(ratio_row(name, work, limits, "/s", ">= 0.5"))
            return rows
        finally:
            served.process.kill()
            served.process.wait()


def _served(folder: Path) -> Served:
    key = folder / "witness.pem"
    new_log_keys(key, None, unencrypted=True)
    home = create_home(folder / "witness", "witness.example/w1", key, load_log_keys(key, None))
    with open_state(home.path) as state, state.transaction():
        for n in range(64):
            log = Log(f"log.example/{n}", seed=n + 1)
            state.add_log(log.origin, [log.key])
    return Served(home.path)


def _http(body: bytes) -> str:
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: witness.example\r\nContent-Length: %d\r\n\r\n" % len(body)
    return base64.b64encode(head + body).decode("ascii")


def _load(served: Served, requests: list[str], clients: int, folder: Path) -> float:
    """Return the seconds that ``COUNT`` requests took."""
    host, port = served.where.split(":")
    some = [requests[n % len(requests)] for n in range(COUNT)]
    job: dict[str, Any] = {"host": host, "port": int(port), "clients": clients, "requests": some}
    (folder / "job.json").write_text(json.dumps(job))
    words = [sys.executable, "-m", "bench.load", str(folder / "job.json")]
    found = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    if found["statuses"] != {"200": COUNT}:
        raise RuntimeError(str(found["statuses"]) + str(found["failures"]))
    return float(found["seconds"])


def _bare(path: Path) -> float:
    """Return how many rows of a witness SQLite alone makes durable a second, one by one."""
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS heads (n INTEGER PRIMARY KEY, note BLOB)")
    rows = [os.urandom(_ROW) for _ in range(COUNT)]
    began = time.perf_counter()
    for n, row in enumerate(rows):
        with transaction(connection):
            connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (n % 64, row))
    seconds = time.perf_counter() - began
    connection.close()
    return COUNT / seconds
