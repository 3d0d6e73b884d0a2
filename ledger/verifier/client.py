"""Where a published ledger is read from: a folder or a URL, laid out alike (C2SP tlog-tiles, design section 6).

    checkpoint  policy  roster.jsonl  tile/0/000  tile/entries/000.p/7  documents/<aa>/<sha256>  lookup/ref/<RR>

A source is trusted for nothing. Whatever it gives is held against a signed checkpoint or a hash afterwards; here is only
seen to that reading ends: paths stay inside, sizes are capped (also after gzip), redirects are not followed, time is
limited. That something could not be read is nobody's evidence: ``FetchError``.
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO

from ledger.errors import FetchError, FormatError, ProofError
from ledger.records.entry import MAX_ENTRY
from ledger.records.envelope import MAX_ENVELOPE, Envelope, load_envelope
from ledger.tlog.encoding import parse_decimal
from ledger.tlog.tiles import TILE_WIDTH, Tile
from ledger.verifier.sources import FolderSource, Source, UrlSource, failed, open_source

__all__ = [
    "FolderSource",
    "Source",
    "UrlSource",
    "fetch_checkpoint",
    "fetch_document",
    "fetch_entries",
    "fetch_policy",
    "fetch_tile",
    "look_up",
    "open_source",
    "read_roster",
    "roster_lines",
]

MAX_CHECKPOINT = 128 * 1024
MAX_POLICY = 128 * 1024
MAX_ROSTER_FILE = 128 * 1024 * 1024
MAX_BUCKET = 32 * 1024 * 1024
MAX_BUNDLE = TILE_WIDTH * (MAX_ENTRY + 2)
_HASH = 32
_BUCKETS = ("sha256", "ref", "number")


def fetch_checkpoint(source: Source) -> bytes:
    """Return the newest checkpoint's note, unchecked.

    Raises:
        FetchError: it could not be read.
    """
    return source.fetch("checkpoint", limit=MAX_CHECKPOINT)


def fetch_policy(source: Source) -> bytes:
    """Return the policy that the ledger itself offers: a proposal, to be pinned by someone who compared it."""
    return source.fetch("policy", limit=MAX_POLICY)


def fetch_tile(source: Source, tile: Tile) -> bytes:
    """Return the hashes of ``tile``, cut from the full tile where the partial one has gone (C2SP tlog-tiles).

    Raises:
        FetchError: neither could be read.
        ProofError: code ``truncated``: it is shorter or longer than its width.
    """
    data = _partial_or_full(source, tile, limit=TILE_WIDTH * _HASH)
    if len(data) not in (tile.width * _HASH, TILE_WIDTH * _HASH):
        raise ProofError(f"{tile.path} has {len(data)} bytes", code="truncated", path=tile.path)
    return data[: tile.width * _HASH]


def fetch_entries(source: Source, tile: Tile) -> bytes:
    """Return the entry bundle of ``tile``; where only the full bundle is left, the whole of that.

    Raises:
        FetchError: neither could be read.
    """
    return _partial_or_full(source, tile, limit=MAX_BUNDLE)


def read_roster(source: Source) -> list[Envelope]:
    """Return the envelopes of ``roster.jsonl``, the founding first, unjudged.

    Raises:
        FetchError: it could not be read.
        FormatError: a line is no envelope.
    """
    return roster_lines(source.fetch("roster.jsonl", limit=MAX_ROSTER_FILE))


def roster_lines(data: bytes) -> list[Envelope]:
    """Return the envelopes in the bytes of a ``roster.jsonl``.

    Raises:
        FormatError: a line is no envelope, or the last one does not end.
    """
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise FormatError("roster.jsonl does not end with a newline", code="roster-file")
    if any(len(line) > MAX_ENVELOPE for line in lines):
        raise FormatError("a line of roster.jsonl is too long", code="roster-file")
    return [load_envelope(line) for line in lines]


def fetch_document(source: Source, sha256: str, size: int, into: BinaryIO) -> None:
    """Write the document of that hash and size into ``into``, hashed on the way.

    Raises:
        FetchError: it could not be read, or (code ``document-differs``) what came is not it.
    """
    found, path = hashlib.sha256(), f"documents/{sha256[:2]}/{sha256}"
    for chunk in source.stream(path, limit=size):
        found.update(chunk)
        into.write(chunk)
    if found.hexdigest() != sha256:
        raise FetchError(f"{path} has other bytes", code="document-differs", where=source.location, sha256=sha256)


def look_up(source: Source, kind: str, prefix: str, value: str) -> list[int]:
    """Return the indexes of the acts that stand under ``value``, ascending: hints, which only a proof makes facts.

    ``kind`` is ``sha256``, ``ref`` or ``number``. The whole bucket of ``prefix`` is fetched, so that the server does
    not learn which value was meant. An absent bucket is an empty one.

    Raises:
        FetchError: it could not be read, or is no bucket.
    """
    if kind not in _BUCKETS or not re.fullmatch(r"[0-9a-zA-Z]{2,3}", prefix):
        raise FetchError(f"no bucket {kind}/{prefix}", code="fetch", where=source.location, problem="look-up")
    path = f"lookup/{kind}/{prefix}"
    try:
        data = source.fetch(path, limit=MAX_BUCKET)
    except FetchError as error:
        if error.code == "fetch-missing":
            return []
        raise
    wanted = value.encode("ascii") + b" "
    try:
        hints = {parse_decimal(line[len(wanted) :].decode("ascii")) for line in data.split(b"\n") if line.startswith(wanted)}
    except (FormatError, UnicodeDecodeError):
        raise failed(source.location, path, "not a look-up bucket") from None
    return sorted(hints)


def _partial_or_full(source: Source, tile: Tile, *, limit: int) -> bytes:
    try:
        return source.fetch(tile.path, limit=limit)
    except FetchError as error:
        if error.code != "fetch-missing" or tile.width == TILE_WIDTH:
            raise
    return source.fetch(Tile(tile.level, tile.index, TILE_WIDTH).path, limit=limit)
