"""Exports: every row of exactly one filter, byte for byte or safe in a spreadsheet, with its count and checkpoint, or broken."""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.catalog.catalog import Catalog, Row
from ledger.catalog.filters import Filter
from ledger.errors import StoreError
from ledger.publisher.store import Store
from ledger.records.refs import format_ref
from tests.web.api_ledger import Served, ServedTown
from web.api import spreadsheet
from web.api.csvfile import COLUMNS, neutral
from web.api.exports import export_of, pieces

HOSTILE = [
    "<script>alert('x')</script> & \"quoted\"", "=1+1", "+1", "-2+3", "@SUM(1)", "=HYPERLINK(\"http://x\",\"y\")", "a;=1+1", "a; -b", ";\"=1\"",
    "＝1+1", "－1", "＠x", "'=1", "\"=1", "#end", "a, b", "a\\b", "é 役所 –", "]]>", "&amp;", "x" * 999, "1/2", "007", "TRUE", "#REF!",
]  # fmt: skip
RUN = tuple("=+-@\t\r\n＝＋－＠﹦﹢﹣﹫")
ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> ServedTown:
    made = ServedTown(tmp_path_factory.mktemp("town"))
    acts = [made.act(b"%%PDF-1.4 %d" % n, title=title, number=f"{title[:150]} {n}" if n % 2 else f"{n}/HUKUM") for n, title in enumerate(HOSTILE)]
    outcomes = made.submit(*acts)
    assert all(one.index is not None for one in outcomes), outcomes
    for n, supplier in enumerate(HOSTILE[:18]):
        fields = {"supplier": {"name": supplier}, "value": f"{n + 1}500000.{n:02}", "method": "Pengadaan Langsung"}
        made.contract(b"%%PDF-1.4 c %d" % n, number=f"{n}/SPK/2026", fields=fields)
    made.contract(b"%PDF-1.4 large", number="x", fields={"value": "123456789012345678.25"})
    made.contract(b"%PDF-1.4 old", number="y", signed_on="1850-01-01", fields={"value": "0.10"})
    made.published(b"%PDF-1.4 unnumbered", number=None, unnumbered_reason="tanpa nomor")
    return made


@pytest.fixture(scope="module")
def served(town: ServedTown) -> Served:
    return town.serve()


def records(town: ServedTown) -> list[tuple[int, str, bytes, dict[str, Any]]]:
    """Return (index, time, payload, record) of every act of the store, newest first."""
    with Store(town.home, read_only=True) as store:
        found = []
        for act in store.index.all():
            row = store.connection.execute("SELECT body FROM acts WHERE idx = ?", (act.index,)).fetchone()
            found.append((act.index, act.time, row[0].encode(), json.loads(row[0])))
    return found[::-1]


def csv_rows(data: bytes) -> tuple[list[list[str]], list[str]]:
    """Return the records and the last record of a CSV export, as a spreadsheet reads it."""
    text = data.decode("utf-8-sig")
    assert data.startswith(b"\xef\xbb\xbf")
    assert "\n" not in text.replace("\r\n", "")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    return rows[:-1], rows[-1]


def test_every_line_of_jsonl_is_what_was_signed(town: ServedTown, served: Served):
    """SHA-256 of a line is the act's id, byte for byte the payload; the last line says how many, of which checkpoint."""
    response = served.get("/records.jsonl")
    *lines, last = response.data.split(b"\n")[:-1]
    expected = records(town)
    assert lines == [payload for _, _, payload, _ in expected]
    with Store(town.home, read_only=True) as store:
        for line, (index, *_) in zip(lines, expected, strict=True):
            act = store.index.by_index(index)
            assert act is not None
            assert hashlib.sha256(line).hexdigest() == act.id
        note, size = store.checkpoint_note(store.published_size()).decode(), store.published_size()
    end = {"bening": "export", "filter": {"sort": "-recorded"}, "size": size, "checkpoint": note, "count": len(expected)}
    assert json.loads(last) == end
    assert list(json.loads(last))[-1] == "count"


