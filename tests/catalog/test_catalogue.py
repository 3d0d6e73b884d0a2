"""Keeping the catalogue: never more than is published, never in the way of publishing, and right again by itself."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.catalog.catalog import Catalog
from ledger.catalog.filters import Filter
from ledger.publisher import catalogue, handover, sequencer
from ledger.publisher.backup import back_up, restore
from ledger.publisher.catalogue import keep_catalogue, update_catalogue
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import sequence_once
from ledger.publisher.inbox import Inbox
from ledger.publisher.rebuild import rebuild
from ledger.publisher.recover import accept_loss
from ledger.publisher.staging import stage
from ledger.publisher.state import published_size
from ledger.publisher.store import Store
from tests.catalog.test_feeding import dump
from tests.publisher.town import Town, no_passphrase

TEXT = "Trotoar di Jalan Merdeka diperbaiki. " * 3 + "Nomor rahasia 4711."


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.settle_in()
    return made


def text_of(town: Town, text: bytes, **changes: Any) -> dict[str, Any]:
    """Return a document of role ``text`` as a record states it."""
    return {**town.file(text), "media_type": "text/plain", "name": "sk.txt", "role": "text", **changes}


def publish_with(town: Town, *documents: dict[str, Any], **changes: Any) -> int:
    """Publish an act with its paper and more documents; return its index."""
    paper = {**town.file(b"%PDF-1.4 trotoar tersembunyi"), "media_type": "application/pdf", "name": "sk.pdf", "role": "signed"}
    outcome = town.submit(town.act(None, documents=[paper, *documents], **changes))[0]
    assert outcome.index is not None, outcome.reasons
    return outcome.index


def found(town: Town, q: str) -> list[int]:
    """Return the indexes that a search finds."""
    return [row.index for row in Catalog(town.home.search_db).each(Filter(q=q), published_size(town.home))]


def test_what_is_published_is_found(town: Town) -> None:
    """By title, number, reference, names of office and form, signatory, fields, extra, document and supplied text."""
    index = publish_with(
        town,
        text_of(town, TEXT.encode()),
        number="138/728 Tahun 2026",
        title="Penetapan Pasar Lama",
        fields={"subjects": ["perdagangan rakyat"], "proposer": "Dinas Pasar"},
        extra={"catatan": "lampiran biru"},
    )
    catalog = Catalog(town.home.search_db)
    assert catalog.size == published_size(town.home) == index + 1
    row = catalog.row(index)
    assert row is not None
    for q in ("pasar lama", "138/728", "Nomor 138/728 Tahun 2026", row.ref, "bagian hukum", "keputusan", "wali kota", "walikota", "perdagangan", "dinas pasar", "lampiran biru", "sk.txt", "jalan merdeka", "trotoar"):
        assert found(town, q) == [index], q
    assert found(town, "tersembunyi") == []  # no other file is looked into
    assert any(hit for _, hit in catalog.snippet(index, "merdeka") or [])
    with Store(town.home, read_only=True) as store:
        act = store.index.by_index(index)
        assert act is not None
        assert (row.id, row.ref, row.time, row.number, row.title) == (act.id, act.ref, act.time, act.number, act.title)
    assert check_home(town.home) == []


@pytest.mark.parametrize("changes", [{"role": "scan"}, {"media_type": "text/html"}, {"media_type": "application/pdf"}])
def test_only_plain_text_is_read(town: Town, changes: dict[str, Any]) -> None:
    """A document of another role or type is never looked into, whatever it holds."""
    publish_with(town, text_of(town, TEXT.encode(), **changes))
    assert found(town, "merdeka") == []


@pytest.mark.parametrize("data", [b"\xff\xfe\x00merdeka", b"merdeka\0trotoar", b"", b" \n", b"\xed\xa0\x80 merdeka", b"a" * 300_000 + b" belakang"])
def test_any_bytes_can_be_a_text(town: Town, data: bytes) -> None:
    """What is not UTF-8 is passed over, what is beyond the limit left out; the act is found all the same."""
    index = publish_with(town, text_of(town, data), title="Penetapan Batas")
    assert found(town, "batas") == [index]
    assert found(town, "belakang") == []


def test_what_is_not_published_is_not_there(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act that is committed but not out is not in the catalogue until it is."""
    monkeypatch.setattr(sequencer, "flush", lambda *_: 0)
    act = town.act(title="Belum Terbit")
    inbox = Inbox(town.home)
    inbox.submit([act.envelope])
    inbox.close()
    shutil.copy(next(iter(act.documents.values())), town.home.staged(next(iter(act.documents))))
    sequence_once(town.home, no_passphrase)
    with Store(town.home, read_only=True) as store:
        head = store.head()
        assert head is not None
        assert head.size == store.published_size() + 1
    assert found(town, "belum") == []
    assert Catalog(town.home.search_db).size == published_size(town.home)
    monkeypatch.undo()
    sequence_once(town.home, no_passphrase)
    assert len(found(town, "belum")) == 1


