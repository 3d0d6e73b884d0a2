"""The body of a submission, read as it comes: ``multipart/form-data`` (RFC 7578) or one envelope as JSON.

    envelope=<canonical DSSE JSON>  [envelope=… up to 100]  document=<bytes>  [document=…]

Nothing is kept here: parts are handed on as events. Sizes, times and names are limited; file names are not read.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from ledger.errors import FormatError, UsageError
from web.front.http import Receive

__all__ = ["Event", "read_body", "read_form"]

Event = tuple[Literal["begin", "data", "end"], bytes]
_QUIET = 20.0  # seconds without a byte
_PATIENCE, _LEAST_SPEED = 30.0, 1024  # after so many seconds, so many bytes a second on the average
_NAME = re.compile(rb'(?:^|;)\s*name="([a-z]{1,20})"\s*(?:;|$)')


async def read_body(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Yield the body of a request as it comes.

    Raises:
        FormatError: ``too-long``.
        UsageError: ``body-too-slow``, ``body-cut``.
    """
    total, more, began = 0, True, time.monotonic()
    while more:
        try:
            message = await asyncio.wait_for(receive(), _QUIET)
        except TimeoutError:
            raise UsageError("no byte for a while", code="body-too-slow", seconds=round(_QUIET)) from None
        if message["type"] != "http.request":
            raise UsageError("the connection ended", code="body-cut")
        body = message.get("body", b"")
        total += len(body)
        elapsed = time.monotonic() - began
        if elapsed > _PATIENCE and total < elapsed * _LEAST_SPEED:
            raise UsageError("too slow", code="body-too-slow", seconds=round(elapsed))
        if total > limit:
            raise FormatError(f"more than {limit} bytes", code="too-long", size=total, limit=limit)
        if body:
            yield body
        more = message.get("more_body", False)


async def read_form(content_type: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yield the parts of a form: ``begin`` with the field's name, ``data`` in pieces, ``end``.

    Raises:
        FormatError: ``bad-form``: no form, or one that does not end.
    """
    found = re.fullmatch(r'multipart/form-data\s*;\s*boundary="?([^\s";]{1,200})"?', content_type, re.IGNORECASE)
    if not found:
        raise FormatError("no boundary", code="bad-form")
    parts = _Parts()
    try:
        parser = MultipartParser(found[1].encode("latin-1"), parts.callbacks(), max_header_count=8, max_header_size=2048)
        parser.logger.disabled = True  # a malformed form is its sender's affair, and no line of the site's own log
        async for chunk in chunks:
            parser.write(chunk)
            while parts.events:
                yield parts.events.pop(0)
            if parts.ended:  # nobody waits for what comes behind the end
                return
    except FormParserError as error:
        raise FormatError(str(error), code="bad-form") from None
    if not parts.ended:
        raise FormatError("the form does not end", code="bad-form")


class _Parts:
    """What the parser has found since it was last asked."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ended = False
        self._field, self._value, self._named = b"", b"", b""

    def callbacks(self) -> Any:
        """Return what the parser is to call."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": lambda: self.events.append(("begin", self._named)),
            "on_part_data": lambda data, start, end: self.events.append(("data", data[start:end])),
            "on_part_end": lambda: self.events.append(("end", b"")),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._named = b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition" and (name := _NAME.search(self._value)):
            self._named = name[1]
        self._field, self._value = b"", b""

    def _end(self) -> None:
        self.ended = True
