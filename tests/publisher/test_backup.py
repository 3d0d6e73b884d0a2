"""Backups: whole or not there, never a key, damage named, and whatever ends one half-way costs nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ledger.errors import StoreError
from ledger.publisher import snapshot
from ledger.publisher.backup import back_up, check_backup, restore
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import sequence_once
from ledger.publisher.inbox import Inbox
from ledger.publisher.store import Store
from tests.publisher.town import Town, no_passphrase


def newest(backup: Path) -> Path:
    return snapshot.find(backup)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def damage_entry(town: Town, index: int) -> None:
    """Flip a byte of a stored entry, as a failing disk would."""
    with Store(town.home) as store:
        store.connection.execute("DROP TRIGGER entries_no_update")
        data = bytearray(store.entry(index))
        data[40] ^= 1
        store.connection.execute("UPDATE entries SET data = ? WHERE idx = ?", (bytes(data), index))


def test_a_backup_holds_no_key_and_grows(town: Town, tmp_path: Path) -> None:
    """No private key is in any file of it; a second run adds what is new, and copies no document again."""
    town.published(b"%PDF one")
    assert back_up(town.home, tmp_path / "bk") == (3, [])
    first = next((tmp_path / "bk" / "documents").glob("??/*")).stat().st_mtime_ns
    town.published(b"%PDF two")
    assert back_up(town.home, tmp_path / "bk") == (4, [])
    documents = sorted((tmp_path / "bk" / "documents").glob("??/*"))
    assert len(documents) == 2
    assert first in {one.stat().st_mtime_ns for one in documents}
    assert all(b"PRIVATE KEY" not in path.read_bytes() for path in (tmp_path / "bk").rglob("*") if path.is_file())
    assert check_backup(tmp_path / "bk") == []


def test_settings_that_hold_a_key_are_not_copied(town: Town, tmp_path: Path) -> None:
    """Whoever has put a key into bening.toml is told; it does not travel."""
    settings = town.home.path / "bening.toml"
    settings.write_text(settings.read_text() + "# -----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(StoreError) as error:
        back_up(town.home, tmp_path / "bk")
    assert error.value.code == "key-in-settings"
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in (tmp_path / "bk").rglob("*") if path.is_file())


def test_the_manifest_is_what_sha256sum_reads(town: Town, tmp_path: Path) -> None:
    """Every file of the snapshot and every document stands in it, as coreutils check it."""
    town.published(b"%PDF one")
    back_up(town.home, tmp_path / "bk")
    folder = newest(tmp_path / "bk")
    lines = (folder / "manifest-sha256.txt").read_text()
    (tmp_path / "shown").write_text(lines.replace("  ", f"  {folder}/").replace(f"{folder}/documents", f"{tmp_path}/bk/documents"))
    subprocess.run(["sha256sum", "--quiet", "-c", str(tmp_path / "shown")], check=True)
    named = {line.split("  ")[1] for line in lines.splitlines()}
    there = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()} - {"manifest-sha256.txt", "snapshot.json"}
    there |= {str(one.relative_to(tmp_path / "bk")) for one in (tmp_path / "bk" / "documents").glob("??/*")}
    assert named == there


def test_what_waits_is_kept(town: Town, tmp_path: Path) -> None:
    """A submission that nobody has taken up yet, with its document, is in the backup, and published after a restore."""
    act = town.act(b"%PDF waits")
    from ledger.publisher.staging import stage

    stage(town.home, dict(act.documents))
    inbox = Inbox(town.home)
    inbox.submit([act.envelope])
    inbox.close()
    assert back_up(town.home, tmp_path / "bk", check=True) == (2, [])
    town.home = restore(tmp_path / "bk", tmp_path / "again")
    town.home.restore_mark.unlink()
    assert sequence_once(town.home, no_passphrase)
    assert town.submit(act)[0].index == 2
    assert check_home(town.home) == []


def test_a_restored_database_is_in_wal_mode_again(town: Town, tmp_path: Path) -> None:
    """The copies are single files; in a home readers must not hold up the sequencer."""
    back_up(town.home, tmp_path / "bk")
    assert {one.name for one in newest(tmp_path / "bk").glob("*.db*")} == {"inbox.db", "ledger.db"}
    home = restore(tmp_path / "bk", tmp_path / "again")
    for name in ("ledger.db", "inbox.db"):
        mode = sqlite3.connect(f"file:{home.path / name}?mode=ro", uri=True)
        assert mode.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        mode.close()


def test_a_backup_ends_while_somebody_writes(town: Town, tmp_path: Path) -> None:
    """Acts are published all the time; each backup is one moment's, and sound."""
    stopping, counts = threading.Event(), [0]

    def write() -> None:
        while not stopping.is_set():
            town.published(b"%%PDF %d" % counts[0])
            counts[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for _ in range(4):
            size, faults = back_up(town.home, tmp_path / "bk", check=True)
            assert faults == []
            sizes.append(size)
    finally:
        stopping.set()
        writer.join()
    assert counts[0] > 2
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", ["ledger.db", "inbox.db", "bening.toml", "manifest-sha256.txt", "snapshot.json", "document"])
def test_restore_names_the_damaged_file(town: Town, tmp_path: Path, name: str) -> None:
    """One changed bit in any file of a backup: nothing is restored, and the file is named."""
    town.published(b"%PDF whole")
    back_up(town.home, tmp_path / "bk")
    path = newest(tmp_path / "bk") / name if name != "document" else next((tmp_path / "bk" / "documents").glob("??/*"))
    if name == "snapshot.json":
        path.write_text(path.read_text()[:-9])
    else:
        damage(path)
    with pytest.raises(StoreError) as error:
        restore(tmp_path / "bk", tmp_path / "again")
    assert (error.value.code, error.value.values["path"]) == ("backup-file", str(path))
    assert not (tmp_path / "again").exists()


def test_a_restore_that_fails_leaves_nothing_and_can_be_repeated(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stops it: no half of a home stays in the way of the next try, and the error is one of ours."""
    from ledger.publisher import restore as restoring

    town.published(b"%PDF whole")
    back_up(town.home, tmp_path / "bk")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x")

    for part in ("_copy", "migrate", "rebuild_files"):
        with monkeypatch.context() as patch:
            patch.setattr(restoring, part, full)
            with pytest.raises(StoreError) as error:
                restore(tmp_path / "bk", tmp_path / "again")
        assert error.value.code == "disk-full"
        assert not (tmp_path / "again").exists(), part
    assert check_home(restore(tmp_path / "bk", tmp_path / "again")) == []


def test_a_lost_document_of_the_backup_is_named_and_mended(town: Town, tmp_path: Path) -> None:
    """Restoring says which is gone; the next --check copies it again from the ledger."""
    town.published(b"%PDF whole")
    back_up(town.home, tmp_path / "bk")
    lost = next((tmp_path / "bk" / "documents").glob("??/*"))
    damage(lost)
    assert [one.code for one in check_backup(tmp_path / "bk")] == ["backup-file"]
    lost.unlink()
    with pytest.raises(StoreError) as error:
        restore(tmp_path / "bk", tmp_path / "again")
    assert error.value.values["path"] == str(lost)
    assert back_up(town.home, tmp_path / "bk", check=True) == (3, [])
    assert check_backup(tmp_path / "bk") == []


@pytest.mark.parametrize("check", [False, True])
def test_a_damaged_source_does_not_replace_the_last_backup(town: Town, tmp_path: Path, check: bool) -> None:
    """A nightly backup of a damaged database fails, says so, and leaves the sound one as it was."""
    back_up(town.home, tmp_path / "bk", check=True)
    kept = {path: path.read_bytes() for path in newest(tmp_path / "bk").rglob("*") if path.is_file()}
    damage_entry(town, 1)
    with pytest.raises(StoreError) as error:
        back_up(town.home, tmp_path / "bk", check=check)
    assert error.value.code in ("backup-damaged", "entry-damaged")
    assert {path: path.read_bytes() for path in newest(tmp_path / "bk").rglob("*") if path.is_file()} == kept
    assert check_backup(tmp_path / "bk") == []


def test_a_public_file_that_is_not_what_it_must_be_stops_the_check(town: Town, tmp_path: Path) -> None:
    """--check holds the restored files against the live ones; the copy is dropped and the last one stays."""
    town.published(b"%PDF one")
    back_up(town.home, tmp_path / "bk", check=True)
    town.published(b"%PDF two")
    damage(town.home.public / "tile" / "entries" / "000.p" / "4")
    size, faults = back_up(town.home, tmp_path / "bk", check=True)
    assert (size, [one.code for one in faults]) == (4, ["differs-from-live"])
    assert snapshot.Snapshot.load(newest(tmp_path / "bk")).size == 3


def test_a_document_that_is_lost_is_a_fault_but_no_reason_to_keep_nothing(town: Town, tmp_path: Path) -> None:
    """The newest entries are worth a snapshot although one document of theirs is gone; the fault is told each time."""
    town.published(b"%PDF lost")
    next((town.home.public / "documents").glob("??/*")).unlink()
    size, faults = back_up(town.home, tmp_path / "bk")
    assert (size, [one.code for one in faults]) == (3, ["document-missing"])
    assert snapshot.Snapshot.load(newest(tmp_path / "bk")).size == 3


def test_a_backup_of_another_ledger_is_not_overwritten(town: Town, tmp_path: Path) -> None:
    """A target that holds another founding's backup is refused."""
    (tmp_path / "other").mkdir()
    back_up(Town(tmp_path / "other").home, tmp_path / "bk")
    with pytest.raises(StoreError) as error:
        back_up(town.home, tmp_path / "bk")
    assert error.value.code == "not-our-home"


def test_two_backups_at_once_are_refused(town: Town, tmp_path: Path) -> None:
    """The night's run that has not ended keeps today's from writing into it."""
    import fcntl

    back_up(town.home, tmp_path / "bk")
    with open(tmp_path / "bk" / ".lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError) as error:
            back_up(town.home, tmp_path / "bk")
    assert error.value.code == "backup-running"


def test_what_was_withdrawn_goes_and_older_snapshots_still_restore(town: Town, tmp_path: Path) -> None:
    """The bytes leave the backup; the snapshot before, which names them, is not called damaged for it."""
    town.published(b"%PDF secret")
    back_up(town.home, tmp_path / "bk")
    sha256 = next((tmp_path / "bk" / "documents").glob("??/*")).name
    town.roster({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "pribadi"})
    assert back_up(town.home, tmp_path / "bk", check=True) == (4, [])
    assert not list((tmp_path / "bk" / "documents").glob("??/*"))
    older = restore(tmp_path / "bk", tmp_path / "older", name="00000001")
    assert [one.code for one in check_home(older)] == ["document-missing"]
    assert check_home(restore(tmp_path / "bk", tmp_path / "newer")) == []


def test_only_two_snapshots_stay(town: Town, tmp_path: Path) -> None:
    """A third one takes the place of the first."""
    for _ in range(4):
        back_up(town.home, tmp_path / "bk")
    assert snapshot.names(tmp_path / "bk") == ["00000003", "00000004"]


_WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree", "sqlite3.connect"}


def killed_at(town: Town, target: Path, step: int) -> bool:
    """Run a backup in a child that is gone at its ``step``-th call of the file system; tell whether it came so far."""
    child = os.fork()
    if child == 0:
        count = [0]

        def count_down(event: str, args: tuple[object, ...]) -> None:
            if event in _WATCHED and (str(town.folder) in str(args) or str(target) in str(args)):
                count[0] += 1
                if count[0] == step:
                    os._exit(9)

        sys.addaudithook(count_down)
        try:
            back_up(town.home, target, check=True)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_backup_killed_at_any_step_leaves_a_sound_one(town: Town, tmp_path: Path) -> None:
    """Whatever call of the file system it dies at: the last good snapshot or the new one is there, whole; the next run tidies up."""
    town.published(b"%PDF one")
    back_up(town.home, tmp_path / "bk")
    town.published(b"%PDF two")
    shutil.copytree(tmp_path / "bk", tmp_path / "before")
    step, sizes = 1, set()
    while killed_at(town, tmp_path / "bk", step):
        assert check_backup(tmp_path / "bk") == [], step
        sizes.add(snapshot.Snapshot.load(newest(tmp_path / "bk")).size)
        if step % 10 == 0:
            assert back_up(town.home, tmp_path / "bk", check=True) == (4, []), step
            left = [str(one) for one in (tmp_path / "bk").rglob(".*") if one.name != ".lock"]
            assert left == [], step
            shutil.rmtree(tmp_path / "bk")
            shutil.copytree(tmp_path / "before", tmp_path / "bk")
        step += 3
    assert step > 100
    assert sizes == {3, 4}
