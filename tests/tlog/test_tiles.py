from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FetchError, FormatError, LedgerError, ProofError
from ledger.tlog.merkle import EMPTY_ROOT, check_inclusion, prove_consistency, prove_inclusion
from ledger.tlog.tiles import (
    ENTRIES,
    TILE_WIDTH,
    Tile,
    TileReader,
    bundle_tiles,
    format_bundle,
    hash_in_tile,
    new_tiles,
    parse_bundle,
    parse_tile_path,
    tile_hashes,
    tiles_of,
)
from tests.tlog.logs import MemoryLog, entry, flip

TILES = st.builds(Tile, st.integers(-1, 63), st.integers(0, 2**63 - 1), st.integers(1, TILE_WIDTH))
LOG = MemoryLog(66_000)  # three levels: 257 full tiles and one of 208, one full tile and one of 1, one of 1


def reader(log: MemoryLog) -> TileReader:
    log.asked.clear()
    return TileReader(log.size, log.root, log.fetch)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),  # the example of tlog-tiles
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234, 5), "tile/0/x001/234.p/5"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
        (Tile(1, 1_000), "tile/1/x001/000"),
        (Tile(ENTRIES, 0), "tile/entries/000"),
        (Tile(ENTRIES, 5, 1), "tile/entries/005.p/1"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    """Paths are those of the specification, and are read back."""
    assert tile.path == path
    assert parse_tile_path(path) == tile


@given(TILES)
def test_path_round_trip(tile: Tile) -> None:
    """Every tile has a path of its own."""
    assert parse_tile_path(tile.path) == tile


@given(st.from_regex(r"tile/(entries|[0-9]{1,3})(/x[0-9]{3}){0,3}/[0-9]{3}(\.p/[0-9]{1,3})?", fullmatch=True))
def test_accepted_paths_format_to_themselves(path: str) -> None:
    """No two paths name one tile."""
    try:
        tile = parse_tile_path(path)
    except FormatError:
        return
    assert tile.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "/tile/0/000",
        "tile/0/000/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/8/0/000",
        "tile/data/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/0/x001/../000",
        "tile/0" + "/x001" * 7 + "/000",
        "tile/0" + "/x999" * 6 + "/999",
        "tile/0" + "/x001" * 3000 + "/000",
        "tile/" + "9" * 5000 + "/000",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """Whatever the specification would not write is refused, however long."""
    with pytest.raises(FormatError):
        parse_tile_path(path)


def test_the_specification_s_examples() -> None:
    """Trees of 70,000 and of 256 entries have the tiles that tlog-tiles counts."""
    tiles = tiles_of(70_000)
    assert sum(tile.level == 0 and tile.width == TILE_WIDTH for tile in tiles) == 273
    assert [tile for tile in tiles if tile.width < TILE_WIDTH or tile.level] == [
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert tiles_of(256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert tiles_of(0) == bundle_tiles(0, 0) == []


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_growth_adds_what_is_missing(first: int, second: int) -> None:
    """The tiles of the new tree are those of the old that stayed, and the new ones; nothing is written that was there."""
    old, new = sorted((first, second))
    before, after, added = set(tiles_of(old)), set(tiles_of(new)), set(new_tiles(old, new))
    assert added == after - before
    assert all(tile.width < TILE_WIDTH for tile in before - after)
    assert set(bundle_tiles(old, new)) == set(bundle_tiles(0, new)) - set(bundle_tiles(0, old))


@pytest.mark.parametrize("grow", [new_tiles, bundle_tiles])
@pytest.mark.parametrize(("old", "new"), [(5, 4), (1, 0), (-1, 3), (0, -1)])
def test_sizes_do_not_run_backwards(grow: object, old: int, new: int) -> None:
    """A log never needs tiles to become smaller."""
    with pytest.raises(ProofError) as caught:
        grow(old, new)  # type: ignore[operator]
    assert caught.value.code == "bad-sizes"


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundle_round_trip(entries: list[bytes]) -> None:
    """Every list of entries, empty ones too, is read back from its bundle."""
    assert parse_bundle(format_bundle(entries), len(entries)) == entries


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=5))
def test_cut_bundles_are_refused(entries: list[bytes]) -> None:
    """Every shorter bundle, every longer one and every other count is refused."""
    data = format_bundle(entries)
    for cut in [data[:at] for at in range(len(data))] + [data + b"\0", data + b"\0\0"]:
        with pytest.raises(FormatError):
            parse_bundle(cut, len(entries))
    for count in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(FormatError):
            parse_bundle(data, count)


def test_largest_entry() -> None:
    """An entry of 65,535 bytes fits, one byte more is refused and not an overflow."""
    assert parse_bundle(format_bundle([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(FormatError) as caught:
        format_bundle([b"x" * 65_536])
    assert caught.value.code == "entry-too-long"


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, 66_000])
def test_every_hash_comes_out_of_a_tile(size: int) -> None:
    """What a tile was made of is found in it again, at each of its eight levels."""
    log = MemoryLog(size)
    for tile in tiles_of(size)[-3:]:
        data = tile_hashes(tile, log.read)
        for inner in range(8):
            for at in range(tile.width >> inner):
                node = (8 * tile.level + inner, (tile.index * TILE_WIDTH >> inner) + at)
                assert hash_in_tile(tile, data, node) == log.read([node])[0]


@pytest.mark.parametrize("node", [(0, 255), (0, 261), (8, 1), (7, 2), (2, 65), (-1, 0), (0, -1), (1, 130)])
def test_no_hash_from_beside_a_tile(node: tuple[int, int]) -> None:
    """A node before, after, above or below a tile is refused, also one that is only partly filled."""
    tile = Tile(0, 1, 5)
    with pytest.raises(ProofError):
        hash_in_tile(tile, b"\0" * 32 * 5, node)


def test_no_hash_from_a_tile_of_another_width() -> None:
    """Data that is not as wide as its tile is refused."""
    for length in (0, 32 * 4, 32 * 5 - 1, 32 * 6):
        with pytest.raises(FormatError) as caught:
            hash_in_tile(Tile(0, 1, 5), b"\0" * length, (0, 256))
        assert caught.value.code == "tile-cut"


@pytest.mark.parametrize("index", [0, 255, 256, 65_535, 65_536, 65_791, 65_792, 65_999])
def test_proofs_from_tiles(index: int) -> None:
    """Proofs read from tiles are those read from the hashes."""
    proof = prove_inclusion(index, LOG.size, reader(LOG))
    assert proof == prove_inclusion(index, LOG.size, LOG.read)
    check_inclusion(proof, index=index, size=LOG.size, leaf=LOG.leaves[index], root=LOG.root)
    assert prove_consistency(index, LOG.size, reader(LOG)) == prove_consistency(index, LOG.size, LOG.read)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 513, 65_535, 65_536, 65_537])
