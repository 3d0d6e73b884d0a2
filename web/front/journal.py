"""What the web process says about itself: JSON lines on standard error, and counts for ``/metrics``.

A line names the request by a random id, its path without the query, status and time; never a reader's address, nor what
they searched for. Files of the log are counted, not told.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any, TextIO

__all__ = ["Journal"]

_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)


class Journal:
    """Lines and counts of one process."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self.requests: Counter[tuple[str, str]] = Counter()
        self.seconds: Counter[float] = Counter()
        self.total_seconds = 0.0

    def tell(self, level: str, message: str, **values: Any) -> None:
        """Write one line."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"time": now, "level": level, "message": message, **values}, ensure_ascii=True, default=str)
        print(line, file=self.out, flush=True)

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[kind, f"{status // 100}xx"] += 1
        if kind != "file":
            self.total_seconds += seconds
            self.seconds[next((one for one in _BUCKETS if seconds <= one), float("inf"))] += 1

    def metrics(self, gauges: dict[str, float]) -> str:
        """Return the counts in Prometheus' text format 0.0.4."""
        lines = ["# TYPE bening_http_requests_total counter"]
        for (kind, status), count in sorted(self.requests.items()):
            lines.append(f'bening_http_requests_total{{kind="{kind}",status="{status}"}} {count}')
        lines.append("# TYPE bening_http_seconds histogram")
        running = 0
        for edge in (*_BUCKETS, float("inf")):
            running += self.seconds[edge]
            shown = "+Inf" if edge == float("inf") else f"{edge:g}"
            lines.append(f'bening_http_seconds_bucket{{le="{shown}"}} {running}')
        lines += [f"bening_http_seconds_sum {self.total_seconds:.6f}", f"bening_http_seconds_count {running}"]
        for name, value in gauges.items():
            lines += [f"# TYPE bening_{name} gauge", f"bening_{name} {value:g}"]
        return "\n".join(lines) + "\n"
