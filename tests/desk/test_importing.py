"""Planning an import: rows judged in order, as admission will judge them; the same row is the same act for ever."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ledger.desk.guess import guess_map
from ledger.desk.importing import Importer, Planned, row_ref
from ledger.desk.journal import Journal, journal_path
from ledger.desk.mapping import parse_map
from ledger.desk.refusals import Refusals, refusals_path
from ledger.desk.sources import open_table
from ledger.errors import UsageError
from ledger.records.refs import is_ref
from tests.city import City, public_of, signing_key
from tests.desk.test_acts import private

MAP = """
[constants]
kind = "contract"
form = "spk"
office = "setda"
language = "id"
"fields.currency" = "IDR"
[columns]
number = "no"
title = "nama"
signed_on = "tgl"
"fields.value" = { column = "nilai", money = "rupiah" }
"fields.supplier.name" = "penyedia"
[[signatories]]
position = "PPK"
[[when]]
if = { column = "ubah", equals = true }
relation = { type = "amends", earlier = "same-number" }
"""
TIME = "2026-02-01T02:00:00Z"


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"no": f"{number}/SPK/2026", "nama": "Meja", "tgl": "2026-01-20", "nilai": 1000 + number, "penyedia": "CV A", **changes}


class Bench:
    """A city, a file of rows, and the importer between them."""

    def __init__(self, folder: Path) -> None:
        self.city, self.file = City(folder / "city"), folder / "a.jsonl"

    def plan(self, *rows: dict[str, Any] | str, text: str = MAP, file: Path | None = None) -> list[Planned]:
        source = file or self.file
        if rows:
            source.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
        with Journal(source, self.city.founding, write=False) as journal:
            importer = Importer(parse_map(text), [private("Bagian Hukum")], journal, source.parent)
            importer.renew(self.city.roster, self.city.acts, len(self.city.entries), TIME)
            try:
                return [importer.plan(one) for one in open_table(source).rows]
            finally:
                importer.close()

    def publish(self, planned: list[Planned]) -> None:
        for one in planned:
            if one.envelope is not None:
                self.city.append(one.envelope)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.city.acts.connection.close()


def codes(planned: list[Planned]) -> list[str]:
    return [" ".join(one.code for one in plan.reasons) or ("already" if plan.already else "publish") for plan in planned]


def test_planned_rows_are_admitted_as_planned(bench: Bench) -> None:
    """Each planned envelope is taken by the replay; the row itself is its document."""
    planned = bench.plan(row(1), row(2))
    assert codes(planned) == ["publish", "publish"]
    bench.publish(planned)
    act = bench.city.acts.by_index(len(bench.city.entries) - 1)
    assert act is not None
    assert planned[1].act is not None
    assert (act.id, act.index) == (planned[1].act.id, planned[1].act.index)
    assert planned[0].files == {planned[0].line: json.dumps(row(1)).encode()}


def test_the_same_row_is_the_same_act(bench: Bench) -> None:
    """Twice in a file, in a later run, and after it has been published: one act, by its id."""
    first = bench.plan(row(1), row(2), row(1))
    assert codes(first) == ["publish", "publish", "already"]
    assert first[2].twin == 1
    again = bench.plan(row(1))
    assert again[0].envelope == first[0].envelope
    bench.publish(first)
    later = bench.plan(row(2), row(1))
    assert codes(later) == ["already", "already"]
    assert [one.already.id for one in later if one.already] == [first[1].envelope.id, first[0].envelope.id]  # type: ignore[union-attr]


def test_a_published_row_is_known_even_if_the_map_changed(bench: Bench) -> None:
    """Another map makes another record; the row is still already published, and not published twice."""
    bench.publish(bench.plan(row(1)))
    assert codes(bench.plan(row(1), text=MAP.replace('position = "PPK"', 'position = "Kuasa Pengguna Anggaran"'))) == ["already"]


def test_two_contracts_under_one_number_are_refused_and_an_amendment_is_not(bench: Bench) -> None:
    """The second is refused in words, within one file and later; what amends the first may bear its number."""
    planned = bench.plan(row(1), row(1, nama="Kursi"), row(1, nama="Perubahan", ubah=True), row(9, ubah=True))
    assert codes(planned) == ["publish", "number-used", "publish", "no-earlier-act"]
    bench.publish(planned)
    assert codes(bench.plan(row(1, nama="Kursi"))) == ["number-used"]


def test_every_reason_of_a_row_is_told(bench: Bench) -> None:
    """The unreadable amount, the missing supplier, the bad date: at once."""
    planned = bench.plan(row(1, nilai="1,234", penyedia=None, tgl="2026-02-30"), "{", row(2, nama="x" * 1001))
    assert codes(planned) == ["unreadable-money bad-date missing", "line-not-json", "text-too-long"]


def test_documents_may_lie_beside_the_file(bench: Bench, tmp_path: Path) -> None:
    """A document column names files; a missing one is a reason; the same paper under the same number is already published."""
    (tmp_path / "1.pdf").write_bytes(b"%PDF-1.7 satu")
    text = MAP + '[[documents]]\ncolumn = "berkas"\nrole = "signed"\n'
    planned = bench.plan(row(1, berkas="1.pdf"), row(2, berkas="2.pdf"), text=text)
    assert codes(planned) == ["publish", "file-unreadable"]
    assert list(planned[0].files.values()) == [tmp_path / "1.pdf"]
    bench.publish(planned)
    assert codes(bench.plan(row(1, berkas="1.pdf", catatan="lain"), text=text)) == ["already"]


@pytest.mark.parametrize("name", ["../secret.pem", "/etc/hostname", "link.pem"])
def test_a_table_cannot_reach_for_other_files(bench: Bench, tmp_path: Path, name: str) -> None:
    """Nobody publishes a private key because a row said so: not by .., not by an absolute path, not by a link."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.pem").write_text("secret")
    (inner / "link.pem").symlink_to(tmp_path / "secret.pem")
    bench.file = inner / "a.jsonl"
    text = MAP + '[[documents]]\ncolumn = "berkas"\n'
    assert codes(bench.plan(row(1, berkas=name), text=text)) == ["outside-folder"]


