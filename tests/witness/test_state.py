"""What a witness has seen survives what machines do, and what it may have forgotten locks it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from ledger.errors import LedgerError, PolicyError, StoreError, UsageError
from ledger.keyfile import LogKeys
from ledger.sqlite import connect, driver
from ledger.witness.home import create_home, open_home
from ledger.witness.state import DATABASE, MOST_ODD, WitnessState, create_state, open_state
from ledger.witness.witness import Witness
from tests.witness.conftest import NAME, NOW, Wall
from tests.witness.logs import Log, body
from tests.witness.test_rules import ask


def test_it_never_goes_back(state: WitnessState, witness: Witness, log: Log) -> None:
    """The file itself refuses a smaller size, an older time, and to forget."""
    ask(witness, log.request(0, 5))
    for statement in ("UPDATE heads SET size = 4", "UPDATE heads SET time = time - 1", "DELETE FROM heads"):
        with pytest.raises(driver().Error, match="never"):
            state.connection.execute(statement)
    assert state.logs()[0].seen.size == 5


def test_what_was_answered_is_kept(folder: Path, state: WitnessState, witness: Witness, log: Log, keys: LogKeys, wall: Wall) -> None:
    """Another process, as after a kill, knows what was answered and refuses to go back behind it."""
    ask(witness, log.request(0, 5))
    with open_state(folder) as again:
        other = Witness(again, NAME, keys, wall.clock())
        assert ask(other, log.request(0, 3)) == (409, b"5\n")
        assert ask(other, log.request(5, 6))[0] == 200
    assert ask(witness, log.request(5, 7)) == (409, b"6\n")


def test_two_processes_do_not_roll_back(folder: Path, state: WitnessState, witness: Witness, log: Log) -> None:
    """A second process that holds the file makes the first wait, and then judge by what it left."""
    ask(witness, log.request(0, 5))
    with open_state(folder) as other, other.transaction():
        state.connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(StoreError):
            witness.add_checkpoints([log.request(5, 9)])
    assert state.logs()[0].seen.size == 5
    assert ask(witness, log.request(5, 9))[0] == 200


def test_what_cannot_be_kept_is_not_answered(state: WitnessState, witness: Witness, log: Log) -> None:
    """A disk that is full when the transaction ends: no cosignature leaves, and the next request finds the old size."""
    ask(witness, log.request(0, 5))
    state.connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError) as caught:
        witness.add_checkpoints([body(5, log.proof(5, size), log.note(size, more="x" * 60_000 + "\n")) for size in (6,)])
    assert caught.value.code == "disk-full"
    state.connection.execute("PRAGMA max_page_count = 1000000")
    assert state.logs()[0].seen.size == 5
    assert ask(witness, log.request(5, 6))[0] == 200


def test_a_copy_is_locked_until_it_sees_its_own_newest(
    folder: Path, state: WitnessState, witness: Witness, log: Log, keys: LogKeys, tmp_path: Path, wall: Wall
) -> None:
    """Restored, a witness cosigns nothing of any log, until the log's checkpoint shows what it had cosigned."""
    ask(witness, log.request(0, 5))
    state.backup(tmp_path / "copy.db")
    ask(witness, log.request(5, 9))
    newest = state.logs()[0].note
    shutil.copytree(folder, tmp_path / "restored", ignore=shutil.ignore_patterns("*.db*"))
    shutil.copy(tmp_path / "copy.db", tmp_path / "restored" / DATABASE)
    with open_state(tmp_path / "restored") as restored:
        other = Witness(restored, NAME, keys, wall.clock())
        assert restored.logs()[0].locked == "copied"
        assert ask(other, log.request(5, 6))[0] == 503
        assert ask(other, log.request(9, 9)) == (409, b"5\n")
        for wrong in (log.note(9), Log(seed=7).note(9), Log("log.example/two").note(9)):
            with pytest.raises((PolicyError, UsageError)):
                other.unlock(log.origin, wrong)
        assert ask(other, log.request(5, 6))[0] == 503
        assert other.unlock(log.origin, newest).size == 9
        assert ask(other, log.request(9, 12))[0] == 200
        assert [what for _, what in restored.words()] == [f"unlocked by a checkpoint of size 9: {log.origin}"]
    with pytest.raises(StoreError):
        state.backup(tmp_path / "copy.db")


