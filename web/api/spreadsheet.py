"""XLSX for spreadsheets: texts are texts and never formulas, dates are dates, amounts are numbers where none is lost.

Sheet ``records`` holds the rows, sheet ``about`` their count, filter and checkpoint, and what the columns mean. The file is
written to the disk row by row and sent from there. It takes 0.2 to 0.3 ms a row, so there is a limit, which is said.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any

from ledger.errors import UsageError
from ledger.records.shapes import date_of
from ledger.words import escape
from web.api.csvfile import COLUMNS, cells
from web.api.exports import Export
from web.api.rows import query_of
from web.api.standing import Say

__all__ = ["MOST_ROWS", "NOT_XML", "file_pieces", "write_xlsx"]

MOST_ROWS = 100_000  # the format itself ends at 1,048,576
_PIECE = 1 << 16
_DIGITS = 15  # what a number of IEEE 754 holds for certain
_FIRST_YEAR = 1901  # earlier days have no number in a spreadsheet, or a wrong one
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDTHS = {"title": 60, "form_name": 24, "office_name": 32, "number": 30, "supplier": 32, "ref": 16, "time": 20, "value": 18}


def write_xlsx(export: Export, say: Say) -> IO[bytes]:
    """Return the open temporary file, at its start.

    Raises:
        UsageError: ``too-many-rows``: more than ``MOST_ROWS``.
    """
    from openpyxl import Workbook

    if export.count > MOST_ROWS:
        raise UsageError(f"{export.count} rows", code="too-many-rows", count=export.count, limit=MOST_ROWS)
    book, file = Workbook(write_only=True), tempfile.TemporaryFile(prefix="bening-export-")  # noqa: SIM115 (closed when sent)
    try:
        _write_records(book, export)
        _write_about(book, export, say)
        book.save(file)
    except BaseException:
        file.close()
        _abandon(book)
        raise
    file.seek(0)
    return file


def _abandon(book: Any) -> None:
    """Remove the temporary files of sheets that will not be saved; the library would keep them until the process ends."""
    for sheet in book.worksheets:
        with contextlib.suppress(Exception):  # it may be in any state
            sheet.close()
            sheet._writer.cleanup()


def file_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in pieces, and close it."""
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _write_records(book: Any, export: Export) -> None:
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet("records")
    sheet.freeze_panes = "A2"
    for n, name in enumerate(COLUMNS, 1):
        sheet.column_dimensions[get_column_letter(n)].width = _WIDTHS.get(name, 12)
    sheet.append([_text(sheet, name) for name in COLUMNS])
    for row in export.rows():
        sheet.append([_cell(sheet, name, one) for name, one in zip(COLUMNS, cells(row, export), strict=True)])


def _write_about(book: Any, export: Export, say: Say) -> None:
    sheet = book.create_sheet("about")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 16, 100
    end = export.end()
    facts = [
        ("count", export.count), ("size", export.snapshot.size), ("time", export.snapshot.head.time),
        ("origin", export.snapshot.origin), ("root", export.snapshot.head.root.hex()), ("filter", query_of(export.wanted)),
        ("url", export.url), ("checkpoint", end["checkpoint"]), ("", say("api.export-claims")),
    ]  # fmt: skip
    for name, value in [*facts, *((name, say(f"api.column-{name}")) for name in COLUMNS)]:
        sheet.append([_text(sheet, name), value if isinstance(value, int) else _text(sheet, value)])


def _cell(sheet: Any, name: str, value: str | int | None) -> Any:
    """Return what a cell holds: a number, a date, or a text that nothing takes for more."""
    if value is None or isinstance(value, int):
        return value
    if name == "value" and sum(one.isdigit() for one in value) <= _DIGITS:
        return Decimal(value)
    if name in ("recorded_on", "signed_on") and (date := date_of(value)) and date.year >= _FIRST_YEAR:
        return date
    if name == "time":
        return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")  # without a zone: it is UTC
    return _text(sheet, value)


def _text(sheet: Any, value: str) -> Any:
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, NOT_XML.sub(lambda found: escape(found[0]), value))
    cell.data_type = "s"  # whatever was guessed: a leading = would have been a formula
    return cell
