"""The body of a submission: ``multipart/form-data`` (RFC 7578), envelopes first, then documents, read while they are sent.

    --3f9c…
    Content-Disposition: form-data; name="envelope"; filename="0"

    {"payload":"eyJkb2N…","payloadType":"application/vnd.bening.record+json","signatures":[…]}
    --3f9c…
    Content-Disposition: form-data; name="document"; filename="0"

    %PDF-1.7 …

The site knows documents by their bytes alone, so no file's name or path leaves this machine. A document is hashed once
more on its way: if it is no longer the file that the act names, the form never ends, and so nothing is taken.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ledger.errors import AdmissionError, Reason

__all__ = ["Form"]

_PIECE = 1 << 18


class Form:
    """A form that can be sent several times: ``size`` in bytes and ``headers`` are known before anything is read."""

    def __init__(self, envelopes: Sequence[bytes], documents: Mapping[str, Path]) -> None:
        """``documents`` are paths by the SHA-256 (hex) that their bytes must have.

        Raises:
            AdmissionError: a document cannot be read.
        """
        self.boundary = secrets.token_hex(16)
        self.envelopes, self.documents = tuple(envelopes), dict(documents)
        sizes = [_size(path) for path in self.documents.values()] + [len(one) for one in self.envelopes]
        names = ["document"] * len(self.documents) + ["envelope"] * len(self.envelopes)
        frames = sum(len(self._head(name)) + 2 for name in names)
        self.size = sum(sizes) + frames + len(self._end())

    @property
    def headers(self) -> dict[str, str]:
        """Content type and length."""
        return {"Content-Type": f"multipart/form-data; boundary={self.boundary}", "Content-Length": str(self.size)}

    def __iter__(self) -> Iterator[bytes]:
        """Yield the form in pieces of moderate size.

        Raises:
            AdmissionError: a document is not the one that was hashed, or cannot be read.
        """
        gathered = bytearray()
        for piece in self._pieces():
            gathered += piece
            if len(gathered) >= _PIECE:
                yield bytes(gathered)
                gathered.clear()
        yield bytes(gathered)

    def _pieces(self) -> Iterator[bytes]:
        for one in self.envelopes:
            yield self._head("envelope") + one + b"\r\n"
        for sha256, path in self.documents.items():
            yield self._head("document")
            yield from _document(sha256, path)
            yield b"\r\n"
        yield self._end()

    def _head(self, name: str) -> bytes:
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="0"'
        return f"--{self.boundary}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode("ascii")

    def _end(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode("ascii")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _missing(path, error) from None


def _document(sha256: str, path: Path) -> Iterator[bytes]:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
                yield piece
    except OSError as error:
        raise _missing(path, error) from None
    if found.hexdigest() != sha256:
        raise AdmissionError([Reason("document-changed", "", {"name": path.name, "sha256": sha256[:16]})])


def _missing(path: Path, error: OSError) -> AdmissionError:
    return AdmissionError([Reason("document-missing", "", {"name": path.name, "sha256": str(error)})])