def test_it_is_fed_only_after_the_answer(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the catalogue is fed, the submission has been settled already."""
    seen: list[int] = []

    def watch(home: Any) -> bool:
        inbox = Inbox(home)
        seen.append(inbox.count_pending())
        inbox.close()
        return keep_catalogue(home)

    monkeypatch.setattr(sequencer, "keep_catalogue", watch)
    town.published(b"one")
    assert seen
    assert not any(seen)


def test_while_others_wait_it_is_fed_now_and_then(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load the catalogue does not slow every batch; when nobody waits any more, it is complete."""
    monkeypatch.setattr(handover, "BATCH", 1)
    fed: list[int] = []

    def watch(home: Any) -> bool:
        fed.append(Catalog(home.search_db).size)
        return keep_catalogue(home)

    monkeypatch.setattr(sequencer, "keep_catalogue", watch)
    acts = [town.act(b"%d" % number, number=f"{number}/X") for number in range(4)]
    stage(town.home, {sha256: path for act in acts for sha256, path in act.documents.items()})
    inbox = Inbox(town.home)
    inbox.submit([act.envelope for act in acts])
    inbox.close()
    assert sequence_once(town.home, no_passphrase)
    assert fed == [2, 3]
    assert Catalog(town.home.search_db).size == published_size(town.home) == 6


@pytest.mark.parametrize("fault", ["raises", "folder", "locked", "full", "bug"])
def test_a_fault_never_stops_publishing(town: Town, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fault: str) -> None:
    """Acts get out whatever is wrong with the catalogue; it says so in a line, and catches up when it can."""
    with monkeypatch.context() as patch:
        if fault == "raises":
            patch.setattr(catalogue, "Feeder", _failing)
        elif fault == "folder":
            town.home.search_db.unlink()
            town.home.search_db.mkdir()
        elif fault == "bug":
            patch.setattr(catalogue, "texts_of", lambda *_, **__: {}["oops"])
        elif fault == "full":
            patch.setattr(catalogue.Feeder, "add", _failing)
        else:
            from ledger import sqlite

            lock = sqlite.connect(town.home.search_db)
            lock.execute("BEGIN IMMEDIATE")
            real = sqlite.driver().connect
            patch.setattr(sqlite.driver(), "connect", lambda *names, **options: real(*names, **{**options, "timeout": 0.01}))
        outcome = town.published(b"one", title="Terbit Juga")
        assert outcome.proof
        if fault == "locked":
            lock.close()
    assert "catalogue: " in capfd.readouterr().err
    if fault == "folder":
        town.home.search_db.rmdir()
    sequence_once(town.home, no_passphrase)
    assert found(town, "terbit juga") == [outcome.index]


def _failing(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def test_withdrawn_texts_leave(town: Town) -> None:
    """When the authority withdraws a document, its text is out of the catalogue with the event, and stays out."""
    document = text_of(town, TEXT.encode())
    index = publish_with(town, document, title="Penetapan Jalan")
    assert found(town, "4711") == [index]
    event = {"event": "withdraw", "sha256": document["sha256"], "law": "UU 27/2022", "reason": "data pribadi"}
    assert town.roster(event)[0].index is not None
    assert found(town, "4711") == []
    assert found(town, "penetapan jalan") == [index]
    assert Catalog(town.home.search_db).snippet(index, "trotoar") is None
    assert b"4711" not in town.home.search_db.read_bytes()
    town.home.document(document["sha256"]).write_bytes(TEXT.encode())  # somebody put it back by hand
    rebuild(town.home)
    assert found(town, "4711") == []
    again = town.submit(town.act(None, documents=[document], title="Lagi"))[0]
    assert again.index is None or found(town, "4711") == []


def test_rebuilding_gives_the_same(town: Town) -> None:
    """Made anew from the entries, the catalogue is what it was after act by act."""
    for number in range(5):
        publish_with(town, text_of(town, f"teks {number}".encode()), number=f"{number}/X", title=f"Penetapan {number}")
    town.roster({"event": "office", "id": "hukum", "name": "Bagian Hukum dan HAM", "parent": "setda"})
    town.published(b"later")
    before = dump(town.home.search_db)
    rebuild(town.home)
    assert dump(town.home.search_db) == before


@pytest.mark.parametrize("damage", ["missing", "cut", "larger", "other-history", "behind", "row-lost"])
def test_it_is_right_again_at_the_next_start(town: Town, damage: str) -> None:
    """Whatever is wrong with it at a start, afterwards it covers exactly what is published; fsck tells before."""
    town.published(b"one", title="Satu")
    kept = town.folder / "kept.db"
    keep_catalogue(town.home)
    shutil.copy(town.home.search_db, kept)
    town.published(b"two", title="Dua")
    expected = dump(town.home.search_db)
    path = town.home.search_db
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:8192])
    elif damage == "behind":
        shutil.copy(kept, path)
    else:
        from ledger.sqlite import connect

        connection = connect(path)
        changes = {
            "larger": "UPDATE meta SET value = '99' WHERE key = 'size'",
            "other-history": f"UPDATE meta SET value = '{'0' * 64}' WHERE key = 'leaf'",
            "row-lost": "DELETE FROM acts WHERE idx = (SELECT max(idx) FROM acts)",
        }
        connection.execute(changes[damage])
        connection.close()
    codes = {fault.code for fault in check_home(town.home)}
    assert codes == ({"behind": {"catalogue-behind"}, "cut": {"catalogue-damaged"}, "missing": set()}.get(damage, {"catalogue"}))
    if damage == "row-lost":
        rebuild(town.home)  # at a glance only fsck sees it
    sequence_once(town.home, no_passphrase)
    assert check_home(town.home) == []
    assert dump(path) == expected


