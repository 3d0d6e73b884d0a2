"""fsck: each row and file that is not as it must be is a fault of its own, with its file; what is on its way is none."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.catalog.feeding import Feeder
from ledger.errors import StoreError
from ledger.publisher import outbox
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import sequence_once
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.store import Store
from ledger.sqlite import connect
from ledger.words import LANGUAGES, has_words, say
from tests.publisher.town import Town, no_passphrase


def change(path: Path, statement: str, *values: object, trigger: str | None = None) -> None:
    """Change a row as a failing disk would: the trigger that forbids it is put back as it was."""
    with contextlib.closing(connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        kept = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (trigger,)).fetchone()
        if kept:
            connection.execute(f"DROP TRIGGER {trigger}")
        assert connection.execute(statement, values).rowcount
        if kept:
            connection.execute(kept[0])


def found(home: Home) -> set[tuple[str, str]]:
    """Return (code, name of the file) of the faults; each has a sentence in both languages."""
    faults = check_home(home)
    for one in faults:
        for lang in LANGUAGES:
            assert has_words(f"fsck.{one.code}"), one
            assert "{" not in say(f"fsck.{one.code}", lang, **one.values), one
    return {(one.code, Path(str(one.values["path"])).name) for one in faults}


@pytest.fixture
def lively(town: Town) -> Town:
    """A town with an act, a refused submission and one that waits."""
    town.published(b"%PDF-1.4 lively")
    assert town.submit(town.act(b"%PDF-1.4 refused", office="nowhere"))[0].reasons
    inbox = Inbox(town.home)
    inbox.submit([town.act(b"%PDF-1.4 waits").envelope])
    inbox.close()
    assert check_home(town.home) == []
    return town


@pytest.mark.parametrize(
    ("table", "statement", "code"),
    [
        ("entries", "UPDATE entries SET id = replace(id, 'a', 'b') WHERE idx = 2", "entry-id"),
        ("entries", "UPDATE entries SET leaf = zeroblob(32) WHERE idx = 2", "leaf"),
        ("rosters", "DELETE FROM rosters WHERE idx = 1", "row"),
        ("heads", "UPDATE heads SET root = zeroblob(32) WHERE size = 2", "root"),
        ("heads", "UPDATE heads SET time = '2026-01-01T00:00:00Z' WHERE size = 2", "row"),
        ("frontiers", "UPDATE frontiers SET hashes = zeroblob(32) WHERE size = 2", "row"),
        ("signatures", "UPDATE signatures SET line = CAST(replace(CAST(line AS TEXT), 'A', 'B') AS BLOB) WHERE size = 2", "head-signature"),
        ("signatures", "DELETE FROM signatures WHERE size = 2 AND rowid = (SELECT max(rowid) FROM signatures WHERE size = 2)", "head-signature"),
        ("published", "UPDATE published SET time = '2026-01-01T00:00:00Z' WHERE size = 2", "row"),
        ("meta", "UPDATE meta SET value = 'ledger.test/city' WHERE key = 'origin'", "row"),
    ],
)
def test_rows_of_the_store(lively: Town, table: str, statement: str, code: str) -> None:
    """Each column of ledger.db that anything rests on is held against the entries."""
    event = "delete" if statement.startswith("DELETE") else "update"
    change(lively.home.ledger_db, statement, trigger=f"{table}_no_{event}")
    assert (code, "ledger.db") in found(lively.home)


def test_a_trigger_that_is_lost(lively: Town) -> None:
    """Without its trigger a table is not append-only any more."""
    with contextlib.closing(connect(lively.home.ledger_db)) as connection:
        connection.execute("DROP TRIGGER entries_no_delete")
    assert found(lively.home) == {("schema", "ledger.db")}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE submissions SET id = replace(id, 'a', 'b') WHERE state = 'pending'",
        "UPDATE submissions SET envelope = substr(envelope, 2) WHERE state = 'pending'",
        "UPDATE submissions SET reasons = 'no' WHERE state = 'refused'",
        "UPDATE submissions SET reasons = '[]' WHERE state = 'refused'",
        """UPDATE submissions SET reasons = '[{"code":"a","path":"","values":{},"unknown":false}]' WHERE state = 'pending'""",
        "UPDATE submissions SET time = -5 WHERE state = 'pending'",
    ],
)
def test_rows_of_the_inbox(lively: Town, statement: str) -> None:
    """What waits is what was submitted; a refusal has its reasons, and nothing else has."""
    change(lively.home.inbox_db, statement)
    assert found(lively.home) == {("submission", "inbox.db")}


def test_the_catalogue_is_held_against_the_entries(lively: Town) -> None:
    """A title or a word that no act has is found, although the catalogue is sound as a database."""
    change(lively.home.search_db, "UPDATE acts SET title = 'Penetapan lain'")
    assert found(lively.home) == {("catalogue", "search.db")}


def test_the_catalogue_after_a_withdrawal(lively: Town) -> None:
    """What a withdrawal takes out of the catalogue leaves no difference to a new one."""
    text = {**lively.file(b"Rahasia sekali."), "media_type": "text/plain", "name": "a.txt", "role": "text"}
    paper = {**lively.file(b"%PDF-1.4 b"), "media_type": "application/pdf", "name": "sk.pdf", "role": "signed"}
    assert lively.submit(lively.act(None, documents=[paper, text]))[0].index is not None
    lively.roster({"event": "withdraw", "sha256": text["sha256"], "law": "UU 14/2008", "reason": "rahasia"})
    with contextlib.closing(Feeder(lively.home.search_db, founding=lively.home.founding, utc_offset="+07:00")) as feeder:
        assert feeder.connection.execute("SELECT value FROM meta WHERE key = 'withdrawn'").fetchone() == ("1",)
    assert check_home(lively.home) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("public/index.html", "file-unknown"),
        ("public/lookup/ref/ZZ", "file-unknown"),
        ("public/tile/0/000.p/200", "file-unknown"),
        ("public/tile/5/000", "file-unknown"),
        ("public/documents/ab/" + "ab" * 32, "file-unknown"),
        ("public/.checkpoint.new", "leftover"),
        (".bening.toml.new", "leftover"),
    ],
)
def test_what_no_entry_explains(lively: Town, name: str, code: str) -> None:
    """A stranger's file in the public folder is served like ours; one that a write has left is told apart."""
    path = lively.home.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert found(lively.home) == {(code, path.name)}