def test_json_is_one_document_with_its_end(town: ServedTown, served: Served):
    """All rows, the same as the pages of the list; the count comes last."""
    found = served.json("/records.json", sort="recorded")
    assert found["records"] == served.json("/records", sort="recorded", per_page=100)["records"]
    assert found["count"] == len(found["records"]) == len(records(town))
    assert list(found) == ["records", "filter", "size", "checkpoint", "count"]
    for row, (index, time, payload, record) in zip(found["records"], records(town)[::-1], strict=True):
        assert (row["index"], row["time"], row["id"]) == (index, time, hashlib.sha256(payload).hexdigest())
        for name in ("ref", "kind", "form", "office", "number", "title", "signed_on"):
            assert row[name] == record[name]
        fields = record["fields"]
        assert (row["value"], row["currency"], row["method"]) == tuple(fields.get(name) for name in ("value", "currency", "method"))
        assert row["supplier"] == fields.get("supplier", {}).get("name")


def test_csv_is_the_ledger_row_by_row(town: ServedTown, served: Served):
    """Numbers are what they are, texts too but for an apostrophe where one is needed; the last record states the end."""
    response = served.get("/records.csv")
    rows, end = csv_rows(response.data)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    for row, (index, time, payload, record) in zip(rows, records(town), strict=True):
        found = dict(zip(COLUMNS, row, strict=True))
        assert (found["index"], found["time"], found["id"]) == (str(index), time, hashlib.sha256(payload).hexdigest())
        assert found["ref"] == format_ref(record["ref"])
        assert (found["title"], found["number"]) == (neutral(record["title"]), neutral(record["number"] or ""))
        assert found["value"] == record["fields"].get("value", "")
        assert found["supplier"] == neutral(record["fields"].get("supplier", {}).get("name", ""))
        assert found["form_name"] == {"sk": "Keputusan", "spk": "Surat Perintah Kerja"}[record["form"]]
    with Store(town.home, read_only=True) as store:
        head = store.head_at(store.published_size())
    assert head is not None
    assert end[:6] == ["#end", f"count={len(rows)}", f"size={head.size}", f"root={head.root.hex()}", "origin=ledger.test/town", "filter="]


def test_no_cell_of_csv_can_run(served: Served):
    """However a spreadsheet splits it, at commas or at semicolons, no cell begins a formula; numbers alone may be negative."""
    data = served.get("/records.csv").data.decode("utf-8-sig")
    for cell in (cell for row in csv.reader(io.StringIO(data, newline="")) for cell in row):
        assert not cell.lstrip(" \"'").startswith(RUN) or cell.startswith("'") or re.fullmatch(r"-\d+", cell), cell
    for line in data.splitlines():
        for cell in line.split(";")[1:]:
            assert not re.match(r"[\s\"]*[=+\-@＝＋－＠]", cell), line


@given(st.text(st.sampled_from("=+-@;＝－ \t\"'a1\u00a0\u3000\ufeff"), max_size=12))
def test_neutral_text_never_runs_and_loses_nothing(text: str):
    """No part between semicolons begins like a formula; without the apostrophes that were put in, it is the same text."""
    found = neutral(text)
    for part in found.split(";"):
        assert not re.match("[\\s\"\u200b\ufeff]*[=+\\-@＝－\\t]", part)
    assert found.replace("'", "") == text.replace("'", "")
    assert neutral(found).replace("'", "") == text.replace("'", "")
    if not set(text) & set("=+-@＝－\t"):
        assert found == text


def test_xlsx_holds_texts_numbers_and_dates(town: ServedTown, served: Served):
    """Read again: no formula anywhere, texts letter by letter, amounts as numbers unless digits would be lost, dates as dates."""
    book = openpyxl.load_workbook(io.BytesIO(served.get("/records.xlsx").data))
    header, *rows = book["records"].iter_rows()
    assert [cell.value for cell in header] == list(COLUMNS)
    assert {cell.data_type for row in book["records"].iter_rows() for cell in row} <= {"s", "n", "d"}
    for row, (index, time, _, record) in zip(rows, records(town), strict=True):
        found = {name: cell.value for name, cell in zip(COLUMNS, row, strict=True)}
        assert found["index"] == index
        assert found["time"] == datetime.datetime.fromisoformat(time).replace(tzinfo=None)
        assert (found["title"], found["number"], found["ref"]) == (record["title"], record["number"], format_ref(record["ref"]))
        assert found["supplier"] == record["fields"].get("supplier", {}).get("name")
        value = record["fields"].get("value")
        exact = value is not None and len(value.replace(".", "")) <= 15
        assert found["value"] == (float(value) if exact else value)
        signed = record["signed_on"]
        assert found["signed_on"] == (datetime.datetime.fromisoformat(signed) if signed > "1901" else signed)
        assert isinstance(found["lag_days"], int)