def test_a_reference_comes_from_the_row_and_the_ledger(bench: Bench) -> None:
    """Fixed for a row, different for another row or another ledger, and a reference like any other."""
    found = {row_ref(founding, line) for founding in ("a", "b") for line in ("c", "d")}
    assert len(found) == 4
    assert all(is_ref(one) for one in found)
    assert row_ref("a", "c") == row_ref("a", "c")


def test_refused_rows_can_be_mended_and_imported_again(bench: Bench) -> None:
    """The file of refused rows, unmended, is refused again; with a cell mended it is planned, with the same map."""
    planned = bench.plan(row(1, nilai="1,234", nama='=CMD("x")'), row(2))
    refusals = Refusals(bench.file, ("line",), "id")
    refusals.add(planned[0])
    path = refusals.save()
    assert path == refusals_path(bench.file)
    again = bench.plan(file=path)
    assert codes(again) == ["unreadable-money"]
    assert again[0].row.document == planned[0].row.document
    path.write_text(path.read_text("utf-8-sig").replace('""1,234""', '""1234""'), "utf-8")
    assert codes(bench.plan(file=path)) == ["publish"]


def test_a_worksheet_is_mended_as_csv(bench: Bench) -> None:
    """What a worksheet refused goes on as CSV with the same map: dates, decimals and texts read as they did before."""
    book = openpyxl.Workbook()
    book.active.append(["no", "nama", "tgl", "nilai", "penyedia"])
    book.active.append(["1/SPK", "Meja", datetime.date(2026, 1, 20), 52272397.5, "CV A"])
    book.active.append(["2/SPK", "Kursi", datetime.date(2026, 1, 20), 52272397.53, "=A1"])
    book.active.append(["3/SPK", "Lampu", datetime.date(2026, 1, 20), 1.234, "CV C"])
    source = bench.file.with_suffix(".xlsx")
    book.save(source)
    planned = bench.plan(file=source)
    assert [one[:16] for one in codes(planned)] == ["publish", "formula-cell", "unreadable-money"]
    refusals = Refusals(source, open_table(source).columns, "id")
    for one in planned[1:]:
        refusals.add(one)
    path = refusals.save()
    assert path is not None
    path.write_text(path.read_text("utf-8-sig").replace("'=A1", "CV B"), "utf-8")
    again = bench.plan(file=path)
    assert [one[:16] for one in codes(again)] == ["publish", "unreadable-money"]
    assert again[0].envelope is not None
    assert json.loads(again[0].envelope.payload)["fields"]["value"] == "52272397.53"