def test_every_edge(size: int) -> None:
    """The first and the last leaf are proven from tiles at each size around a border."""
    log = MemoryLog(size)
    for index in (0, size - 1):
        assert prove_inclusion(index, size, reader(log)) == prove_inclusion(index, size, log.read)


def test_tiles_are_fetched_once() -> None:
    """A reader keeps what it has proven."""
    read = reader(LOG)
    for index in range(0, LOG.size, 5_000):
        prove_inclusion(index, LOG.size, read)
        assert read.read_hashes([(0, index)]) == [LOG.leaves[index]]
    assert len(set(LOG.asked)) == len(LOG.asked)


def test_only_tiles_of_this_tree_are_asked_for() -> None:
    """The specification forbids to fetch partial tiles that no checkpoint needs."""
    read = reader(LOG)
    read([(0, 0), (0, 65_999), (3, 8_000), (16, 0)])
    assert set(LOG.asked) <= set(tiles_of(LOG.size))


def tampered(size: int, path: str, at: int) -> MemoryLog:
    log = MemoryLog(size)
    log.changed[path] = lambda data: flip(data, at)
    return log


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize("at", [0, 31, 32, 1_000])
def test_a_flipped_bit_is_found(path: str, at: int) -> None:
    """A flipped tile never gives a hash, neither the changed one nor its neighbours; the reader does not keep it either."""
    log = tampered(600, path, at % len(MemoryLog(600).files[path]))
    tile = parse_tile_path(path)
    nodes = [(8 * tile.level, tile.index * TILE_WIDTH + place) for place in range(tile.width)]
    read = reader(log)
    for node in nodes[:3] + nodes[-3:]:
        with pytest.raises(ProofError) as caught:
            read([node])
        assert caught.value.code == "tile-differs"
    log.changed.clear()
    assert read(nodes) == log.read(nodes)


