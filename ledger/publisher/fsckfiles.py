"""``public/`` and what lies beside it: every file as the entries make it, nothing missing, nothing that no entry explains."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import LedgerError
from ledger.publisher.fault import Fault, guarded
from ledger.publisher.fsckreplay import Replay
from ledger.publisher.home import Home
from ledger.publisher.outbox import policy_files, published_checkpoint, roster_file
from ledger.publisher.store import Store
from ledger.publisher.tiles import check_tiles, tile_files
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.policy import parse_policy
from ledger.tlog.tiles import ENTRIES, TILE_WIDTH, Tile, bundle_tiles, format_bundle, tiles_of

__all__ = ["check_files", "check_leftovers"]


def check_files(store: Store, replay: Replay, size: int) -> Iterator[Fault]:
    """Yield the faults of everything under ``public/``, where ``size`` entries are out.

    ``replay`` has read all entries, and knows their index and roster.

    What a later head has brought already, while its checkpoint is not out yet, is explained as well.
    """
    public, found = store.home.public, _Files()
    yield from guarded(public / "checkpoint", _check_checkpoint(store, size))
    for path, data in ((public / "checkpoint", store.checkpoint_note(size)), (public / "roster.jsonl", roster_file(store, size))):
        yield from found.same(path, data)
    yield from guarded(public / "policy", _check_policies(store, size, found))
    for path, data in tile_files(store, 0, size):
        yield from found.same(path, data)
    yield from guarded(public / "tile", _check_partial(store, replay.frontier.size, found))
    yield from guarded(public / "lookup", _check_look_ups(store.home, replay, size, found))
    yield from guarded(public / "documents", _check_documents(store.home, replay, size, found))
    yield from guarded(public, _check_strays(store, replay, found))


class _Files:
    """The files of ``public/`` that were explained so far."""

    def __init__(self) -> None:
        self.known: set[Path] = set()

    def same(self, path: Path, data: bytes) -> Iterator[Fault]:
        """Require that a file has exactly these bytes."""
        self.known.add(path)
        try:
            if path.read_bytes() != data:
                yield Fault("file-differs", {"path": str(path)})
        except (FileNotFoundError, NotADirectoryError):
            yield Fault("file-missing", {"path": str(path)})
        except OSError as error:
            yield Fault("file-unread", {"path": str(path), "problem": str(error)})


def _check_checkpoint(store: Store, size: int) -> Iterator[Fault]:
    """Hold size and signatures of the checkpoint that is out against the store and the policy beside it."""
    path = store.home.public / "checkpoint"
    out = published_checkpoint(store.home)
    if out is None or out[0] != size:
        yield Fault("checkpoint", {"path": str(path), "size": size, "found": out[0] if out else 0})
        return
    try:
        parse_policy((store.home.public / "policy").read_bytes()).check(path.read_bytes())
        check_tiles(store, size)
    except (LedgerError, OSError) as error:
        problem = error.values.get("path") if isinstance(error, LedgerError) else None
        yield Fault("signature", {"path": str(path), "problem": str(problem or error)})


def _check_policies(store: Store, size: int, found: _Files) -> Iterator[Fault]:
    for path, data in policy_files(store.home, store.roster(size), size):
        yield from found.same(path, data)


def _check_partial(store: Store, size: int, found: _Files) -> Iterator[Fault]:
    """Partial tiles and bundles, of earlier checkpoints and of one that is coming, are fronts of the newest head's."""
    public = store.home.public
    newest = {tile.path.partition(".p/")[0]: tile for tile in (*tiles_of(size), *bundle_tiles(0, size))}
    for folder in sorted((public / "tile").rglob("*.p")):
        tile = newest.get(str(folder.relative_to(public)).removesuffix(".p"))
        for file in sorted(folder.iterdir()) if tile else ():
            width = int(file.name) if file.name.isascii() and file.name.isdecimal() and file.name[0] != "0" else 0
            if tile and 0 < width <= min(tile.width, TILE_WIDTH - 1) and file not in found.known:
                yield from found.same(file, _front(store, tile, width))


def _front(store: Store, tile: Tile, width: int) -> bytes:
    start = tile.index * TILE_WIDTH
    if tile.level == ENTRIES:
        return format_bundle(store.entries(start, start + width))
    if tile.level == 0:
        return b"".join(store.leaves(start, start + width))
    return (store.home.public / tile.path).read_bytes()[: width * HASH_SIZE]


def _check_look_ups(home: Home, replay: Replay, size: int, found: _Files) -> Iterator[Fault]:
    for kind, prefix in replay.index.buckets(0, size):
        lines = [f"{value} {index}\n" for value, index in replay.index.bucket(kind, prefix) if index < size]
        yield from found.same(home.public / "lookup" / kind / prefix, "".join(lines).encode("ascii"))


def _check_documents(home: Home, replay: Replay, size: int, found: _Files) -> Iterator[Fault]:
    rows = replay.index.connection.execute("SELECT sha256, min(idx) FROM documents GROUP BY sha256 ORDER BY 1").fetchall()
    withdrawn = replay.roster.withdrawn
    for sha256, index in rows:
        path = home.document(sha256)
        found.known.add(path)
        if index >= size:
            continue
        values: dict[str, object] = {"sha256": sha256, "path": str(path), "index": index}
        if sha256 in withdrawn:
            if path.exists():
                yield Fault("document-still-there", values)
        elif not path.is_file():
            yield Fault("document-missing", values)
        elif _hash(path) != sha256:
            yield Fault("document-differs", values)


def _check_strays(store: Store, replay: Replay, found: _Files) -> Iterator[Fault]:
    """Name what no entry explains; what is gone when looked at again was a writer's, at work just now."""
    head, public = replay.frontier.size, store.home.public
    explained = {public / tile.path for tile in (*tiles_of(head), *bundle_tiles(0, head))}
    explained |= {public / "lookup" / kind / prefix for kind, prefix in replay.index.buckets(0, head)} | found.known
    strays = [path for path in sorted(public.rglob("*")) if not path.is_dir() and path not in explained]
    if strays:
        time.sleep(0.05)
    for path in strays:
        if path.exists() or path.is_symlink():
            yield Fault("leftover" if _is_temporary(path) else "file-unknown", {"path": str(path)})


def check_leftovers(home: Home) -> Iterator[Fault]:
    """Yield temporary files in the home itself that a write which never ended has left."""
    found = [path for path in sorted(home.path.iterdir()) if path.is_file() and _is_temporary(path)]
    if found:
        time.sleep(0.05)
    yield from (Fault("leftover", {"path": str(path)}) for path in found if path.exists())


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".new")


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
