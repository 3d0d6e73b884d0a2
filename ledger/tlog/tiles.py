"""Tiles and entry bundles: C2SP tlog-tiles.

A tile of level *l* and index *n* holds up to 256 hashes of complete subtrees of 256**l leaves. Level -1 names entry
bundles: entries with big-endian uint16 lengths.

    tile/0/x001/x234/067        tile/1/000.p/17        tile/entries/000.p/5

``TileReader`` trusts only the root that it is given: every tile is hashed up to it before any of its hashes is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import FormatError, ProofError
from ledger.tlog.encoding import parse_decimal
from ledger.tlog.merkle import EMPTY_ROOT, HASH_SIZE, Node, ReadHashes, fold, root_hash, subtrees

__all__ = [
    "ENTRIES",
    "TILE_WIDTH",
    "FetchTile",
    "Tile",
    "TileReader",
    "bundle_tiles",
    "format_bundle",
    "hash_in_tile",
    "new_tiles",
    "parse_bundle",
    "parse_tile_path",
    "tile_hashes",
    "tiles_of",
]

TILE_WIDTH = 256
HEIGHT = 8
ENTRIES = -1
MAX_ENTRY = 65_535
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})((?:/x[0-9]{3}){0,6})/([0-9]{3})(?:\.p/([0-9]+))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """The tile at ``level`` (0 … 63, or ENTRIES) and ``index``, with ``width`` of its 256 places filled."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The path below the log's prefix."""
        digits = f"{self.index:03d}"
        digits = "0" * (-len(digits) % 3) + digits
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{name}" + (f".p/{self.width}" if self.width < TILE_WIDTH else "")


def parse_tile_path(path: str) -> Tile:
    """Return the tile that ``path`` names.

    Raises:
        FormatError: not exactly as ``Tile.path`` writes it.
    """
    found = _PATH.fullmatch(path)
    if not found:
        raise FormatError(f"{path[:80]!r} is not a tile path", code="bad-tile-path")
    level = ENTRIES if found[1] == "entries" else parse_decimal(found[1])
    index = int(found[2].replace("/x", "") + found[3])
    width = TILE_WIDTH if found[4] is None else parse_decimal(found[4])
    tile = Tile(level, index, width)
    if level > 63 or index >= 2**63 or not 1 <= width <= TILE_WIDTH or tile.path != path:
        raise FormatError(f"{path[:80]!r} is not a tile path", code="bad-tile-path")
    return tile


def new_tiles(old_size: int, new_size: int) -> list[Tile]:
    """Return the hash tiles that a tree of ``old_size`` needs to become one of ``new_size``, level by level.

    Raises:
        ProofError: the sizes run backwards.
    """
    tiles = _grown(0, old_size, new_size)
    level = 1
    while new_size >> HEIGHT * level:
        tiles += _grown(level, old_size >> HEIGHT * level, new_size >> HEIGHT * level)
        level += 1
    return tiles


def bundle_tiles(old_size: int, new_size: int) -> list[Tile]:
    """Return the entry bundles that a log of ``old_size`` needs to become one of ``new_size``."""
    return _grown(ENTRIES, old_size, new_size)


def tiles_of(size: int) -> list[Tile]:
    """Return all hash tiles of a tree; ``bundle_tiles(0, size)`` are its entry bundles."""
    return new_tiles(0, size)


def tile_hashes(tile: Tile, read: ReadHashes) -> bytes:
    """Return the bytes of a hash tile of a tree whose hashes ``read`` gives."""
    first = tile.index * TILE_WIDTH
    return b"".join(read([(HEIGHT * tile.level, index) for index in range(first, first + tile.width)]))


def hash_in_tile(tile: Tile, data: bytes, node: Node) -> bytes:
    """Return the hash of ``node`` from the bytes of the tile that spans it; at most 255 hashes.

    Raises:
        FormatError: the data has not the tile's width.
        ProofError: the node is not in this tile.
    """
    if tile.level < 0 or len(data) != tile.width * HASH_SIZE:
        raise FormatError(f"{tile.path} has {len(data)} bytes", code="tile-cut", path=tile.path)
    level, index = node
    inner = level - HEIGHT * tile.level
    start = (index << inner) - tile.index * TILE_WIDTH if 0 <= inner < HEIGHT else -1
    if not 0 <= start <= tile.width - (1 << max(inner, 0)):
        raise ProofError(f"no node {level}/{index} in {tile.path}", code="bad-index", index=index, size=tile.width)
    return root_hash(_split(data[start * HASH_SIZE : (start + (1 << inner)) * HASH_SIZE]))


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the entry bundle of ``entries``.

    Raises:
        FormatError: an entry of more than 65,535 bytes.
    """
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise FormatError("an entry of more than 65,535 bytes", code="entry-too-long")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes, count: int) -> list[bytes]:
    """Return the ``count`` entries of a bundle.

    Raises:
        FormatError: it holds fewer or more, or is cut.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < count:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != count or at != len(data):
        raise FormatError(f"an entry bundle is cut, or does not hold exactly {count} entries", code="bundle-cut", count=count)
    return entries


