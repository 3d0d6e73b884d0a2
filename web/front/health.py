"""``/healthz`` and ``/metrics``: what an operator's watch asks for. Metrics only from this machine itself."""

from __future__ import annotations

import json
import shutil
import threading
import time
from typing import Any

from ledger.errors import LedgerError
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.records.entry import parse_time
from web.site import Site

__all__ = ["gauges_of", "health_of"]

_LOOK_EVERY = 1.0  # seconds


class _Look:
    """Whether a sequencer runs, looked at once a second however many ask.

    A look holds the sequencer's lock for a moment: two at once would take each other for a sequencer, and a flood of them
    would keep the true one from starting.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, bool]] = {}

    def __call__(self, home: Home) -> bool:
        """Look, or return what was seen within the last second."""
        with self._lock:
            then, found = self._seen.get(str(home.path), (-_LOOK_EVERY, False))
            if time.monotonic() - then >= _LOOK_EVERY:
                found = home.is_sequenced()
                self._seen[str(home.path)] = (time.monotonic(), found)
            return found


_is_sequenced = _Look()


def health_of(home: Home, site: Site) -> tuple[int, bytes]:
    """Return status and JSON: 200 where readers are served; whether acts are being published is said in it."""
    try:
        with site.read() as reading:
            found: dict[str, Any] = {"status": "ok", "size": reading.size, "last_entry": reading.head.time}
        found |= {"status": "restored"} if home.restore_mark.exists() else {}
        found["publishing"] = _is_sequenced(home)
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
    return found | {"staging_bytes": staged, "disk_free_bytes": usage.free, "publishing": float(_is_sequenced(home))}
