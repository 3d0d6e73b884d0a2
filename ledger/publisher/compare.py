"""Holding a restored ``public/`` against the live one, byte for byte, up to the restored size; the live one may have grown."""

from __future__ import annotations

import filecmp
import re
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import LedgerError
from ledger.publisher.fsck import Fault
from ledger.publisher.home import Home
from ledger.publisher.outbox import published_checkpoint
from ledger.publisher.store import Store
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH, format_bundle, parse_bundle

__all__ = ["compare"]

_PARTIAL = re.compile(r"(tile/.+)\.p/([0-9]{1,3})", re.ASCII)


def compare(restored: Home, live: Home) -> Iterator[Fault]:
    """Yield a fault for each public file of ``restored`` that is not what ``live`` shows for the same entries."""
    size = (published_checkpoint(restored) or (0, b""))[0]
    grown = (published_checkpoint(live) or (0, b""))[0] > size
    with Store(live, read_only=True) as store:
        withdrawn = store.roster().withdrawn
    for path in sorted(one for one in restored.public.rglob("*") if one.is_file()):
        name = str(path.relative_to(restored.public))
        if path.name not in withdrawn and not _is_same(name, path, live.public, size, grown=grown):
            yield Fault("differs-from-live", {"path": name})


def _is_same(name: str, path: Path, public: Path, size: int, *, grown: bool) -> bool:
    partial = _PARTIAL.fullmatch(name)
    try:
        if partial is not None:
            return path.read_bytes() == _front(public, partial[1], int(partial[2]))
        if name.startswith("lookup/") and grown:
            return path.read_bytes() == _lines_below(public / name, size)
        if name == "roster.jsonl" and grown:
            return (public / name).read_bytes().startswith(path.read_bytes())
        if name in ("checkpoint", "policy", "policy-ed25519") and grown:
            return True  # of another size: signed anew, and perhaps by newer keys
        return filecmp.cmp(path, public / name, shallow=False)
    except (OSError, LedgerError, ValueError):
        return False


def _front(public: Path, name: str, width: int) -> bytes:
    """Return the first ``width`` hashes or entries of a live tile: of the full one, else of the widest partial one."""
    full = public / name
    widths = sorted(int(one.name) for one in full.with_name(f"{full.name}.p").glob("*") if one.name.isdecimal())
    at = full if full.is_file() else full.with_name(f"{full.name}.p") / str(widths[-1])
    data = at.read_bytes()
    if not name.startswith("tile/entries/"):
        return data[: width * HASH_SIZE]
    count = TILE_WIDTH if at == full else widths[-1]
    return format_bundle(parse_bundle(data, count)[:width])


def _lines_below(path: Path, size: int) -> bytes:
    return b"".join(line for line in path.read_bytes().splitlines(keepends=True) if int(line.split()[1]) < size)
