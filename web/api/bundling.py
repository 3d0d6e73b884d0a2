"""Evidence for one act, with the acts that hang together with it on request, as one ``.zip``: made, sent, gone.

Everything is held against the published checkpoint while it is packed (``ledger.verifier.bundle``). What is asked of the
site is limited in acts and bytes; the command line has no such limit, and says the same thing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from ledger.errors import UsageError
from ledger.publisher.home import Home
from ledger.records import canonical
from ledger.records.record import MAX_RECORD
from ledger.records.refs import format_ref
from ledger.records.replay import Act
from web.site import Reading

__all__ = ["MOST_ACTS", "MOST_BYTES", "bundle_of", "related_acts"]

MOST_ACTS = 200
MOST_BYTES = 128 * 1024 * 1024


def bundle_of(reading: Reading, act: Act, *, related: bool) -> IO[bytes]:
    """Return the open bundle, at its start; the file has no name any more.

    Raises:
        UsageError: ``bundle-too-large``.
        ProofError, FetchError: the published folder could not be read, or does not hold.
    """
    from ledger.tlog.policy import parse_policy
    from ledger.verifier.bundle import make_bundle
    from ledger.verifier.client import FolderSource, fetch_policy
    from ledger.verifier.reader import open_ledger

    acts = related_acts(reading, act) if related else [act]
    _check_size(reading, act, acts)
    source = FolderSource(reading.home.public)
    view = open_ledger(source, parse_policy(fetch_policy(source)), reading.home.founding)
    with tempfile.TemporaryDirectory(prefix="bening-bundle-") as folder:
        path = Path(folder) / "bundle.zip"
        make_bundle(view, [one.index for one in acts], path)
        return open(path, "rb")


def related_acts(reading: Reading, act: Act) -> list[Act]:
    """Return ``act`` and the published acts that it names or that name it, and so on.

    Raises:
        UsageError: ``bundle-too-large``: more than ``MOST_ACTS``.
    """
    found: dict[str, Act] = {}
    waiting = [act]
    while waiting:
        one = waiting.pop()
        if one.ref in found:
            continue
        found[one.ref] = one
        if len(found) > MOST_ACTS:
            raise _too_large(reading.home, act)
        named = (reading.acts.by_ref(target) for _, target in one.relations)
        waiting += [other for other in named if other is not None]
        waiting += [other for _, other in reading.acts.relating_to(one.ref)]
    return sorted(found.values(), key=lambda one: one.index)


def _check_size(reading: Reading, act: Act, acts: list[Act]) -> None:
    total = 0
    for one in acts:
        record = canonical.parse(reading.acts.payload(one.index) or b"", limit=MAX_RECORD)
        total += sum(document.get("size", 0) for document in record["documents"])
    if total > MOST_BYTES:
        raise _too_large(reading.home, act)


def _too_large(home: Home, act: Act) -> UsageError:
    command = f"bening bundle {format_ref(act.ref)} --with-related -L {home.url or home.origin} -o FILE.zip"
    values = {"limit": MOST_ACTS, "mib": MOST_BYTES // 1024**2, "command": command}
    return UsageError("too large for one answer", code="bundle-too-large", **values)
