"""A load of prepared HTTP requests over kept connections, in a process of its own. ``python -m bench.load FILE``.

The file is JSON: ``{"host", "port", "clients", "rate", "requests": [base64 …]}``. With a rate the requests are begun at fixed
times whatever happens (an open load); without, each client sends its next one at once. Prints statuses and latencies.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    body = await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), body


async def _run(job: dict[str, Any]) -> dict[str, Any]:
    requests = [base64.b64decode(one) for one in job["requests"]]
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    failures: list[str] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(job["host"], job["port"], limit=2**20)
        while True:
            due, request = await waiting.get()
            if not request:
                writer.close()
                return
            began = due or time.perf_counter()
            status, body = await _ask(reader, writer, request)
            latencies.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1
            if status >= 300:
                failures.append(body.decode("utf-8", "replace")[:500])

    clients = [asyncio.create_task(client()) for _ in range(job["clients"])]
    began = time.perf_counter()
    for n, request in enumerate(requests):
        due = began + n / job["rate"] if job.get("rate") else 0.0
        if due:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.put_nowait((due, request))
    for _ in clients:
        waiting.put_nowait((0.0, b""))
    await asyncio.gather(*clients)
    return {"seconds": time.perf_counter() - began, "statuses": statuses, "latencies": sorted(latencies),
            "failures": failures[:3]}  # fmt: skip


def main() -> None:
    """Run the load that a file describes."""
    print(json.dumps(asyncio.run(_run(json.loads(Path(sys.argv[1]).read_text())))))


if __name__ == "__main__":
    main()