def test_an_older_checkpoint_does_not_unlock(state: WitnessState, witness: Witness, log: Log) -> None:
    """A log that shows what the witness had cosigned long ago does not bring it back there."""
    ask(witness, log.request(0, 5))
    old = state.logs()[0].note
    ask(witness, log.request(5, 9))
    state.lock_all("copied")
    with pytest.raises(StoreError) as caught:
        witness.unlock(log.origin, old)
    assert caught.value.code == "witness-older"
    assert ask(witness, log.request(9, 9))[0] == 503
    assert witness.unlock(log.origin, None).size == 9
    assert "word" in state.words()[0][1]
    assert ask(witness, log.request(9, 9))[0] == 200
    with pytest.raises(UsageError):
        witness.unlock("log.example/nobody", None)


def test_a_file_at_another_place_locks_itself(folder: Path, state: WitnessState, witness: Witness, log: Log, tmp_path: Path) -> None:
    """A plain copy of the folder is another machine's, or yesterday's: it is locked, and the one in its place is not."""
    ask(witness, log.request(0, 5))
    shutil.copytree(folder, tmp_path / "copied")
    with open_state(tmp_path / "copied") as copied:
        assert copied.logs()[0].locked == "moved"
    with open_state(tmp_path / "copied") as copied:
        assert copied.logs()[0].locked == "moved"
        copied.unlock(log.origin, NOW, "on the operator's word")
    with open_state(tmp_path / "copied") as copied:
        assert copied.logs()[0].locked == ""
    with open_state(folder) as same:
        assert same.logs()[0].locked == ""


def test_a_log_gets_other_keys(state: WitnessState, witness: Witness, log: Log) -> None:
    """After a rotation the log is the same: what was seen of it stays, and only its keys are others."""
    ask(witness, log.request(0, 5))
    new = Log(seed=3)
    with state.transaction():
        state.add_log(log.origin, [new.key])
    assert ask(witness, log.request(5, 6))[0] == 403
    assert ask(witness, new.request(5, 6))[0] == 200
    for origin in ("", "a\nb", "x" * 256):
        with pytest.raises(UsageError):
            state.add_log(origin, [new.key])


def test_contradictions_do_not_fill_the_disk(state: WitnessState, log: Log) -> None:
    """The first thousand of a log are kept."""
    with state.transaction():
        for n in range(MOST_ODD + 5):
            state.keep_odd(log.origin, NOW, "two-roots", b"", b"%d" % n)
    assert state.logs()[0].odd == MOST_ODD


def test_damage_is_told(folder: Path, tmp_path: Path, keys: LogKeys) -> None:
    """What is no witness, a later version's, or damaged, is refused with its own words."""
    cases = {"not-a-witness": tmp_path / "nowhere", "witness-version": folder, "witness-damaged": tmp_path / "damaged"}
    with connect(folder / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 2")
    create_state(_made(tmp_path / "damaged"))
    with sqlite3.connect(tmp_path / "damaged" / DATABASE) as other:
        other.execute("PRAGMA journal_mode = DELETE")
    data = bytearray((tmp_path / "damaged" / DATABASE).read_bytes())
    data[4096:4200] = b"\xff" * 104
    (tmp_path / "damaged" / DATABASE).write_bytes(data)
    for code, place in cases.items():
        with pytest.raises(StoreError) as caught, open_state(place):
            pass
        assert caught.value.code == code
    for code, call in (("folder-in-use", lambda: create_home(folder, NAME, tmp_path / "w.pem", keys)),
                       ("bad-witness-name", lambda: create_home(tmp_path / "n", "a b", tmp_path / "w.pem", keys))):  # fmt: skip
        with pytest.raises(LedgerError) as refused:
            call()
        assert refused.value.code == code
    (folder / "witness.toml").write_text("name = 3\n")
    with pytest.raises(StoreError) as caught:
        open_home(folder)
    assert caught.value.code == "bad-settings"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
