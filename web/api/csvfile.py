"""CSV for spreadsheets (RFC 4180, UTF-8 with a byte order mark), in which no text can become a formula.

    index,recorded_on,time,ref,…,value,…              header
    12,2026-11-24,2026-11-23T23:11:22Z,4S29-…,187500000.00,…
    #end,count=1,size=19,root=<hex>,origin=<origin>,filter=<query>,,…     the last record

A text that a spreadsheet would run gets an apostrophe in front: it begins with = + - @ (their wide forms too, also after
spaces, quotes or apostrophes), or it holds a semicolon followed by one of these, since a spreadsheet with a decimal comma
splits lines at semicolons. Numbers stay numbers. What was signed, letter by letter, is in the JSONL export.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from ledger.catalog.catalog import Row
from ledger.records.refs import format_ref
from web.api.exports import Export
from web.api.rows import query_of

__all__ = ["COLUMNS", "as_csv", "cells", "neutral"]

COLUMNS = (
    "index", "recorded_on", "time", "lag_days", "ref", "kind", "form", "form_name", "office", "office_name", "number", "title",
    "signed_on", "currency", "value", "supplier", "method", "documents", "id", "page_url",
)  # fmt: skip
_RUN = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
_RUNS = re.compile(rf"""(^|;)(?=[\s"'\u200b\ufeff]*[{_RUN}])""")
_LINES = 400


def neutral(text: str) -> str:
    """Return ``text`` such that no spreadsheet takes it, or a part of it behind a semicolon, for a formula.

    >>> neutral("=1+1"), neutral("a;=1+1"), neutral("-5 %"), neutral("a-b")
    ("'=1+1", "a;'=1+1", "'-5 %", 'a-b')
    """
    if text[:1].isalnum() and ";" not in text:  # nearly every text
        return text
    return _RUNS.sub(r"\1'", text)


def cells(row: Row, export: Export) -> list[str | int | None]:
    """Return the cells of ``COLUMNS`` for one act; numbers as numbers, money as the decimal text that it is."""
    return [
        row.index, row.recorded_on, row.time, row.lag_days, format_ref(row.ref), row.kind, row.form, export.names.form(row.form),
        row.office, export.names.office(row.office), row.number, row.title, row.signed_on, row.currency, row.value, row.supplier,
        row.method, row.documents, row.id, f"{export.url}/records/{row.index}",
    ]  # fmt: skip


def as_csv(export: Export) -> Iterator[bytes]:
    """Yield the file in pieces of some hundred lines."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")
    writer.writerow(COLUMNS)
    for n, row in enumerate(export.rows(), 1):
        writer.writerow([neutral(one) if isinstance(one, str) else one for one in cells(row, export)])
        if n % _LINES == 0:
            yield _taken(buffer)
    writer.writerow(_end(export))
    yield _taken(buffer)


def _end(export: Export) -> list[str]:
    """Return the last record, as wide as the others."""
    snapshot = export.snapshot
    said = [f"count={export.count}", f"size={snapshot.size}", f"root={snapshot.head.root.hex()}", f"origin={snapshot.origin}"]
    record = ["#end", *said, f"filter={query_of(export.wanted)}"]
    return record + [""] * (len(COLUMNS) - len(record))


def _taken(buffer: io.StringIO) -> bytes:
    """Return what the buffer holds, and empty it."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8")
