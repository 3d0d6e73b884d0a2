"""``/healthz`` and ``/metrics``: what an operator's watch asks for. Metrics only from this machine itself."""

from __future__ import annotations

import json
import shutil
import time
from typing import Any

from ledger.errors import LedgerError
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.records.entry import parse_time
from web.site import Site

__all__ = ["gauges_of", "health_of"]


def health_of(home: Home, site: Site) -> tuple[int, bytes]:
    """Return status and JSON: 200 where readers are served; whether acts are being published is said in it."""
    try:
        with site.read() as reading:
            found: dict[str, Any] = {"status": "ok", "size": reading.size, "last_entry": reading.head.time}
        found["publishing"] = home.is_sequenced()
    except LedgerError as error:
        return 503, json.dumps({"status": "failing", "error": error.code}).encode()
    return 200, json.dumps(found).encode()


def gauges_of(home: Home, site: Site, staged: int) -> dict[str, float]:
    """Return the numbers that an operator watches."""
    with site.read() as reading:
        found: dict[str, float] = {
            "size": reading.size,
            "seconds_since_last_entry": time.time() - parse_time(reading.head.time),
            "catalogue_size": reading.catalog.size,
        }
    inbox = Inbox(home)
    try:
        found["waiting"] = inbox.count_pending()
    finally:
        inbox.close()
    usage = shutil.disk_usage(home.path)
    return found | {"staging_bytes": staged, "disk_free_bytes": usage.free, "publishing": float(home.is_sequenced())}