def test_the_second_sheet_says_what_it_is(town: ServedTown, served: Served):
    """Count, size, filter, checkpoint, and what each column means, in the reader's language."""
    for lang, meaning in (("en", "number of published documents"), ("id", "jumlah dokumen yang diterbitkan")):
        book = openpyxl.load_workbook(io.BytesIO(served.get("/records.xlsx", lang=lang, office="pu").data))
        about = {row[0].value: row[1].value for row in book["about"].iter_rows()}
        assert about["count"] == book["records"].max_row - 1 == 20
        assert about["filter"] == "office=pu"
        assert about["checkpoint"] == served.json("/ledger")["checkpoint"]
        assert about["documents"] == meaning
        assert set(COLUMNS) <= about.keys()


def test_xlsx_says_its_limit(served: Served, monkeypatch: pytest.MonkeyPatch):
    """More rows than it is made for: refused before any work, with the way to all of them."""
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 5)
    refused = served.json("/records.xlsx", 422)
    assert refused["error"] == "too-many-rows"
    assert "records.csv" in refused["sentence"]
    assert served.get("/records.xlsx", kind="contract", q="large").status_code == 200


def test_what_admission_would_refuse_cannot_break_a_file(served: Served):
    """Control characters, noncharacters and surrogates, should they ever come here, are shown by number in XLSX and feeds."""
    from xml.dom.minidom import parseString

    from web.api.feed import _element, _quoted

    hostile = "a\x00b\x0bc\x1bd\ud800e\ufffef\uffff]]><&\"'\u202eg"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("x")
    sheet.append([spreadsheet._text(sheet, "=" + hostile)])
    file = io.BytesIO()
    book.save(file)
    cell = openpyxl.load_workbook(file)["x"]["A1"]
    assert (cell.data_type, cell.value) == ("s", "=a\\u{0000}b\\u{000B}c\\u{001B}d\\u{D800}e\\u{FFFE}f\\u{FFFF}]]><&\"'\u202eg")
    element = parseString(f"<x y={_quoted(hostile)}>{_element('z', hostile)}</x>").documentElement
    assert element.getAttribute("y") == element.firstChild.firstChild.data == cell.value[1:]


FILTERS = [{"q": "<script>"}, {"office": "pu"}, {"kind": ["contract", "decision"]}, {"office": "pu", "sort": "-value"}, {"sort": "value"},
           {"year": "1850"}, {"q": "tidak ada yang begini"}, {"since": "2999-01-01"}, {"supplier": "=1+1"}, {"method": "Pengadaan Langsung"},
           {"sort": "signed"}]  # fmt: skip


