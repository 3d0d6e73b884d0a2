"""The log as files: tiles, entry bundles, and proofs made from them.

Tiles are derived from the leaf hashes; nothing is stored twice in the database. A tile of level *l* is read back from the
full tiles of level *l-1*, which have been written before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ledger.errors import StoreError
from ledger.publisher.store import Store
from ledger.tlog.merkle import prove_inclusion, root_hash
from ledger.tlog.proof import Proof, format_proof
from ledger.tlog.tiles import TILE_WIDTH, Tile, TileReader, bundle_tiles, format_bundle, new_tiles

__all__ = ["check_tiles", "hash_tile_files", "make_proofs", "outgrown", "tile_files"]

_HASH = 32


def tile_files(store: Store, old_size: int, new_size: int) -> Iterator[tuple[Path, bytes]]:
    """Yield the files by which a tree of ``old_size`` entries grows to ``new_size``: bundles, then tiles level by level."""
    for tile in bundle_tiles(old_size, new_size):
        start = tile.index * TILE_WIDTH
        yield store.home.public / tile.path, format_bundle(store.entries(start, start + tile.width))
    yield from hash_tile_files(store, old_size, new_size)


def hash_tile_files(store: Store, old_size: int, new_size: int) -> Iterator[tuple[Path, bytes]]:
    """Yield the tiles of hashes by which a tree of ``old_size`` entries grows to ``new_size``, level by level."""
    made: dict[Tile, bytes] = {}
    for tile in sorted(new_tiles(old_size, new_size), key=lambda one: (one.level, one.index)):
        data = _tile(store, tile, made)
        if tile.width == TILE_WIDTH:
            made[tile] = data
        yield store.home.public / tile.path, data


def _tile(store: Store, tile: Tile, made: dict[Tile, bytes]) -> bytes:
    start = tile.index * TILE_WIDTH
    if tile.level == 0:
        return b"".join(store.leaves(start, start + tile.width))
    below = (Tile(tile.level - 1, index, TILE_WIDTH) for index in range(start, start + tile.width))
    return b"".join(_root_of(made.get(one) or _read(store, one)) for one in below)


def _root_of(tile: bytes) -> bytes:
    return root_hash([tile[at : at + _HASH] for at in range(0, len(tile), _HASH)])


def _read(store: Store, tile: Tile) -> bytes:
    """Return a tile from its file, or the front of the full one that has taken its place."""
    for width in (tile.width, TILE_WIDTH):
        try:
            return (store.home.public / Tile(tile.level, tile.index, width).path).read_bytes()[: tile.width * _HASH]
        except FileNotFoundError:
            continue
    raise StoreError(f"{tile.path} is missing", code="tile-missing", path=tile.path)


def check_tiles(store: Store, size: int) -> None:
    """Read the written tiles back as a stranger would, and require that they lead to the signed root.

    Raises:
        ProofError: they do not.
    """
    reader = _reader(store, size)
    prove_inclusion(size - 1, size, reader)


def make_proofs(store: Store, indexes: list[int], size: int) -> list[bytes]:
    """Return the ``.tlog-proof`` of each index, all from the one published snapshot of ``size``."""
    note, reader = store.checkpoint_note(size), _reader(store, size)
    return [
        format_proof(Proof(index, tuple(prove_inclusion(index, size, reader)), note, store.entry(index))) for index in indexes
    ]


def outgrown(public: Path, old_size: int, new_size: int) -> Iterator[Path]:
    """Yield the folders of partial tiles and bundles whose full ones came with ``new_size``."""
    for tile in (*new_tiles(old_size, new_size), *bundle_tiles(old_size, new_size)):
        if tile.width == TILE_WIDTH:
            yield public / f"{tile.path}.p"


def _reader(store: Store, size: int) -> TileReader:
    head = store.head_at(size)
    if head is None:
        raise StoreError(f"no head of size {size}", code="entries-missing", start=0, end=size)
    return TileReader(size, head.root, lambda tile: _read(store, tile))
