"""Through HTTP: files against nginx, and submissions from POST to published proof."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.limits import verify_limit
from bench.table import Row, ratio_row
from tests.publisher.town import Town
from tests.web.asgi import form_of
from tests.web.serving import free_port, serving

__all__ = ["files_against_nginx", "submissions"]

ROUNDS = 5
CLIENTS = 64


def files_against_nginx() -> list[Row]:
    """Tiles and documents through ``bening serve``, and the same files through nginx, turn by turn; wrk asks."""
    if not shutil.which("nginx") or not shutil.which("wrk"):
        return [Row("files through bening serve / nginx", "not measured: nginx or wrk is not installed", "", None)]
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
        Path(folder).chmod(0o755)
        town = Town(Path(folder))
        town.settle_in()
        big = town.published(b"%PDF-1.4 " + os.urandom(200 * 1024))
        town.submit(*[town.act(f"%PDF-1.4 {n}".encode()) for n in range(300)])
        del big
        tile = "tile/0/000"
        document = max((town.home.public / "documents").rglob("*/*"), key=lambda path: path.stat().st_size)
        paths = {"tile of 8 KiB": tile, "document of 200 KiB": str(document.relative_to(town.home.public))}
        rows = []
        with serving(town.home) as served, _nginx(town.home.public, Path(folder)) as other:
            for name, path in paths.items():
                ours, theirs = [], []
                for _ in range(ROUNDS):
                    ours.append(_wrk(f"{served.url}/{path}"))
                    theirs.append(_wrk(f"{other}/{path}"))
                rows.append(ratio_row(f"{name}: bening serve / nginx", ours, theirs, "requests/s", ">= 0.35"))
        return rows


@contextmanager
def _nginx(root: Path, folder: Path) -> Iterator[str]:
    """Serve ``root`` by nginx with as many workers as there are cores."""
    port, conf = free_port(), folder / "nginx.conf"
    conf.write_text(
        f"daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/nginx.log; user root;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; default_type application/octet-stream;\n"
        f"  server {{ listen 127.0.0.1:{port}; root {root};\n"
        "    add_header Cache-Control 'public, max-age=31536000, immutable'; add_header Access-Control-Allow-Origin '*'; } }\n"
    )
    process = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wrk(url: str) -> float:
    done = subprocess.run(["wrk", "-t1", "-c32", "-d2s", url], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))  # type: ignore[union-attr]


def submissions(count: int = 3000) -> list[Row]:
    """POST to published proof: the top rate of 64 clients, and latencies at half of it."""
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
        town = Town(Path(folder))
        town.settle_in()
        with serving(town.home) as served:
            limits = [verify_limit()]
            top = []
            for _ in range(3):
                found = _load(served.url, _requests(town, count, served.url))
                top.append(found["statuses"].get("201", 0) / found["seconds"])
                limits.append(verify_limit())
            rate = statistics.median(top) / 2
            found = _load(served.url, _requests(town, int(rate * 10), served.url), rate)
        late = found["latencies"]
        p50, p99 = (late[min(len(late) - 1, int(len(late) * part))] for part in (0.5, 0.99))
        failed = sum(number for status, number in found["statuses"].items() if status != "201")
        return [
            ratio_row("submit by HTTP, 64 clients, top rate / verify limit", top, limits[1:], "acts/s"),
            Row(f"submit at half of that ({rate:.0f}/s): 99 % / 1 s", f"p50 {p50:.3f} s, p99 {p99:.3f} s, failed {failed}",
                "1 s", p99, "", "<= 1.0"),
        ]  # fmt: skip


def _requests(town: Town, count: int, url: str) -> list[bytes]:
    host, made = url.removeprefix("http://"), []
    for _ in range(count):
        unique = os.urandom(7).hex()
        body, content_type = form_of([town.act(f"%PDF-1.4 {unique}".encode(), number=f"138/{unique} Tahun 2026")])
        said = (f"Host: {host}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
        made.append("\r\n".join(["POST /api/v1/acts HTTP/1.1", *said, "", ""]).encode() + body)
    return made


def _load(url: str, requests: list[bytes], rate: float | None = None) -> dict[str, Any]:
    host, _, port = url.removeprefix("http://").partition(":")
    prepared = [base64.b64encode(one).decode() for one in requests]
    job = {"host": host, "port": int(port), "clients": CLIENTS, "rate": rate, "requests": prepared}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        done = subprocess.run([sys.executable, "-m", "bench.load", file.name], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
