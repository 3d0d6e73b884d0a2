"""Rows keep their exact bytes and exact numbers, whatever file they come in."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.desk.sources import GUARDED, SourceRow, csv_line, guard, open_table, unguard
from ledger.errors import UsageError

_CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def rows(path: Path, data: bytes) -> list[SourceRow]:
    path.write_bytes(data)
    return list(open_table(path).rows)


def test_json_lines_stand_as_they_are(tmp_path: Path) -> None:
    """The line's bytes without its newline; decimals as decimals; empty lines are no rows."""
    found = rows(tmp_path / "a.jsonl", b'{"v": 52272397.50, "n": 1}\n\n{"v":1}\r\n{"v":2}')
    assert [one.document for one in found] == [b'{"v": 52272397.50, "n": 1}', b'{"v":1}', b'{"v":2}']
    assert [one.number for one in found] == [1, 3, 4]
    assert found[0].values == {"v": Decimal("52272397.50"), "n": 1}
    assert str(found[0].values["v"]) == "52272397.50"


@pytest.mark.parametrize(
    ("line", "code"),
    [("{", "line-not-json"), ("[1]", "line-not-json"), ('{"a":1,"a":2}', "key-twice"), ('{"a":NaN}', "line-not-json"),
     ("[" * 100_000, "line-not-json"), ('{"a":1e99999999999999999999}', "number-out-of-range"),
     ('{"a":1e999999}', "number-out-of-range"), ('{"a":1e-999999}', "number-out-of-range")],
)  # fmt: skip
def test_a_bad_line_is_a_reason_not_the_end(tmp_path: Path, line: str, code: str) -> None:
    """The lines after it are read on."""
    found = rows(tmp_path / "a.jsonl", line.encode() + b'\n{"a":1}\n')
    assert [one.code for one in found[0].reasons] == [code]
    assert found[1].values == {"a": 1}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_rows_keep_header_and_line(tmp_path: Path, delimiter: str, mark: bytes) -> None:
    """Any of the usual delimiters, a byte order mark, quoted line breaks: the document is header and row, byte by byte."""
    header, one, two = (f"no{delimiter}judul\r\n", f'1{delimiter}"a\nb"\r\n', f"2{delimiter}c")
    found = rows(tmp_path / "a.csv", mark + (header + one + two).encode())
    assert [row.values for row in found] == [{"no": "1", "judul": "a\nb"}, {"no": "2", "judul": "c"}]
    assert [row.document for row in found] == [(header + one).encode(), (header + two).encode()]


def test_a_row_of_another_length_is_refused(tmp_path: Path) -> None:
    """A cell too many or too few shifts everything: the row says so, and keeps all its cells."""
    found = rows(tmp_path / "a.csv", b"a,b\n1\n1,2,3\n1,2\n")
    assert [[one.code for one in row.reasons] for row in found] == [["row-length"], ["row-length"], []]
    assert found[1].cells == ("1", "2", "3")


@pytest.mark.parametrize("data", [b"", b"a,a\n", b"a,\n1,2\n"])
def test_a_header_names_every_column_once(tmp_path: Path, data: bytes) -> None:
    """Without names nothing can be mapped."""
    with pytest.raises(UsageError) as error:
        rows(tmp_path / "a.csv", data)
    assert error.value.code == "csv-header"


def test_other_encodings_and_kinds_are_told(tmp_path: Path) -> None:
    """Latin-1, an unknown suffix, no file, a broken quote."""
    for name, data, code in (("a.csv", b"a\n\xe9\n", "not-utf8"), ("a.jsonl", b"\xff", "not-utf8"), ("a.xls", b"", "import-suffix"),
                             ("a.xlsx", b"PK no", "xlsx-unreadable"), ("b.csv", b'a\n"x\n', "csv-row")):  # fmt: skip
        with pytest.raises(UsageError) as error:
            rows(tmp_path / name, data)
        assert error.value.code == code, name
    with pytest.raises(UsageError):
        open_table(tmp_path / "nothing.csv")


@given(_CELLS)
def test_guarded_cells_are_read_back_exactly(cell: str) -> None:
    """No spreadsheet runs it, and nothing of it is lost."""
    assert unguard(guard(cell)) == cell
    assert not guard(cell).startswith(tuple(one for one in GUARDED if one != "'"))


@given(st.lists(st.lists(_CELLS, min_size=2, max_size=2), min_size=1, max_size=4))
def test_a_refused_csv_gives_the_same_rows(tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    """Written with notes and guards, read back: the same cells, notes ignored."""
    path = tmp_path_factory.mktemp("t") / "x.refused.csv"
    lines = [csv_line(["bening_row", "bening_codes", "bening_reasons", "a", "b"])]
    lines += [csv_line(["1", "x", "y", *map(guard, one)]) for one in table]
    path.write_bytes("".join(lines).encode("utf-8-sig"))
    assert [list(one.cells) for one in open_table(path).rows] == table


def workbook(path: Path, *table: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in table:
        book.active.append(row)
    book.save(path)
    return path


def test_xlsx_cells_keep_their_type(tmp_path: Path) -> None:
    """Decimals, whole numbers, dates and texts; the document is the row as sorted JSON."""
    path = workbook(tmp_path / "a.xlsx", ["no", "nilai", "tgl", "ada"], ["1/SPK", 52272397.53, datetime.date(2025, 1, 2), True], [None] * 4)
    found = list(open_table(path).rows)
    assert len(found) == 1
    assert found[0].values == {"no": "1/SPK", "nilai": Decimal("52272397.53"), "tgl": "2025-01-02", "ada": True}
    assert found[0].document == b'{"ada":true,"nilai":52272397.53,"no":"1/SPK","tgl":"2025-01-02"}'
    assert json.loads(found[0].document, parse_float=Decimal)["nilai"] == Decimal("52272397.53")
    assert found[0].cells == ("1/SPK", "52272397.53", "2025-01-02", "true")


def test_a_formula_is_refused(tmp_path: Path) -> None:
    """What a formula shows depends on who opens the file; so do errors. Whole numbers beyond 15 digits are not exact."""
    path = workbook(tmp_path / "a.xlsx", ["a", "b"], ["=1+1", "x"], ["x", "#N/A"], [1234567890123456, "x"], [5, "=x"[1:]])
    found = list(open_table(path).rows)
    assert [[one.code for one in row.reasons] for row in found] == [["formula-cell"], ["formula-cell"], ["inexact-cell"], []]


def test_three_decimals_are_not_taken_for_thousands(tmp_path: Path) -> None:
    """1.234 in a worksheet is no amount; as text in the refused file it must not become 1234."""
    path = workbook(tmp_path / "a.xlsx", ["a"], [1.234])
    assert next(open_table(path).rows).cells == ("1.2340",)
