"""Rows to import: JSON lines, CSV and XLSX, each row with the exact bytes that will stand as its document.

    JSONL   the line's bytes, without its newline                          application/json
    CSV     the header's and the row's bytes, as they are in the file      text/csv
    XLSX    the row as one line of JSON with sorted keys                   application/json

Numbers are read as decimals, never as floats. A formula is refused: what it shows is not in the file. A ``.refused.csv``
of an earlier run is read like the file that it came from.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ledger.errors import FormatError, Reason, UsageError

__all__ = ["GUARDED", "NOTES", "SourceRow", "Table", "csv_line", "guard", "open_table", "unguard"]

NOTES = ("bening_row", "bening_codes", "bening_reasons")
GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")
_DELIMITERS = (",", ";", "\t")
_MOST_DIGITS = 15
_WIDEST = 30


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Row ``number`` (from 1) of a file: ``values`` by column, ``document`` its bytes, ``cells`` to repeat in a CSV."""

    number: int
    values: Mapping[str, Any]
    document: bytes
    media_type: str
    cells: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """An opened source: its columns (``line`` alone for JSON lines), and its rows, to be read once."""

    columns: tuple[str, ...]
    rows: Iterator[SourceRow]


def open_table(path: Path) -> Table:
    """Return the rows of a ``.jsonl``, ``.csv`` or ``.xlsx`` file.

    Raises:
        UsageError: it cannot be read, is not UTF-8, has no usable header, or is another kind of file.
    """
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        return _open_xlsx(path)
    if suffix not in (".jsonl", ".ndjson", ".csv"):
        raise UsageError(f"{path}: {suffix}", code="import-suffix", path=str(path))
    text = _read_text(path)
    if suffix != ".csv":
        return Table(("line",), _json_rows(text.split("\n")))
    return _open_csv(path, text)


def guard(cell: str) -> str:
    """Return ``cell`` so that no spreadsheet takes it for a formula; ``unguard`` returns exactly what it was."""
    return "'" + cell if cell.startswith(GUARDED) else cell


def unguard(cell: str) -> str:
    """Undo ``guard``."""
    return cell.removeprefix("'")


def csv_line(cells: tuple[str, ...] | list[str]) -> str:
    """Return one line of CSV as RFC 4180 has it, with its line end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: {error}", code="not-utf8", path=str(path), place=error.start) from None


def _json_rows(lines: list[str]) -> Iterator[SourceRow]:
    for number, line in enumerate(lines, start=1):
        exact = line.removesuffix("\r")
        if exact.strip():
            yield _json_row(number, exact)


def _json_row(number: int, line: str) -> SourceRow:
    values, reasons = _parse_line(line)
    return SourceRow(number, values, line.encode("utf-8"), "application/json", (line,), reasons)


def _parse_line(line: str) -> tuple[Mapping[str, Any], tuple[Reason, ...]]:
    try:
        found = json.loads(line, parse_float=_exact, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except FormatError as error:
        return {}, (Reason(error.code, "", error.values),)
    except (ValueError, RecursionError):
        return {}, (Reason("line-not-json", ""),)
    return (found, ()) if isinstance(found, dict) else ({}, (Reason("line-not-json", ""),))


def _exact(text: str) -> Decimal:
    """Return the number as it is written, if it has no more than ``_WIDEST`` digits before the point or zeros behind it."""
    number: Decimal | None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds
        number = None
    if number is None or abs(number.adjusted()) > _WIDEST:  # written out, it could fill the memory
        raise FormatError(text[:40], code="number-out-of-range", value=text[:40])
    return number


def _no_constant(name: str) -> Any:
    raise FormatError(name, code="line-not-json")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FormatError("a key stands twice", code="key-twice")
    return found


class _Lines:
    """Physical lines as the CSV reader takes them, so that a row's own bytes are known."""

    def __init__(self, text: str) -> None:
        self.lines = iter(io.StringIO(text, newline=""))
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.taken.append(line)
        return line

    def take(self) -> str:
        text = "".join(self.taken)
        self.taken.clear()
        return text


