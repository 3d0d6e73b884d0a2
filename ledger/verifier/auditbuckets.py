"""One look-up file, measured: how long it is, and the hashes by which it is told whether it is as it was, and as it should be."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ledger.errors import FetchError
from ledger.verifier.client import MAX_BUCKET, Source

__all__ = ["Measure", "fetch_bucket", "measure"]


class Measure(NamedTuple):
    """Of a file: its ``size``, and the SHA-256 of what was there before, of what is new, and of both together."""

    size: int
    before: bytes
    new: bytes
    both: bytes


def measure(source: Source, name: str, length: int, end: int) -> Measure | None:
    """Return the measure of a look-up file of which ``length`` bytes were seen before and ``end`` are expected.

    None: it could not be read; whoever wants to know why reads it again.
    """
    try:
        data = fetch_bucket(source, name)
    except FetchError:
        return None
    both = _hash(data[:end])
    if not length:
        return Measure(len(data), _hash(b""), both, both)
    return Measure(len(data), _hash(data[:length]), _hash(data[length:end]), both)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def fetch_bucket(source: Source, name: str) -> bytes:
    """Return a look-up file; one that is not there says nothing.

    Raises:
        FetchError: it could not be read for another reason.
    """
    try:
        return source.fetch(f"lookup/{name}", limit=MAX_BUCKET)
    except FetchError as error:
        if error.code != "fetch-missing":
            raise
        return b""
