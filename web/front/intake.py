"""``POST /api/v1/acts``: taking acts in from officials' software, and answering with their proofs.

    1 limits                     by address, by number at once, by length
    2 envelopes                  the first parts of the form, judged before a byte of a document is taken
    3 documents                  streamed into staging under their hash; only those that an envelope names
    4 inbox, then the answer     201 published, with proofs · 202 still waiting · 422 refused, with every reason

Who sends is known by the signatures alone. A submission may be sent again at any time: the act's id decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from ledger.durable import check_free_space
from ledger.errors import AdmissionError, FormatError, Reason, StoreError, UsageError
from ledger.publisher.home import Home
from ledger.publisher.staging import Upload
from ledger.records.entry import format_time
from ledger.records.envelope import MAX_ENVELOPE, Envelope, load_envelope
from ledger.records.record import RECORD_TYPE, Record, parse_record
from web.front.answering import Answer, outcome, patience, refusal
from web.front.form import Event, read_body, read_form
from web.front.http import Receive, Scope, header
from web.front.judging import judge_early
from web.front.publishing import Publishing
from web.front.staging import Reservation, Staging
from web.settings import WebSettings
from web.site import Site

__all__ = ["MOST_ACTS", "Intake"]

MOST_ACTS = 100
_ENVELOPES_WITHIN = 120.0  # seconds for all envelopes of a request: until they are judged, anybody may be sending
_IN_MEMORY = 256 * 1024
_MOST_HELD = 16 * 1024**2  # bytes of envelopes that have not been judged yet, of all requests together


@dataclass(slots=True)
class _Parcel:
    """One request as far as it has been read."""

    envelopes: list[Envelope] = field(default_factory=list)
    records: list[Record | None] = field(default_factory=list)
    wanted: dict[str, int] = field(default_factory=dict)  # documents named and not here yet: size by hash
    uploads: list[Upload] = field(default_factory=list)  # documents that have come
    held: int = 0  # bytes of envelopes in memory

    @property
    def acts(self) -> list[dict[str, Any]]:
        """What an answer says of each act first: its id, and its reference where it is no roster event."""
        pairs = zip(self.envelopes, self.records, strict=True)
        return [{"id": envelope.id, "ref": record.ref if record else None} for envelope, record in pairs]

    @property
    def named(self) -> dict[str, int]:
        """All documents that the records name: size by hash. One that is here already may be sent again."""
        return {one["sha256"]: one["size"] for record in self.records if record for one in record.documents}


class Intake:
    """Takes submissions for one ledger."""

    def __init__(self, home: Home, site: Site, settings: WebSettings, publishing: Publishing) -> None:
        self.home, self.site, self.settings, self.publishing = home, site, settings, publishing
        self.staging = Staging(home, settings.staging_quota)
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, lang: str) -> Answer:
        """Take one request.

        Raises:
            LedgerError: what the request did wrong, or why nothing can be taken just now; nothing was kept.
        """
        limit = self.settings.most_upload
        declared = header(scope, b"content-length") or "0"
        if declared.isascii() and declared.isdecimal() and int(declared) > limit:
            raise FormatError("too long", code="too-long", size=int(declared), limit=limit)
        await asyncio.to_thread(check_free_space, self.home.path)
        content_type, chunks = header(scope, b"content-type") or "", read_body(receive, limit)
        parcel, refused = _Parcel(), list[list[Reason]]()
        async with self.staging.reservation() as reservation, self._held(parcel):
            if content_type.partition(";")[0].strip().lower() == "application/json":
                body = b"".join([chunk async for chunk in _capped(chunks, MAX_ENVELOPE)])
                self._add_envelope(parcel, body)
                refused = await self._judge(parcel, reservation)
            elif content_type.partition(";")[0].strip().lower() == "multipart/form-data":
                refused = await self._read(parcel, read_form(content_type, chunks), reservation)
            else:
                raise UsageError("neither a form nor JSON", code="unsupported-type", found=content_type[:80])
            if not any(refused) and parcel.wanted:
                refused = _without_documents(parcel)
            if any(refused):
                return refusal(parcel.acts, refused, lang)
            fates = await self.publishing.submit(parcel.envelopes, parcel.uploads)
        await asyncio.wait(fates, timeout=patience(header(scope, b"prefer") or ""))
        return outcome(parcel.acts, fates, lang)

    @contextlib.asynccontextmanager
    async def _held(self, parcel: _Parcel) -> AsyncIterator[None]:
        """Let go what a parcel held in memory, and remove what was written of it and not kept."""
        try:
            yield
        finally:
            self.held -= parcel.held
            if parcel.uploads:
                await asyncio.to_thread(_clear, parcel.uploads)

    # -- reading

    async def _read(self, parcel: _Parcel, events: AsyncIterator[Event], reservation: Reservation) -> list[list[Reason]]:
        """Read a form: envelopes first; documents only once nothing speaks against the envelopes."""
        judged: list[list[Reason]] | None = None
        until = time.monotonic() + _ENVELOPES_WITHIN
        async for kind, name in events:
            if judged is None and time.monotonic() > until:
                raise UsageError("envelopes too slow", code="body-too-slow", seconds=round(_ENVELOPES_WITHIN))
            if kind != "begin":
                raise FormatError("data outside a part", code="bad-form")
            if name == b"envelope" and judged is None:
                self._add_envelope(parcel, await _part(events, MAX_ENVELOPE))
                await asyncio.sleep(0)  # a hundred large ones take a tenth of a second: others come between
            elif name == b"document":
                judged = judged if judged is not None else await self._judge(parcel, reservation)
                if any(judged):
                    return judged
                await self._take_document(parcel, events)
            else:
                raise FormatError(f"a part {name!r} here", code="bad-form")
        return judged if judged is not None else await self._judge(parcel, reservation)

    def _add_envelope(self, parcel: _Parcel, data: bytes) -> None:
        if len(parcel.envelopes) >= MOST_ACTS:
            raise UsageError("too many acts", code="too-many-acts", limit=MOST_ACTS)
        if self.held + len(data) > _MOST_HELD:
            raise StoreError("too many envelopes at once", code="busy", retry_after=5)
        self.held += len(data)
        parcel.held += len(data)
        envelope = load_envelope(data)
        record = parse_record(envelope.payload) if envelope.payload_type == RECORD_TYPE else None
        parcel.envelopes.append(envelope)
        parcel.records.append(record)

    async def _judge(self, parcel: _Parcel, reservation: Reservation) -> list[list[Reason]]:
        """Judge what was sent against the published state, and make room for the documents that are missing."""
        if not parcel.envelopes:
            raise FormatError("no envelope", code="bad-form")
        now = format_time(int(time.time()))
        reasons, wanted = await asyncio.to_thread(judge_early, self.site, parcel.envelopes, parcel.records, now)
        if not any(reasons):
            size, limit = sum(wanted.values()), self.settings.most_upload
            if size > limit:
                raise FormatError("documents too long", code="too-long", size=size, limit=limit)
            await reservation.make_room(size)
            parcel.wanted = wanted
        return reasons

    async def _take_document(self, parcel: _Parcel, events: AsyncIterator[Event]) -> None:
        """Stream one document into a file of staging; short ones are gathered, so that each costs one trip to a thread.

        Raises:
            AdmissionError: ``document-not-named``: no envelope names it. One that is here already is passed over.
        """
        named, gathered, size = parcel.named, bytearray(), 0
        largest = max(named.values(), default=0)
        coming = _Coming(self.home, parcel)
        async for kind, data in events:
            if kind == "end":
                break
            gathered += data
            size += len(data)
            if size > largest:
                raise AdmissionError([Reason("document-not-named", "documents", {"sha256": "…"})])
            if len(gathered) > _IN_MEMORY:
                await asyncio.to_thread(coming.write, bytes(gathered))
                gathered.clear()
        await asyncio.to_thread(coming.write, bytes(gathered))
        sha256 = coming.found.hexdigest()
        if named.get(sha256) != size:
            raise AdmissionError([Reason("document-not-named", "documents", {"sha256": sha256[:16]})])
        if parcel.wanted.pop(sha256, None) is None:
            await asyncio.to_thread(coming.drop)


class _Coming:
    """A document as it comes: hashed whole, and on the disk only while it can be one that is missing here.

    Room is reserved for those alone. A published envelope, which anybody has, brings no byte to the disk.
    """

    def __init__(self, home: Home, parcel: _Parcel) -> None:
        self.home, self.parcel, self.found = home, parcel, hashlib.sha256()
        self.most, self.size = max(parcel.wanted.values(), default=-1), 0
        self.upload: Upload | None = None

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        self.found.update(data)
        self.size += len(data)
        if self.size > self.most:
            self.drop()
            return
        if self.upload is None:
            self.upload = Upload(self.home)
            self.parcel.uploads.append(self.upload)
        self.upload.write(data)

    def drop(self) -> None:
        """Remove what was written."""
        if self.upload is not None:
            self.parcel.uploads.remove(self.upload)
            self.upload.__exit__()
            self.upload = None


def _clear(uploads: list[Upload]) -> None:
    for one in uploads:
        one.__exit__()


async def _part(events: AsyncIterator[Event], limit: int) -> bytes:
    data = bytearray()
    async for kind, piece in events:
        if kind == "end":
            return bytes(data)
        data += piece
        if len(data) > limit:
            raise FormatError("a part is too long", code="too-long", size=len(data), limit=limit)
    raise FormatError("a part does not end", code="bad-form")


async def _capped(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise FormatError(f"more than {limit} bytes", code="too-long", size=total, limit=limit)
        yield chunk


def _without_documents(parcel: _Parcel) -> list[list[Reason]]:
    """Name each document that was neither sent nor is here."""
    found = []
    for record in parcel.records:
        named = enumerate(record.data["documents"] if record else ())
        found.append([
            Reason("document-missing", f"documents[{n}]", {"name": one["name"], "sha256": one["sha256"][:16]})
            for n, one in named if one.get("sha256") in parcel.wanted
        ])  # fmt: skip
    return found
