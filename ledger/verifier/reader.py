"""An authenticated view of one published ledger: everything it returns has been held against one signed checkpoint.

Implements the reading rules of C2SP tlog-tiles on one snapshot: the checkpoint is fetched once and checked against the
policy, each tile must lead to its root, each entry must have the leaf hash that stands in the tiles. Trusted are the
policy and the founding that the caller pinned; the source is trusted for nothing.

A file that the checkpoint promises and the source does not have is evidence of a cut ledger (code ``truncated``). A file
that could not be read for another reason is nobody's evidence and stays a ``FetchError``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ledger.errors import FetchError, FormatError, ProofError
from ledger.records.envelope import Envelope
from ledger.records.roster import Roster, replay_roster
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import HASH_SIZE, leaf_hash, prove_consistency, prove_inclusion
from ledger.tlog.policy import Opened, Policy
from ledger.tlog.proof import Proof, format_proof
from ledger.tlog.tiles import ENTRIES, TILE_WIDTH, Tile, TileReader, parse_bundle
from ledger.verifier.client import Source, fetch_checkpoint, fetch_entries, fetch_tile, read_roster

__all__ = ["View", "open_ledger", "read_bundle", "view_of"]

_BUNDLES_KEPT = 16


class View:
    """One snapshot of a ledger: ``opened`` is its checked checkpoint, ``note`` the checkpoint's exact bytes."""

    def __init__(self, source: Source, policy: Policy, founding: str, note: bytes, opened: Opened) -> None:
        self.source, self.policy, self.founding = source, policy, founding
        self.note, self.opened = note, opened
        self.checkpoint: Checkpoint = opened.checkpoint
        self.tiles = TileReader(self.size, self.checkpoint.root, self._tile)
        self._envelopes: list[Envelope] | None = None
        self._bundle = functools.lru_cache(maxsize=_BUNDLES_KEPT)(self._fetch_bundle)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(self.checkpoint.size)

    def entry(self, index: int) -> bytes:
        """Return the bytes of entry ``index``.

        Raises:
            ProofError: the source served something else than what the checkpoint promises.
            FetchError: it could not be read.
        """
        self._check_index(index)
        found: bytes = self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]
        return found

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash of entry ``index``, from the tiles."""
        self._check_index(index)
        return self.leaves(index // TILE_WIDTH)[index % TILE_WIDTH]

    def leaves(self, number: int) -> list[bytes]:
        """Return the leaf hashes of tile ``number`` of level 0: entries ``256 number …``, as many as there are."""
        data = self.tiles.tile(0, number)
        return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]

    def proof(self, index: int) -> bytes:
        """Return the ``.tlog-proof`` of entry ``index``, which carries the entry's bytes."""
        entry = self.entry(index)
        return format_proof(Proof(index, tuple(prove_inclusion(index, self.size, self.tiles)), self.note, entry))

    def prove_growth(self, old_size: int) -> list[bytes]:
        """Return the consistency proof from ``old_size`` to this view's size."""
        return list(prove_consistency(old_size, self.size, self.tiles))

    def envelopes(self) -> list[Envelope]:
        """Return the envelopes of ``roster.jsonl``, unjudged; read once."""
        if self._envelopes is None:
            self._envelopes = read_roster(self.source)
        return self._envelopes

    def rosters(self) -> list[Roster]:
        """Return the roster after each payload of ``roster.jsonl``, replayed from the pinned founding, newest last.

        Raises:
            VerificationError: another founding, or a broken chain.
        """
        return replay_roster(self.envelopes(), founding=self.founding)

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise ProofError(f"entry {index} of {self.size}", code="no-such-entry", index=index, size=self.size)

    def _tile(self, tile: Tile) -> bytes:
        try:
            return fetch_tile(self.source, tile)
        except FetchError as error:
            raise _judged(error, tile, self.size) from None

    def _fetch_bundle(self, number: int) -> Sequence[bytes]:
        return read_bundle(self.source, number, self.size, self.leaves(number))


def open_ledger(source: Source, policy: Policy, founding: str) -> View:
    """Return the view of the newest checkpoint of ``source``.

    Raises:
        PolicyError, SignatureError: another log, another key, or too few cosignatures.
        FetchError: the checkpoint could not be read.
    """
    return view_of(source, policy, founding, fetch_checkpoint(source))


def view_of(source: Source, policy: Policy, founding: str, note: bytes) -> View:
    """Return the view of ``source`` under one given checkpoint ``note``; raises as ``open_ledger`` does."""
    return View(source, policy, founding, note, policy.check(note))


def read_bundle(source: Source, number: int, size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the entries of bundle ``number`` in a tree of ``size``, held against the proven hashes of its tile.

    Raises:
        ProofError: the source served something else than what the checkpoint promises.
        FetchError: it could not be read.
    """
    start = number * TILE_WIDTH
    tile = Tile(ENTRIES, number, min(TILE_WIDTH, size - start))
    try:
        data = fetch_entries(source, tile)
    except FetchError as error:
        raise _judged(error, tile, size) from None
    return _held(_parsed(data, tile.width, tile), leaves, start)


def _judged(error: FetchError, tile: Tile, size: int) -> FetchError | ProofError:
    """What the signed checkpoint promises and the source simply does not have is a cut ledger."""
    if error.code != "fetch-missing":
        return error
    return ProofError(f"{tile.path} is missing", code="truncated", path=tile.path, size=size)


def _parsed(data: bytes, width: int, tile: Tile) -> list[bytes]:
    """Return the first ``width`` entries of a bundle, which may be the full one."""
    for count in dict.fromkeys((width, TILE_WIDTH)):
        try:
            return list(parse_bundle(data, count))[:width]
        except FormatError:
            continue
    raise ProofError(f"{tile.path} is no bundle of {width} entries", code="truncated", path=tile.path)


def _held(entries: list[bytes], leaves: Sequence[bytes], start: int) -> list[bytes]:
    """Return ``entries`` whose leaf hashes are those of the tiles, in their order."""
    found = [leaf_hash(entry) for entry in entries]
    if found == leaves:
        return entries
    for position, (here, promised) in enumerate(zip(found, leaves, strict=True)):
        if here != promised:
            code = "entries-reordered" if sorted(found) == sorted(leaves) else "entry-differs"
            raise ProofError(f"entry {start + position} is not the logged one", code=code, index=start + position)
    return entries