def test_settings(lively: Town) -> None:
    """A founding that is not that of entry 0, and a key that means nothing, are named; the rest is checked all the same."""
    path = lively.home.path / "bening.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace(lively.home.founding, "0" * 64).replace("[log]", 'urll = "x"\n[log]'), "utf-8")
    (lively.home.public / "policy").write_bytes(b"x")
    codes = found(Home.open(lively.home.path))
    assert codes >= {("settings", "bening.toml"), ("settings-key", "bening.toml"), ("file-differs", "policy")}


def test_a_damaged_founding_accuses_nobody_else(lively: Town) -> None:
    """Where entry 0 itself has changed, it is named, and not the settings that still say what it said."""
    with Store(lively.home, read_only=True) as store:
        data = store.entry(0)
    at = data.index(b"payload\":\"") + 200
    other = data[:at] + (b"B" if data[at : at + 1] == b"A" else b"A") + data[at + 1 :]
    change(lively.home.ledger_db, "UPDATE entries SET data = ? WHERE idx = 0", other, trigger="entries_no_update")
    assert ("leaf", "ledger.db") in found(lively.home)
    assert not {code for code, _ in found(lively.home)} & {"settings", "settings-key"}


def test_what_is_on_its_way_is_no_fault(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a committed head whose checkpoint is not out yet are explained; at the next start they are finished."""
    town.published(b"%PDF-1.4 before")
    real: Callable[..., object] = outbox.write_all

    def stop(*args: object) -> None:
        real(*args)
        raise OSError(5, "power is gone")

    monkeypatch.setattr(outbox, "write_all", stop)
    with pytest.raises(Exception, match="power"):
        town.submit(town.act(b"%PDF-1.4 on its way"))
    monkeypatch.undo()
    assert (town.home.public / "tile/0/000.p/4").exists()
    assert check_home(town.home) == []
    assert sequence_once(town.home, no_passphrase)
    assert check_home(town.home) == []


def test_a_log_that_breaks_off(lively: Town) -> None:
    """A flipped bit in a write-ahead log drops the transactions behind it; a log that merely ends is sound."""
    path = lively.home.inbox_db.with_name("inbox.db-wal")
    with contextlib.closing(connect(lively.home.inbox_db)) as kept:
        kept.execute("SELECT count(*) FROM submissions").fetchone()
        for n in range(3):
            inbox = Inbox(lively.home)
            inbox.submit([lively.act(b"%%PDF-1.4 %d" % n).envelope])
            inbox.close()
        log = path.read_bytes()
        base = lively.home.inbox_db.read_bytes()
    copies = {"whole": log, "ends": log[: -(8192 + 24)], "torn": log[:-100], "flipped": log[:200] + b"\xff" + log[201:]}
    said: dict[str, set[str]] = {}
    for name, data in copies.items():
        for one in lively.home.path.glob("inbox.db-*"):
            one.unlink()
        lively.home.inbox_db.write_bytes(base)
        path.write_bytes(data)
        said[name] = {code for code, _ in found(lively.home)}
    assert said == {"whole": set(), "ends": set(), "torn": set(), "flipped": {"journal"}}


@pytest.mark.parametrize("name", ["ledger.db", "inbox.db", "search.db"])
def test_a_schema_that_is_no_text(lively: Town, name: str) -> None:
    """SQLite quotes a damaged schema in its error, in bytes that are no text; it is a sentence all the same, and a catalogue is made anew."""
    path = lively.home.path / name
    whole = path.read_bytes()
    at = whole.index(b"CREATE TABLE") + 7
    path.write_bytes(whole[:at] + b"\xe5" + whole[at + 1 :])
    assert name in {one for _, one in found(lively.home)}
    if name == "search.db":
        assert sequence_once(lively.home, no_passphrase)
        assert check_home(lively.home) == []
    else:
        with pytest.raises(StoreError) as error:
            sequence_once(lively.home, no_passphrase)
        assert (error.value.code, error.value.values["path"]) == ("database", str(path))


def test_another_damage_does_not_hide_the_rest(lively: Town) -> None:
    """A database that is no database does not keep fsck from looking at the others."""
    lively.home.inbox_db.write_bytes(b"nothing")
    (lively.home.public / "policy").unlink()
    assert found(lively.home) >= {("file-missing", "policy")}
    assert any(name == "inbox.db" for _, name in found(lively.home))


def test_a_sequencer_at_work_is_no_fault(town: Town) -> None:
    """While acts are published one by one, fsck beside it finds nothing; not a checkpoint that is newer than it knew."""
    acts = [town.act(b"%%PDF-1.4 %d" % n) for n in range(12)]
    working = threading.Thread(target=lambda: [town.submit(act) for act in acts])
    working.start()
    rounds = 0
    while working.is_alive():
        assert check_home(town.home) == []
        rounds += 1
    working.join()
    assert rounds > 1
    assert check_home(town.home) == []
