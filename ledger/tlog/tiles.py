"""Tiles and entry bundles: C2SP tlog-tiles.

A tile of level *l* and index *n* holds up to 256 hashes of complete subtrees of 256**l leaves. Level -1 names entry
bundles: entries with big-endian uint16 lengths.

    tile/0/x001/x234/067        tile/1/000.p/17        tile/entries/000.p/5

``TileReader`` trusts only the root that it is given: every tile is hashed up to it before any of its hashes is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.errors import FormatError, ProofError
from ledger.tlog.encoding import parse_decimal
from ledger.tlog.merkle import EMPTY_ROOT, HASH_SIZE, Node, node_hash, root_hash, subtrees

__all__ = [
    "ENTRIES",
    "TILE_WIDTH",
    "Tile",
    "TileReader",
    "bundle_tiles",
    "format_bundle",
    "new_tiles",
    "parse_bundle",
    "parse_tile_path",
    "tiles_of",
]

TILE_WIDTH = 256
HEIGHT = 8
ENTRIES = -1
MAX_ENTRY = 65_535
_PATH = re.compile(r"tile/(entries|[0-9]+)((?:/x[0-9]{3})*)/([0-9]{3})(?:\.p/([0-9]+))?", re.ASCII)


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
    """Return the hash tiles that a tree of ``old_size`` needs to become one of ``new_size``, level by level."""
    tiles: list[Tile] = []
    level = 0
    while new_size >> HEIGHT * level:
        tiles += _grown(level, old_size >> HEIGHT * level, new_size >> HEIGHT * level)
        level += 1
    return tiles


def bundle_tiles(old_size: int, new_size: int) -> list[Tile]:
    """Return the entry bundles that a log of ``old_size`` needs to become one of ``new_size``."""
    return _grown(ENTRIES, old_size, new_size)


def tiles_of(size: int) -> list[Tile]:
    """Return all hash tiles of a tree."""
    return new_tiles(0, size)


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the entry bundle of ``entries``, each at most 65,535 bytes."""
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
        if end > len(data) or at + 2 > len(data):
            raise FormatError("an entry bundle is cut", code="bundle-cut")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != count or at != len(data):
        raise FormatError(f"an entry bundle does not hold exactly {count} entries", code="bundle-cut", count=count)
    return entries


class TileReader:
    """The hashes of one signed tree, read from tiles that nobody has to trust; a ``merkle.ReadHashes``.

    ``fetch`` returns a tile's bytes. Tiles are kept once they have been proven.
    """

    def __init__(self, size: int, root: bytes, fetch: Callable[[Tile], bytes]) -> None:
        self.size, self.root, self.fetch = size, root, fetch
        self._proven: dict[tuple[int, int], bytes] = {}
        self._edge_is_proven = False

    def __call__(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node.

        Raises:
            ProofError: a node outside the tree, or a tile that does not lead to the root.
            FormatError: a tile that is cut.
        """
        return [self._hash(level, index) for level, index in nodes]

    read_hashes = __call__

    def tile(self, level: int, index: int) -> bytes:
        """Return the proven bytes of the tile at ``level`` and ``index``, as wide as this tree makes it."""
        if (level, index) not in self._proven:
            self._prove_edge()
            self._prove(level, index)
        return self._proven[level, index]

    def _hash(self, level: int, index: int) -> bytes:
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise ProofError(f"no node {level}/{index} in a tree of {self.size}", code="bad-index", index=index, size=self.size)
        tile_level, inner = divmod(level, HEIGHT)
        first = index << inner
        data = self.tile(tile_level, first >> HEIGHT)
        at = first % TILE_WIDTH
        return root_hash(_split(data)[at : at + (1 << inner)])

    def _width(self, level: int, index: int) -> int:
        return min(TILE_WIDTH, (self.size >> HEIGHT * level) - (index << HEIGHT))

    def _read(self, level: int, index: int) -> bytes:
        tile = Tile(level, index, self._width(level, index))
        data = self.fetch(tile)
        if len(data) != tile.width * HASH_SIZE:
            raise FormatError(f"{tile.path} has {len(data)} bytes", code="tile-cut", path=tile.path)
        return data

    def _prove_edge(self) -> None:
        """Read the tiles of the right edge, and require that they fold to the root."""
        if self._edge_is_proven:
            return
        if self.size == 0:
            if self.root != EMPTY_ROOT:
                raise ProofError("size 0 with the root of no empty tree", code="tile-differs", path="")
            return
        read: dict[tuple[int, int], bytes] = {}
        hashes = []
        for level, index in subtrees(0, self.size):
            tile_level, inner = divmod(level, HEIGHT)
            first = index << inner
            key = (tile_level, first >> HEIGHT)
            if key not in read:
                read[key] = self._read(*key)
            at = first % TILE_WIDTH
            hashes.append(root_hash(_split(read[key])[at : at + (1 << inner)]))
        found = hashes[-1]
        for left in reversed(hashes[:-1]):
            found = node_hash(left, found)
        if found != self.root:
            raise ProofError("the tiles do not lead to the signed root", code="tile-differs", path="", size=self.size)
        self._proven.update(read)
        self._edge_is_proven = True

    def _prove(self, level: int, index: int) -> None:
        """Prove a full tile by its hash in the tile above, and that one before it."""
        if (level, index) in self._proven:
            return
        width = self._width(level, index)
        if width != TILE_WIDTH or level > 63:
            raise ProofError(f"no tile {level}/{index} in a tree of {self.size}", code="bad-index", index=index, size=self.size)
        above = self.tile(level + 1, index >> HEIGHT)
        at = index % TILE_WIDTH * HASH_SIZE
        data = self._read(level, index)
        if root_hash(_split(data)) != above[at : at + HASH_SIZE]:
            path = Tile(level, index).path
            raise ProofError(f"{path} does not lead to the signed root", code="tile-differs", path=path, size=self.size)
        self._proven[level, index] = data


def _grown(level: int, old: int, new: int) -> list[Tile]:
    """Return the tiles of one level that change when its hashes grow from ``old`` to ``new``."""
    if old == new:
        return []
    tiles = [Tile(level, index) for index in range(old // TILE_WIDTH, new // TILE_WIDTH)]
    if new % TILE_WIDTH:
        tiles.append(Tile(level, new // TILE_WIDTH, new % TILE_WIDTH))
    return tiles


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