def test_a_backup_holds_none_and_a_restored_ledger_has_one(town: Town, tmp_path: Path) -> None:
    """The catalogue is not backed up; what is restored gets its own, of the backup's size, and goes on rightly."""
    town.published(b"one", title="Satu")
    back_up(town.home, tmp_path / "backup", check=True)
    assert not list((tmp_path / "backup").glob("search*"))
    town.published(b"two", title="Dua")
    home = restore(tmp_path / "backup", tmp_path / "restored")
    assert Catalog(home.search_db).size == published_size(home) == 3
    shutil.copy(town.home.search_db, home.search_db)  # an operator who copies too much
    accept_loss(home, "2026-11-25T00:00:00Z")
    sequence_once(home, no_passphrase)
    assert [row.title for row in Catalog(home.search_db).each(Filter(), 3)] == ["Satu"]
    assert check_home(home) == []


def test_a_large_ledger_is_caught_up_bit_by_bit(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time left after a batch it stops there, says that more waits, and the idle sequencer goes on."""
    for number in range(6):
        town.published(b"%d" % number, number=f"{number}/X", title=f"Penetapan {number}")
    town.home.search_db.unlink()
    monkeypatch.setattr(catalogue, "_BATCH", 2)
    size = published_size(town.home)
    assert not keep_catalogue(town.home, 0)
    assert Catalog(town.home.search_db).size == 2
    assert not keep_catalogue(town.home, 0)
    assert Catalog(town.home.search_db).size == 4
    while not keep_catalogue(town.home, 0):
        pass
    assert Catalog(town.home.search_db).size == size
    assert check_home(town.home) == []


_FEED = """
import sys
from pathlib import Path
from ledger.publisher import catalogue
from ledger.publisher.home import Home
catalogue._BATCH = 1
catalogue.rebuild_catalogue(Home.open(Path(sys.argv[1])), lambda done, total: print(done, flush=True))
"""


@pytest.mark.parametrize("after", [1, 4, 8])
def test_killed_at_any_moment(town: Town, after: int) -> None:
    """A process that is killed while it feeds leaves a catalogue that the next one finishes."""
    for number in range(10):
        town.published(b"%d" % number, number=f"{number}/X", title=f"Penetapan {number}")
    expected = dump(town.home.search_db)
    with subprocess.Popen([sys.executable, "-c", _FEED, str(town.home.path)], stdout=subprocess.PIPE, text=True) as feeding:
        assert feeding.stdout is not None
        for _ in range(after):
            feeding.stdout.readline()
        feeding.send_signal(signal.SIGKILL)
    assert update_catalogue(town.home) == published_size(town.home)
    assert dump(town.home.search_db) == expected
    assert check_home(town.home) == []


def test_rows_say_what_records_say(town: Town) -> None:
    """Value, supplier and method stand in a row exactly as the record states them."""
    town.roster({"event": "form", "id": "spk", "kind": "contract", "name": "SPK"}, town.enrolment("ppk", kinds=["contract"]))
    fields = {"value": "187500000.50", "currency": "IDR", "supplier": {"name": "CV Karya Contoh", "form": "CV"}, "method": "Pengadaan Langsung"}
    index = town.published(b"spk", kind="contract", form="spk", by=["ppk"], fields=fields, signed_on="2026-10-30").index
    row = Catalog(town.home.search_db).row(index or 0)
    assert row is not None
    assert (row.value, row.currency, row.supplier, row.method) == ("187500000.50", "IDR", "CV Karya Contoh", "Pengadaan Langsung")
    assert row.documents == 1
    assert json.dumps(row.lag_days).isdigit()
    for q in ("187.500.000", "Rp 187.500.000", "Rp187.500.000", "IDR 187.500.000", "rp. 187.500.000", "187500000", "187,500,000.50", "187.500.000,50", "karya contoh"):
        assert found(town, q) == [index], q
    assert found(town, "187.500.001") == []