def test_a_mended_file_is_never_overwritten(bench: Bench) -> None:
    """Another run sets the earlier file aside: somebody may have worked in it."""
    planned = bench.plan(row(1, nilai="1,234"))
    for content in ("id", "en"):
        refusals = Refusals(bench.file, ("line",), content)
        refusals.add(planned[0])
        refusals.save()
    assert Refusals(bench.file, ("line",), "id").save() is None
    assert len(list(bench.file.parent.glob("a.jsonl.refused*.csv"))) == 2


def test_the_journal_gives_a_row_its_reference_back(bench: Bench) -> None:
    """Also after a cut line; for another ledger it is not used."""
    with Journal(bench.file, "f" * 64, write=True) as journal:
        journal.reserve([("a" * 64, "REF", "i")])
        journal.settle([("a" * 64, "i", 5, ())])
        with pytest.raises(UsageError) as error:
            Journal(bench.file, "f" * 64, write=True)
        assert error.value.code == "import-running"
    with open(journal_path(bench.file), "ab") as file:
        file.write(b'{"line":"bbbb","re')
    with Journal(bench.file, "f" * 64, write=True) as journal:
        assert journal.refs == {"a" * 64: "REF"}
        journal.reserve([("c" * 64, "REF2", "j")])
    with Journal(bench.file, "f" * 64, write=False) as journal:
        assert journal.refs == {"a" * 64: "REF", "c" * 64: "REF2"}
    with Journal(bench.file, "0" * 64, write=False) as journal:
        assert journal.refs == {}
    journal_path(bench.file).write_bytes(b"x\n{}\n")
    with pytest.raises(UsageError) as error:
        Journal(bench.file, "f" * 64, write=False)
    assert error.value.code == "journal-damaged"


def test_a_guessed_map_is_a_map(bench: Bench, tmp_path: Path) -> None:
    """Whatever the columns are called, the guess can be parsed; usual names are mapped, the others are comments."""
    bench.file.write_text(json.dumps({"Nomor Kontrak": "1", "Nama Paket": "Meja", "tanggal_kontrak": "2 Januari 2025", "Nilai": "Rp 1.000",
                                      "Nama Penyedia": "CV A", "unit kerja": "Dinas \"PU\"", "jabatan": "PPK", "aneh\n=\u202e": {"x": 1}}))  # fmt: skip
    text = guess_map(open_table(bench.file).rows, bench.file.name)
    chart = parse_map(text)
    assert chart.columns["number"] == "Nomor Kontrak"
    assert chart.columns["signed_on"] == {"column": "tanggal_kontrak", "date": ["long"]}
    assert chart.columns["fields.value"] == {"column": "Nilai", "money": "rupiah"}
    assert chart.signatories[0]["position"] == {"column": "jabatan"}
    assert "aneh" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_the_signer_is_whoever_holds_the_key(bench: Bench) -> None:
    """A key that the roster does not know is refused for every row, as admission would."""
    with Journal(bench.file, bench.city.founding, write=False) as journal:
        stranger = private("stranger")
        assert stranger.public == public_of(signing_key("stranger"))
        importer = Importer(parse_map(MAP), [stranger], journal, bench.file.parent)
        importer.renew(bench.city.roster, bench.city.acts, len(bench.city.entries), TIME)
        bench.file.write_text(json.dumps(row(1)))
        found = [importer.plan(one) for one in open_table(bench.file).rows]
        importer.close()
    assert "key-not-enrolled" in codes(found)[0]