@pytest.mark.parametrize("query", FILTERS)
def test_all_forms_hold_exactly_the_filter(served: Served, query: dict[str, Any]):
    """JSON, JSONL, CSV, XLSX and the list agree on the acts and their order, and on the count."""
    listed = [row["index"] for row in served.json("/records", per_page=100, **query)["records"]]
    whole = served.json("/records.json", **query)
    assert [row["index"] for row in whole["records"]] == listed
    assert whole["filter"] == served.json("/records", **query)["filter"]
    rows, end = csv_rows(served.get("/records.csv", **query).data)
    assert [int(row[0]) for row in rows] == listed
    assert end[1] == f"count={len(listed)}"
    *lines, last = served.get("/records.jsonl", **query).data.splitlines()
    assert [json.loads(line)["ref"] for line in lines] == [row["ref"] for row in whole["records"]]
    assert json.loads(last)["count"] == whole["count"] == len(listed)
    book = openpyxl.load_workbook(io.BytesIO(served.get("/records.xlsx", **query).data))
    assert [row[0] for row in book["records"].iter_rows(min_row=2, values_only=True)] == listed


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "xlsx"])
@pytest.mark.parametrize("change", ["fewer", "more", "fails"])
def test_a_short_export_ends_broken(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str, change: str):
    """Rows lost, rows too many, an error in the middle: the stream raises before its end, so that the connection breaks."""
    each = Catalog.each

    def wrong(self: Catalog, wanted: Filter, size: int) -> Iterator[Row]:
        rows = list(each(self, wanted, size))
        for n, row in enumerate(rows[:-1] if change == "fewer" else [*rows, *rows[:1]] if change == "more" else rows):
            if change == "fails" and n == 5:
                raise StoreError("the disk is gone", code="database", path="", problem="gone")
            yield row

    monkeypatch.setattr(Catalog, "each", wrong)
    if suffix == "xlsx":  # it is made before its first byte, so there is still room for an error
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert served.get("/records.xlsx", 503).json["error"] == ("database" if change == "fails" else "export-differs")
        assert [*tmp_path.iterdir()] == []
        return
    monkeypatch.setattr("web.api.exports._PIECE", 1)
    received = bytearray()
    with pytest.raises(StoreError):  # noqa: PT012 (what came before is looked at)
        for piece in served.client.get(f"/api/v1/records.{suffix}", buffered=False).iter_encoded():
            received += piece
    assert b"#end,count" not in received
    assert b'"bening":"export"' not in received
    if suffix == "json":
        assert received.startswith(b'{"records":[')
        assert b'"count"' not in received


def test_a_payload_that_is_not_what_was_signed_stops_the_export(town: ServedTown, served: Served, monkeypatch: pytest.MonkeyPatch):
    """A stored body that does not hash to its id is never sent as that act."""
    from web.api import exports

    right = exports._payloads

    def wrong(reading: Any, indexes: list[int]) -> dict[int, bytes]:
        found = right(reading, indexes)
        return {**found, indexes[3]: found[indexes[3]].replace(b"1", b"2", 1)}

    monkeypatch.setattr(exports, "_payloads", wrong)
    with pytest.raises(StoreError) as stopped:
        served.client.get("/api/v1/records.jsonl").data  # noqa: B018
    assert stopped.value.code == "entry-damaged"


def test_an_export_is_read_as_it_is_sent(town: ServedTown, served: Served, monkeypatch: pytest.MonkeyPatch):
    """Bounded memory: when the first piece is out, only its rows have been read."""
    taken, row = [], None
    with served.app.config["SITE"].read() as reading:
        row = reading.catalog.newest(1)[0]
    monkeypatch.setattr(Catalog, "count", lambda self, wanted, size: 100_000)

    def many(self: Catalog, wanted: Filter, size: int) -> Iterator[Row]:
        for n in range(100_000):
            taken.append(n)
            yield replace(row, index=n)

    monkeypatch.setattr(Catalog, "each", many)
    for suffix in ("json", "csv"):
        taken.clear()
        stream = iter(served.client.get(f"/api/v1/records.{suffix}", buffered=False).iter_encoded())
        assert next(stream)
        assert len(taken) < 2_000
        assert sum(1 for _ in stream) > 100
        assert len(taken) == 100_000


def test_pieces_are_gathered_and_lose_nothing():
    """About 64 KiB each, all of them, in order."""
    parts = [bytes([n % 256]) * (n * 37 % 9000) for n in range(300)]
    found = list(pieces(parts))
    assert b"".join(found) == b"".join(parts)
    assert all(len(one) >= 1 << 16 for one in found[:-1])


def test_an_export_belongs_to_one_checkpoint(town: ServedTown, served: Served):
    """What is published while it is read does not get in."""
    with served.app.test_request_context("/api/v1/records.jsonl"), served.app.config["SITE"].read() as reading:
        export = export_of(reading, Filter())
    town.published(b"%PDF-1.4 meanwhile", title="Sementara itu")
    rows = list(export.rows())
    assert len(rows) == export.count
    assert max(row.index for row in rows) < export.snapshot.size
    assert served.json("/records.json")["count"] == export.count + 1