def test_a_forged_root_is_found() -> None:
    """True tiles under another root give no hash."""
    log = MemoryLog(600)
    for root in (flip(log.root, 0), EMPTY_ROOT, b""):
        with pytest.raises(ProofError):
            TileReader(600, root, log.fetch)([(0, 0)])


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize("length", [0, 1, 31, 32, 8_191, 8_193])
def test_a_cut_tile_is_found(path: str, length: int) -> None:
    """A tile with fewer or more bytes than its width is refused."""
    log = MemoryLog(600)
    log.changed[path] = lambda data: (data * 300)[:length]
    tile = parse_tile_path(path)
    with pytest.raises(FormatError) as caught:
        reader(log).tile(tile.level, tile.index)
    assert caught.value.code == "tile-cut"


def test_a_full_tile_in_place_of_a_partial_one() -> None:
    """A log that has grown may serve the full tile: its front is taken, and proven like any other."""
    old, new = MemoryLog(600), MemoryLog(800)

    def grown(tile: Tile) -> bytes:
        return new.files[Tile(tile.level, tile.index).path if tile.level == 0 else tile.path.replace(".p/2", ".p/3")][
            : None if tile.level == 0 else 64
        ]

    read = TileReader(600, old.root, grown)
    assert read([(0, 599)]) == [old.leaves[599]]
    assert len(read.tile(0, 2)) == 88 * 32
    with pytest.raises(ProofError) as caught:
        read([(0, 600)])
    assert caught.value.code == "bad-index"


def test_a_missing_tile_is_nobody_s_evidence() -> None:
    """What the fetcher raises comes through unchanged, and the reader can be asked again."""
    log = MemoryLog(600)
    missing = True

    def fetch(tile: Tile) -> bytes:
        if missing and tile.level == 0 and tile.index == 1:
            raise FetchError("gone", code="fetch-missing")
        return log.fetch(tile)

    read = TileReader(600, log.root, fetch)
    with pytest.raises(FetchError):
        read([(0, 300)])
    missing = False
    assert read([(0, 300)]) == [log.leaves[300]]


@pytest.mark.parametrize("node", [(0, 600), (0, -1), (-1, 0), (8, 2), (9, 1), (10, 0), (64, 0), (600, 0), (9, -1)])
def test_no_hash_from_outside_the_tree(node: tuple[int, int]) -> None:
    """A node that is not complete in this tree is refused before anything is fetched."""
    log = MemoryLog(600)
    with pytest.raises(ProofError) as caught:
        reader(log)([node])
    assert caught.value.code == "bad-index"
    assert log.asked == []


@pytest.mark.parametrize(("level", "index"), [(-1, 0), (0, -1), (0, 3), (1, 1), (2, 0), (64, 0)])
def test_no_tile_from_outside_the_tree(level: int, index: int) -> None:
    """Tiles that this tree has not are refused."""
    with pytest.raises(ProofError) as caught:
        reader(MemoryLog(600)).tile(level, index)
    assert caught.value.code == "bad-index"


def test_the_empty_tree_has_no_tiles() -> None:
    """Of the empty tree nothing is fetched, and nothing is found in it."""
    log = MemoryLog(0)
    assert reader(log)([]) == []
    for root, code in ((EMPTY_ROOT, "bad-index"), (b"\0" * 32, "tile-differs")):
        with pytest.raises(ProofError) as caught:
            TileReader(0, root, log.fetch).tile(0, 0)
        assert caught.value.code == code
    assert log.asked == []


@given(st.sampled_from(sorted(MemoryLog(300).files)), st.binary(max_size=100))
def test_any_bytes_for_a_tile(path: str, data: bytes) -> None:
    """Whatever a stranger sends, the reader answers with the truth or one of Bening's own errors."""
    log = MemoryLog(300)
    log.changed[path] = lambda _data: data
    with contextlib.suppress(LedgerError):
        assert reader(log)([(0, 0), (0, 299)]) == [log.leaves[0], log.leaves[299]]


def test_entries_are_not_the_leaves_of_another_index() -> None:
    """The sample log's entries differ, so that the tests above can tell them apart."""
    assert len({entry(index) for index in range(300)}) == 300


def test_a_changed_right_edge_is_named() -> None:
    """Whoever is told that the newest tiles do not prove is told which files they are."""
    leaves = [bytes([n]) * 32 for n in range(5)]
    reader = TileReader(5, b"\1" * 32, lambda tile: b"".join(leaves))
    with pytest.raises(ProofError) as caught:
        reader.tile(0, 0)
    assert caught.value.values["path"] == "tile/0/000.p/5"
