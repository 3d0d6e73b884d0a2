"""The real contracts, where they are present: imported, exported in every form, and compared with the ledger row by row."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest

from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.records.refs import format_ref
from tests.commands.bening import Bening
from tests.web.api_ledger import Served
from web.api.csvfile import COLUMNS, neutral

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def regency(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shared: Path) -> Served:
    source = shared / "data" / "contracts-bandung-2025.jsonl"
    if not source.is_file():
        pytest.skip("the contracts are not here")
    bening = Bening(tmp_path, capsys, monkeypatch)
    for name in ("kab-bandung-roster.toml", "kab-bandung-contracts.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    shutil.copy(source, tmp_path / "contracts.jsonl")
    bening("key", "new", "a.pem")
    bening("key", "new", "import.pem")
    bening("init", "kab", "--origin", "ledger.test/kab", "--name", "Kab. Uji", "--authority", "a.pem.pub", "--key", "a.pem")
    bening("roster", "apply", "kab-bandung-roster.toml", "-L", "kab", "--key", "a.pem", "--key", "import.pem")
    bening("import", "contracts.jsonl", "--map", "kab-bandung-contracts.toml", "--key", "import.pem", "-L", "kab", "--yes", status=4)
    return Served(Home.open(tmp_path / "kab"))


def test_948_contracts_leave_as_they_came(regency: Served):
    """935 acts: JSONL hashes to the ids of the ledger; CSV and XLSX hold each act's values; untidy ones too."""
    with Store(regency.home, read_only=True) as store:
        rows = store.connection.execute("SELECT idx, id, body FROM acts ORDER BY idx DESC").fetchall()
    assert len(rows) == 935
    _compare_lines(regency, rows)
    _compare_csv(regency, rows)
    _compare_xlsx(regency, rows)
    _ask_the_treasury(regency, rows)
    _search_and_export(regency)
    feed = ElementTree.fromstring(regency.client.get("/feed.atom?lang=en").data)
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 100
    assert "matching in all: 935," in (feed.findtext("{http://www.w3.org/2005/Atom}subtitle") or "")


def _compare_lines(regency: Served, rows: list[tuple[int, str, str]]) -> None:
    *lines, last = regency.get("/records.jsonl").data.split(b"\n")[:-1]
    assert [hashlib.sha256(line).hexdigest() for line in lines] == [act_id for _, act_id, _ in rows]
    assert lines == [body.encode() for _, _, body in rows]
    assert json.loads(last)["count"] == 935
    assert [one["index"] for one in regency.json("/records.json")["records"]] == [index for index, _, _ in rows]


def _compare_csv(regency: Served, rows: list[tuple[int, str, str]]) -> None:
    text = regency.get("/records.csv").data.decode("utf-8-sig")
    header, *found, end = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == COLUMNS
    assert end[:2] == ["#end", "count=935"]
    for cells, (index, act_id, body) in zip(found, rows, strict=True):
        row, record = dict(zip(COLUMNS, cells, strict=True)), json.loads(body)
        assert (row["index"], row["id"], row["ref"]) == (str(index), act_id, format_ref(record["ref"]))
        assert row["value"] == record["fields"]["value"]
        assert (row["title"], row["number"]) == (neutral(record["title"]), neutral(record["number"] or ""))
        assert row["supplier"] == neutral(record["fields"]["supplier"].get("name", ""))


def _compare_xlsx(regency: Served, rows: list[tuple[int, str, str]]) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(regency.get("/records.xlsx").data))["records"]
    for cells, (index, _, body) in zip(sheet.iter_rows(min_row=2), rows, strict=True):
        row, record = dict(zip(COLUMNS, (cell.value for cell in cells), strict=True)), json.loads(body)
        assert "f" not in {cell.data_type for cell in cells}
        assert (row["index"], row["title"], row["number"]) == (index, record["title"], record["number"])
        assert Decimal(str(row["value"])) == Decimal(record["fields"]["value"])


def _ask_the_treasury(regency: Served, rows: list[tuple[int, str, str]]) -> None:
    """Every contract carries its own supplier and value, and not a rupiah more; by its number too, or it says why not."""
    for _, _, body in rows[::40]:
        record = json.loads(body)
        fields, name = record["fields"], record["fields"]["supplier"].get("name")
        asked = {"value": fields["value"], **({"supplier": name.lower()} if name else {})}
        assert regency.check(ref=record["ref"], **asked)["verdict"] in ("published", "amended")
        assert regency.check(ref=record["ref"], value=str(Decimal(fields["value"]) + 1))["verdict"] == "differs"
        if record["number"]:
            found = regency.check(number=record["number"], **asked)
            assert found["published"]
            assert found["carries"]


def _search_and_export(regency: Served) -> None:
    """What the list counts and shows is what leaves, in that order."""
    for query in ({"q": "belanja", "sort": "-value"}, {"method": "Pengadaan Langsung", "q": "sewa"}, {"year": "2025", "sort": "signed"}):
        whole, page = regency.json("/records.json", **query), regency.json("/records", per_page=100, **query)
        assert whole["count"] == page["count"] > 0
        assert whole["records"][:100] == page["records"]