def test_the_feed_is_the_filter_newest_first(town: ServedTown, served: Served):
    """Well-formed Atom: stable ids, the entry's time, titles as text, links to page and document, the count of all."""
    listed = served.json("/records", per_page=100, office="pu")["records"]
    feed = ElementTree.fromstring(served.client.get("/feed.atom?office=pu&sort=value&lang=en").data)
    entries = feed.findall("a:entry", ATOM)
    assert len(entries) == len(listed)
    times = [entry.findtext("a:updated", None, ATOM) for entry in entries]
    assert times == sorted(times, reverse=True)
    assert feed.findtext("a:updated", None, ATOM) == times[0]
    for entry, row in zip(entries, listed, strict=True):
        assert entry.findtext("a:id", None, ATOM) == f"tag:ledger.test,{records(town)[-1][1][:10]}:town/acts/{row['id']}"
        assert entry.findtext("a:title", None, ATOM) == f"{row['form_name']} {row['number']}: {row['title']}"
        links = {(link.get("rel"), link.get("href")) for link in entry.findall("a:link", ATOM)}
        assert ("alternate", f"http://localhost/records/{row['index']}") in links
        document = served.json(f"/records/{row['index']}")["documents"][0]["url"]
        assert ("enclosure", f"http://localhost{document}") in links
        if row["supplier"]:
            assert row["supplier"] in entry.findtext("a:summary", "", ATOM)
    assert f"matching in all: {len(listed)}" in feed.findtext("a:subtitle", "", ATOM)
    own = next(link.get("href") for link in feed.findall("a:link", ATOM) if link.get("rel") == "self")
    assert own == "http://localhost/feed.atom?office=pu"


def test_hostile_titles_are_text_in_the_feed(served: Served):
    """Markup, CDATA ends and entities come back as the very text that was published; no element is added."""
    feed = ElementTree.fromstring(served.client.get("/feed.atom").data)
    titles = {entry.findtext("a:title", "", ATOM).partition(": ")[2] for entry in feed.findall("a:entry", ATOM)}
    assert set(HOSTILE) - {"x" * 999} <= titles
    assert {one.tag.partition("}")[0] for one in feed.iter()} == {"{http://www.w3.org/2005/Atom"}
    assert all(one.get("type") in (None, "application/atom+xml", "text/html", "application/x-ndjson", "application/json", "application/pdf")
               for one in feed.iter())  # fmt: skip


def test_a_feed_shows_the_newest_and_counts_all(served: Served, monkeypatch: pytest.MonkeyPatch):
    """More matches than it carries: it says how many; an empty one is still a feed, with a fixed time."""
    from web.api import feed as module

    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    feed = ElementTree.fromstring(served.client.get("/feed.atom?lang=en").data)
    count = served.json("/records")["count"]
    assert len(feed.findall("a:entry", ATOM)) == 3
    assert feed.findtext("a:subtitle", "", ATOM).startswith(f"Newest acts shown: 3; matching in all: {count},")
    empty = ElementTree.fromstring(served.client.get("/feed.atom?since=2999-01-01").data)
    assert empty.findall("a:entry", ATOM) == []
    assert empty.findtext("a:updated", "", ATOM) < feed.findtext("a:updated", "", ATOM) or empty.findtext("a:updated", "", ATOM)
    assert empty.findtext("a:id", "", ATOM).endswith("feed?since=2999-01-01")


def test_the_configured_address_is_used_where_there_is_one(town: ServedTown, tmp_path: Path):
    """Links in files that leave the site lead to its public address, not to the one that was asked."""
    from ledger.publisher.home import Home

    served = Served(replace(Home.open(town.home.path), url="https://ledger.kota.example/"))
    rows, _ = csv_rows(served.get("/records.csv").data)
    assert rows[0][-1] == f"https://ledger.kota.example/records/{rows[0][0]}"
    assert b'href="https://ledger.kota.example/feed.atom"' in served.client.get("/feed.atom").data


def test_amounts_lose_no_cent(served: Served):
    """What fifteen digits hold is a number; more stays text."""
    sheet = openpyxl.Workbook(write_only=True).create_sheet("x")
    for value, kind in (("187500000.25", Decimal), ("9999999999999.99", Decimal), ("99999999999999.99", None), ("0", Decimal)):
        cell = spreadsheet._cell(sheet, "value", value)
        assert (cell == Decimal(value)) if kind else (cell.value == value)
