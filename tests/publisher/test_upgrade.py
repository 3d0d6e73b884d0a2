"""A home of the first version becomes one of today's: every row comes across, every public file stays the same byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import StoreError
from ledger.publisher import schema, snapshot
from ledger.publisher import upgrade as upgrading
from ledger.publisher.backup import back_up, restore
from ledger.publisher.fsck import check_home
from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.publisher.upgrade import migrate, upgrade, version_of
from ledger.sqlite import connect
from tests.publisher.town import Town
from tests.publisher.version1 import KEPT, turn_back


@pytest.fixture
def old(town: Town) -> Town:
    """A town whose database the first version wrote, with acts, relations and a withdrawn document."""
    first = town.published(b"%PDF one", number="1/2026")
    town.published(b"%PDF two", relations=[{"type": "revokes", "ref": first.ref}])
    town.published(b"%PDF three")
    turn_back(town.home)
    return town


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = connect(path, read_only=True)
    try:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in KEPT}
    finally:
        connection.close()


def files(home: Home) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file() and path.suffix not in (".db-wal", ".db-shm") and path.name != "lock"}


def test_an_older_home_is_refused_by_everything_else(old: Town) -> None:
    """Nothing is read or written with the wrong tables; the sentence names the command."""
    from ledger.words import explain

    for work in (lambda: Store(old.home), lambda: old.submit(old.act(b"x")), lambda: check_home(old.home)):
        with pytest.raises(StoreError) as error:
            work()
        assert error.value.code == "store-older"
        assert all("bening upgrade" in explain(error.value, lang) for lang in ("id", "en"))


def test_a_check_changes_nothing(old: Town) -> None:
    """--check says that it would go well; no file of the home has changed, and none is left over."""
    before = files(old.home)
    found = upgrade(old.home, check=True)
    assert (found.found, found.size, found.faults, found.done) == (1, 5, [], False)
    assert files(old.home) == before
    assert not (old.home.path / ".upgrade").exists()


def test_every_row_comes_across_and_the_ledger_goes_on(old: Town) -> None:
    """The rows that are not derived are the same; public/ is the same; the old database is kept; publishing goes on."""
    before, public = rows(old.home.ledger_db), {p: d for p, d in files(old.home).items() if old.home.public in p.parents}
    found = upgrade(old.home)
    assert (found.faults, found.done) == ([], True)
    assert version_of(old.home.ledger_db) == schema.LEDGER_VERSION
    assert rows(old.home.ledger_db) == before == rows(old.home.path / "ledger.db.v1")
    assert {p: d for p, d in files(old.home).items() if old.home.public in p.parents} == public
    assert check_home(old.home) == []
    assert old.submit(old.act(b"%PDF next"))[0].index == 5
    assert check_home(old.home) == []
    assert upgrade(old.home).done is False


def test_the_upgraded_tables_refuse_changes(old: Town) -> None:
    """The new database has today's triggers."""
    upgrade(old.home)
    with Store(old.home) as store, pytest.raises(Exception, match="append-only"):
        store.connection.execute("UPDATE entries SET data = x'00' WHERE idx = 1")


def test_what_fails_the_check_is_not_cut_over(old: Town) -> None:
    """A public file that the new database would write otherwise: a fault, and the old database stays."""
    tile = old.home.public / "tile" / "0" / "000.p" / "5"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    found = upgrade(old.home)
    assert {one.code for one in found.faults} >= {"file-differs"}
    assert not found.done
    assert version_of(old.home.ledger_db) == 1


def test_a_row_that_does_not_come_across_stops(old: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """One note too many in the copy: told by its table, and nothing is changed."""
    real = upgrading._compare

    def spoiled(before: object, after: Any, table: str) -> None:
        if table == "notes":
            after.execute("INSERT INTO notes (time, what, detail) VALUES ('', '', '')")
        real(before, after, table)

    monkeypatch.setattr(upgrading, "_compare", spoiled)
    with pytest.raises(StoreError) as error:
        upgrade(old.home)
    assert (error.value.code, error.value.values["table"]) == ("upgrade-differs", "notes")
    assert version_of(old.home.ledger_db) == 1


def test_a_database_that_somebody_reads_is_not_replaced(old: Town) -> None:
    """The site still runs: its log would be taken for the new database's."""
    connection = connect(old.home.ledger_db, read_only=True)
    connection.execute("SELECT count(*) FROM entries").fetchone()
    with pytest.raises(StoreError) as error:
        upgrade(old.home)
    assert error.value.code == "database-in-use"
    connection.close()
    assert upgrade(old.home).done


def test_a_running_sequencer_is_refused(old: Town) -> None:
    """The lock comes first."""
    with old.home.lock(), pytest.raises(StoreError) as error:
        upgrade(old.home)
    assert error.value.code == "sequencer-running"


def test_a_newer_database_is_left_alone(town: Town) -> None:
    """What a later version wrote is neither upgraded nor touched."""
    with Store(town.home) as store:
        store.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError) as error:
        migrate(town.home)
    assert error.value.code == "store-version"


def test_a_backup_of_the_version_before_is_restored_in_todays_format(town: Town, tmp_path: Path) -> None:
    """An old backup is not lost with the program that made it."""
    town.published(b"%PDF one")
    back_up(town.home, tmp_path / "bk")
    folder = snapshot.find(tmp_path / "bk")
    turn_back(town.home)
    (folder / "ledger.db").unlink()
    connection = connect(town.home.ledger_db)
    connection.execute("VACUUM INTO ?", (str(folder / "ledger.db"),))
    connection.close()
    facts, manifest = snapshot.Snapshot.load(folder), folder / "manifest-sha256.txt"
    listed = snapshot.parse_manifest(manifest.read_bytes()) | {"ledger.db": snapshot.file_hash(folder / "ledger.db") or ""}
    manifest.write_bytes(snapshot.format_manifest(listed))
    (folder / "snapshot.json").write_bytes(replace(facts, manifest=snapshot.file_hash(manifest) or "").to_bytes())
    home = restore(tmp_path / "bk", tmp_path / "again")
    assert check_home(home) == []