class FetchTile(Protocol):
    """Where the bytes of tiles come from; nobody has to trust it."""

    def __call__(self, tile: Tile, /) -> bytes:
        """Return the bytes of ``tile``, or of the full tile that has taken the place of a partial one."""
        ...


class TileReader:
    """The hashes of one signed tree, read from tiles that nobody has to trust; a ``merkle.ReadHashes``.

    Every tile is fetched once, and kept once it has been proven.
    """

    def __init__(self, size: int, root: bytes, fetch: FetchTile) -> None:
        self.size, self.root, self.fetch = size, root, fetch
        self._proven: dict[tuple[int, int], bytes] = {}

    def __call__(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node.

        Raises:
            ProofError: a node outside the tree, or a tile that does not lead to the root.
            FormatError: a tile that is cut.
        """
        return [self._hash(node) for node in nodes]

    read_hashes = __call__

    def tile(self, level: int, index: int) -> bytes:
        """Return the proven bytes of the tile at ``level`` and ``index``, as wide as this tree makes it.

        Raises:
            ProofError: no such tile in this tree, or it does not lead to the root.
            FormatError: a tile that is cut.
        """
        if not self._proven:
            self._prove_edge()
        if (level, index) not in self._proven:
            self._prove(self._tile(level, index))
        return self._proven[level, index]

    def _hash(self, node: Node) -> bytes:
        level, index = node
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise ProofError(f"no node {level}/{index} in a tree of {self.size}", code="bad-index", index=index, size=self.size)
        tile = self._tile(*_place(node))
        return hash_in_tile(tile, self.tile(tile.level, tile.index), node)

    def _tile(self, level: int, index: int) -> Tile:
        """Return the tile with the width that this tree gives it."""
        width = min(TILE_WIDTH, (self.size >> HEIGHT * level) - index * TILE_WIDTH) if 0 <= level < 64 and index >= 0 else 0
        if width < 1:
            raise ProofError(f"no tile {level}/{index} in a tree of {self.size}", code="bad-index", index=index, size=self.size)
        return Tile(level, index, width)

    def _read(self, tile: Tile) -> bytes:
        """Return a tile's bytes, cut from the full tile where a partial one has been replaced; proven later, either way."""
        data, wanted = self.fetch(tile), tile.width * HASH_SIZE
        if len(data) not in (wanted, TILE_WIDTH * HASH_SIZE):
            raise FormatError(f"{tile.path} has {len(data)} bytes", code="tile-cut", path=tile.path)
        return data[:wanted]

    def _prove_edge(self) -> None:
        """Read the tiles of the right edge, and require that they fold to the root."""
        if self.size == 0:
            if self.root != EMPTY_ROOT:
                raise ProofError("size 0 with the root of no empty tree", code="tile-differs", path="checkpoint", size=0)
            return
        nodes = subtrees(0, self.size)
        tiles = {place: self._tile(*place) for place in map(_place, nodes)}
        read = {place: self._read(tile) for place, tile in tiles.items()}
        if fold([hash_in_tile(tiles[at], read[at], node) for node in nodes for at in [_place(node)]]) != self.root:
            edge = ", ".join(tile.path for tile in tiles.values())
            raise ProofError(f"{edge} do not lead to the signed root", code="tile-differs", path=edge, size=self.size)
        self._proven.update(read)

    def _prove(self, tile: Tile) -> None:
        """Prove a full tile by its hash in the tile above, and that one before it (a partial one is on the edge)."""
        above = self.tile(tile.level + 1, tile.index // TILE_WIDTH)
        at = tile.index % TILE_WIDTH * HASH_SIZE
        data = self._read(tile)
        if root_hash(_split(data)) != above[at : at + HASH_SIZE]:
            raise ProofError(f"{tile.path} does not lead to the signed root", code="tile-differs", path=tile.path, size=self.size)
        self._proven[tile.level, tile.index] = data


def _place(node: Node) -> tuple[int, int]:
    """Return the level and index of the tile that spans a node."""
    level, inner = divmod(node[0], HEIGHT)
    return level, (node[1] << inner) // TILE_WIDTH


def _grown(level: int, old: int, new: int) -> list[Tile]:
    """Return the tiles of one level that change when its hashes grow from ``old`` to ``new``."""
    if not 0 <= old <= new:
        raise ProofError(f"sizes {old} and {new} run backwards", code="bad-sizes", old=old, new=new)
    if old == new:
        return []
    tiles = [Tile(level, index) for index in range(old // TILE_WIDTH, new // TILE_WIDTH)]
    if new % TILE_WIDTH:
        tiles.append(Tile(level, new // TILE_WIDTH, new % TILE_WIDTH))
    return tiles


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