def _open_csv(path: Path, text: str) -> Table:
    first = text.partition("\n")[0]
    lines = _Lines(text)
    try:
        delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header = tuple(next(reader, []))
    except csv.Error as error:
        raise UsageError(f"{path}: {error}", code="csv-header", path=str(path)) from None
    columns = tuple(name for name in header if name not in NOTES)
    if not columns or len(set(header)) != len(header) or not all(columns):
        raise UsageError(f"{path}: no usable header", code="csv-header", path=str(path))
    top = lines.take()
    if set(NOTES) <= set(header):
        return Table(columns, _refused_rows(reader, header, columns))
    return Table(columns, _csv_rows(reader, lines, top, columns))


def _csv_rows(reader: Any, lines: _Lines, top: str, columns: tuple[str, ...]) -> Iterator[SourceRow]:
    for number, cells in _numbered(reader):
        document = (top + lines.take()).encode("utf-8")
        yield _csv_row(number, columns, cells, document)


def _refused_rows(reader: Any, header: tuple[str, ...], columns: tuple[str, ...]) -> Iterator[SourceRow]:
    """Rows of a ``.refused.csv``: the notes are passed over, and guarded cells are what they were."""
    for number, cells in _numbered(reader):
        noted = {place for place, name in enumerate(header) if name in NOTES}
        own = [unguard(cell) for place, cell in enumerate(cells) if place not in noted]
        if columns == ("line",):
            yield _json_row(number, own[0] if own else "")
        else:
            yield _csv_row(number, columns, own, (csv_line(columns) + csv_line(own)).encode("utf-8"))


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield (number, cells) of the rows that hold anything; the rest of a damaged file cannot be told apart."""
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"row {number}: {error}", code="csv-row", row=number, problem=str(error)) from None
        if cells:
            yield number, cells


def _csv_row(number: int, columns: tuple[str, ...], cells: list[str], document: bytes) -> SourceRow:
    values = dict(zip(columns, cells, strict=False))
    wrong = len(cells) != len(columns)
    reasons = (Reason("row-length", "", {"count": len(cells), "wanted": len(columns)}),) if wrong else ()
    return SourceRow(number, values, document, "text/csv", tuple(cells), reasons)


def _open_xlsx(path: Path) -> Table:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=False)
        rows = book.worksheets[0].iter_rows()
        header = tuple(str(cell.value).strip() if cell.value is not None else "" for cell in next(rows, ()))
    except OSError as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error)) from None
    except Exception as error:  # noqa: BLE001  # a damaged workbook fails in any of zipfile, XML and openpyxl
        raise UsageError(f"{path}: {error}", code="xlsx-unreadable", path=str(path)) from None
    while header and not header[-1]:
        header = header[:-1]
    if not header or len(set(header)) != len(header) or not all(header):
        raise UsageError(f"{path}: no usable header", code="csv-header", path=str(path))
    return Table(header, _xlsx_rows(rows, header))


def _xlsx_rows(rows: Any, header: tuple[str, ...]) -> Iterator[SourceRow]:
    for number, cells in enumerate(rows, start=2):
        reasons: list[Reason] = []
        values = [_cell(cell, header, place, reasons) for place, cell in enumerate(cells[: len(header)])]
        values += [None] * (len(header) - len(values))
        if any(cell.value is not None for cell in cells[len(header) :]):
            reasons.append(Reason("row-length", "", {"count": len(cells), "wanted": len(header)}))
        if reasons or any(value is not None for value in values):
            found = dict(zip(header, values, strict=True))
            shown = tuple(_shown(value) for value in values)
            yield SourceRow(number, found, _json_of(found), "application/json", shown, tuple(reasons))


def _cell(cell: Any, header: tuple[str, ...], place: int, reasons: list[Reason]) -> Any:
    value = cell.value
    if cell.data_type == "f" or cell.data_type == "e":
        reasons.append(Reason("formula-cell", header[place], {"value": str(value)[:60]}))
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(sep=" ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    if len(number.as_tuple().digits) > _MOST_DIGITS:
        reasons.append(Reason("inexact-cell", header[place], {"value": str(value)}))
    return int(number) if number == number.to_integral_value() else number


def _shown(value: Any) -> str:
    """Return a cell's text. Three decimals become four: ``1.234`` would be read as one thousand and more."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text + "0" if len(text.partition(".")[2]) == 3 else text
    return "" if value is None else str(value)


def _json_of(values: Mapping[str, Any]) -> bytes:
    def shown(value: Any) -> str:
        return format(value, "f") if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)

    pairs = (f"{json.dumps(key, ensure_ascii=False)}:{shown(values[key])}" for key in sorted(values))
    return ("{" + ",".join(pairs) + "}").encode("utf-8")
