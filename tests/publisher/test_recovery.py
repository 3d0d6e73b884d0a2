"""Nothing lost: interrupted at any write, rolled back, restored, out of space."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ledger.sqlite
from ledger import durable
from ledger.errors import LedgerError, StoreError
from ledger.publisher import staging
from ledger.publisher.backup import back_up, check_backup, restore
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import sequence_once
from ledger.publisher.home import Home
from ledger.publisher.rebuild import rebuild
from ledger.publisher.recover import Mirror, accept_loss, recover
from ledger.publisher.store import Store
from ledger.tlog.tiles import bundle_tiles, parse_bundle
from tests.publisher.town import Town, codes, no_passphrase, reopened


class Fault(OSError):
    """A disk that fails."""


def failing(real: Callable[..., object], at: int, *, after: bool) -> Callable[..., object]:
    """Return ``real`` failing at its ``at``-th call, before it does anything or after it has done it."""
    calls = [0]

    def wrapped(*args: object, **kwargs: object) -> object:
        calls[0] += 1
        if calls[0] == at and not after:
            raise Fault(5, "fault before")
        result = real(*args, **kwargs)
        if calls[0] == at:
            raise Fault(5, "fault after")
        return result

    return wrapped


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 12))
def test_a_rename_that_fails_anywhere_is_recovered(town: Town, monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> None:
    """Each rename of a publication fails, before or after it is done; the next start finishes the act, once."""
    act = town.act(b"fault")
    with monkeypatch.context() as patch:
        wrapped = failing(os.replace, at, after=after)
        patch.setattr(durable.os, "replace", wrapped)
        try:
            town.submit(act)
        except (LedgerError, OSError):
            pass
    home = reopened(town)
    assert sequence_once(home, no_passphrase)
    outcome = town.submit(act)[0]
    assert outcome.index == 2
    assert outcome.proof
    assert check_home(home) == []


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_commit_that_fails_anywhere_is_recovered(town: Town, monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> None:
    """Each database transaction fails, before or after it is durable; nothing is doubled and nothing is lost."""
    act = town.act(b"fault")
    real = ledger.sqlite.transaction
    calls = [0]

    def wrapped(connection: object) -> object:
        calls[0] += 1
        if calls[0] == at and not after:
            raise StoreError("fault before")
        return _Failing(real(connection)) if calls[0] == at else real(connection)

    with monkeypatch.context() as patch:
        for module in ("sequencer", "inbox", "signing", "outbox"):
            patch.setattr(f"ledger.publisher.{module}.transaction", wrapped)
        try:
            town.submit(act)
        except LedgerError:
            pass
    assert town.submit(act)[0].index == 2
    assert check_home(town.home) == []


class _Failing:
    """A transaction that commits and then reports a fault."""

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def __enter__(self) -> object:
        return self.inner.__enter__()  # type: ignore[attr-defined]

    def __exit__(self, *args: object) -> None:
        self.inner.__exit__(*args)  # type: ignore[attr-defined]
        raise StoreError("fault after")


_KILLED = """
import os, signal, sys, threading
from pathlib import Path
from tests.publisher.town import no_passphrase
from ledger.publisher.home import Home
from ledger.publisher.handover import sequence_once
import random
threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
while True:
    sequence_once(Home.open(Path(sys.argv[1])), no_passphrase)
"""


@pytest.mark.parametrize("delay", [0.005, 0.02, 0.05, 0.1, 0.2])
def test_kill_nine_loses_nothing(town: Town, delay: float) -> None:
    """A sequencer killed in the middle of 60 acts; the next one publishes each exactly once."""
    from ledger.publisher.inbox import Inbox
    from ledger.publisher.staging import stage

    acts = [town.act(b"%d" % n) for n in range(60)]
    stage(town.home, {sha256: path for act in acts for sha256, path in act.documents.items()})
    inbox = Inbox(town.home)
    inbox.submit([act.envelope for act in acts])
    inbox.close()
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", _KILLED, str(town.home.path), str(delay)], cwd=root, check=False, timeout=60)
    outcomes = town.submit(*acts)
    assert sorted(one.index for one in outcomes if one.index is not None) == list(range(2, 62))
    assert check_home(town.home) == []


def test_flipped_bits_are_not_signed(town: Town) -> None:
    """A bit that flips in a stored entry before it is signed stops the signing, and says so."""
    act = town.act(b"bit")
    from ledger.index.examined import examine
    from ledger.publisher.sequencer import Sequencer
    from ledger.publisher.signing import open_log_keys

    sequencer = Sequencer(town.home, open_log_keys(town.home, no_passphrase))
    staging.stage(town.home, dict(act.documents))
    sequencer.inbox.submit([act.envelope])
    sequencer._commit(iter([examine(one.envelope, {}) for one in sequencer.inbox.pending(10)]))
    connection = sequencer.store.connection
    connection.execute("DROP TRIGGER entries_no_update")
    connection.execute("UPDATE entries SET data = CAST(replace(CAST(data AS TEXT), 'Z', 'Y') AS BLOB) WHERE idx = 2")
    sequencer.close()
    with pytest.raises(StoreError) as error:
        sequence_once(town.home, no_passphrase)
    assert error.value.code == "root-differs"


def test_a_full_disk_refuses_and_loses_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the watermark nothing is taken; with room again, the same act is published."""
    act = town.act(b"full")
    with monkeypatch.context() as patch:
        patch.setattr(durable.shutil, "disk_usage", lambda path: os.statvfs_result and type("U", (), {"free": 1000})())
        with pytest.raises(StoreError) as error:
            town.submit(act)
        assert error.value.code == "disk-full"
    assert town.submit(act)[0].index == 2


def test_no_space_left_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC on writing is the disk-full error, not a foreign exception."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(durable.os, "replace", full)
    with pytest.raises(StoreError) as error:
        durable.write_over(tmp_path / "x", b"data")
    assert error.value.code == "disk-full"


def test_a_file_of_the_log_never_changes(tmp_path: Path) -> None:
    """write_once accepts the same bytes again and refuses others."""
    path = tmp_path / "a" / "tile"
    durable.write_once(path, b"one")
    durable.write_once(path, b"one")
    with pytest.raises(StoreError) as error:
        durable.write_once(path, b"two")
    assert error.value.code == "file-differs"
    assert path.read_bytes() == b"one"


def test_an_old_database_beside_a_newer_public_folder_stops(town: Town, tmp_path: Path) -> None:
    """Rolled back: the public folder shows more than the store; nothing is signed until recover."""
    shutil.copytree(town.home.path, tmp_path / "old")
    town.published(b"after the copy")
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (town.home.path / name).unlink(missing_ok=True)
        if (tmp_path / "old" / name).exists():
            shutil.copy(tmp_path / "old" / name, town.home.path / name)
    with pytest.raises(StoreError) as error:
        town.submit(town.act(b"fork"))
    assert error.value.code == "rolled-back"


def mirror_of(public: Path, scratch: Path) -> Mirror:
    """Read a public folder's entries, unproven, as recover's caller does after proving them."""

    def entries(start: int, end: int) -> list[bytes]:
        found: list[bytes] = []
        for tile in bundle_tiles(0, end):
            found += parse_bundle((public / tile.path).read_bytes(), tile.width)
        return found[start:end]

    def document(sha256: str, size: int) -> Path:
        return Path(shutil.copy(public / "documents" / sha256[:2] / sha256, scratch / sha256))

    return Mirror((public / "checkpoint").read_bytes(), entries, document)


def test_restore_and_recover_bring_back_every_act(town: Town, tmp_path: Path) -> None:
    """A backup, three more acts, a lost machine: the restored home signs nothing until the mirror's tail is back."""
    town.published(b"one")
    assert back_up(town.home, tmp_path / "backup") == (3, [])
    assert check_backup(tmp_path / "backup") == []
    later = [town.published(b"later %d" % n) for n in range(3)]
    shutil.copytree(town.home.public, tmp_path / "mirror")
    town.home = restore(tmp_path / "backup", tmp_path / "again")
    with pytest.raises(StoreError) as error:
        town.submit(town.act(b"too early"))
    assert error.value.code == "restored"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert recover(town.home, mirror_of(tmp_path / "mirror", scratch)) == 3
    assert check_home(town.home) == []
    assert (town.home.public / "checkpoint").read_bytes() == (tmp_path / "mirror" / "checkpoint").read_bytes()
    assert town.submit(town.act(b"goes on"))[0].index == 7, "the act that came too early waited in the inbox and is entry 6"
    with Store(town.home, read_only=True) as store:
        assert [store.index.by_ref(one.ref or "").index for one in later] == [3, 4, 5]  # type: ignore[union-attr]
    assert check_home(town.home) == []


def test_recover_refuses_another_history(town: Town, tmp_path: Path) -> None:
    """A mirror whose tail does not continue this store is refused, and the mark stays."""
    back_up(town.home, tmp_path / "backup")
    town.published(b"true")
    shutil.copytree(town.home.public, tmp_path / "mirror")
    town.home = restore(tmp_path / "backup", tmp_path / "again")
    accept_loss(town.home, "2026-11-23T00:00:00Z")
    town.published(b"other")
    (town.home.path / "RESTORED").write_text("again")
    with pytest.raises(LedgerError) as error:
        recover(town.home, mirror_of(tmp_path / "mirror", tmp_path))
    assert error.value.code == "forked"
    assert town.home.restore_mark.exists()


def test_accepting_a_loss_is_kept_for_ever(town: Town, tmp_path: Path) -> None:
    """Without a mirror an operator may go on; the store says so."""
    back_up(town.home, tmp_path / "backup")
    town.home = restore(tmp_path / "backup", tmp_path / "again")
    accept_loss(town.home, "2026-11-23T00:00:00Z")
    assert town.submit(town.act(b"on"))[0].index == 2
    with Store(town.home, read_only=True) as store:
        assert store.notes() == [("2026-11-23T00:00:00Z", "restored without a mirror", "at size 2")]


def test_rebuild_makes_the_same_files(town: Town) -> None:
    """Without tiles and look-ups, rebuild writes them again byte by byte, and fsck agrees."""
    for n in range(5):
        town.published(b"%d" % n)
    before = {path: path.read_bytes() for path in (town.home.public / "lookup").rglob("*") if path.is_file()}
    shutil.rmtree(town.home.public / "lookup")
    shutil.rmtree(town.home.public / "tile")
    assert {one.code for one in check_home(town.home)} >= {"file-missing"}
    assert rebuild(town.home) == 7
    assert {path: path.read_bytes() for path in before} == before
    assert check_home(town.home) == []


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tile/0/000.p/3", "file-differs"),
        ("tile/entries/000.p/3", "file-differs"),
        ("roster.jsonl", "file-differs"),
        ("policy", "file-differs"),
        ("documents", "document-differs"),
        ("lookup/ref", "file-differs"),
    ],
)
def test_fsck_finds_a_flipped_bit(town: Town, name: str, code: str) -> None:
    """One bit in any file of the public folder is a fault with its own code."""
    town.published(b"%PDF-1.4 bit")
    path = town.home.public / name
    while path.is_dir():
        path = sorted(path.iterdir())[0]
    _flip(path)
    assert code in {one.code for one in check_home(town.home)}


def test_a_home_that_is_not_ours(town: Town, tmp_path: Path) -> None:
    """No bening.toml, a broken one, a newer one, and one that names another founding are told apart."""
    found = {}
    for name, text in {
        "none": None,
        "broken": "format = [",
        "newer": 'format = 9\norigin = "x"\nfounding = "y"\n[log]\nkeys = []',
        "other": (town.home.path / "bening.toml").read_text().replace(town.home.founding, "0" * 64),
    }.items():
        path = tmp_path / name
        shutil.copytree(town.home.path, path)
        (path / "bening.toml").unlink()
        if text is not None:
            (path / "bening.toml").write_text(text)
        with pytest.raises(StoreError) as error:
            Store(Home.open(path)).close()
        found[name] = error.value.code
    assert found == {"none": "not-a-home", "broken": "bad-settings", "newer": "store-version", "other": "not-our-home"}


def test_a_newer_database_is_not_touched(town: Town) -> None:
    """A database of a later version is refused before anything is written."""
    with Store(town.home) as store:
        store.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError) as error:
        town.submit(town.act(b"x"))
    assert error.value.code == "store-version"


def test_staging_is_swept(town: Town) -> None:
    """What was refused or abandoned a day ago goes; what still waits stays."""
    refused = town.act(b"refused", office="nowhere")
    assert codes(town.submit(refused)[0])
    staged = next(iter(refused.documents))
    assert town.home.staged(staged).exists()
    old = time.time() - 2 * 86400
    os.utime(town.home.staged(staged), (old, old))
    assert sequence_once(town.home, no_passphrase)
    assert not town.home.staged(staged).exists()


def _damage_entry(town: Town, index: int) -> None:
    """Flip a byte of a stored entry, as a failing disk would."""
    with Store(town.home) as store:
        store.connection.execute("DROP TRIGGER entries_no_update")
        data = bytearray(store.entry(index))
        data[40] ^= 1
        store.connection.execute("UPDATE entries SET data = ? WHERE idx = ?", (bytes(data), index))


def test_a_damaged_roster_entry_is_named(town: Town) -> None:
    """fsck lists the entry and goes on; whoever needs the roster is told which entry it is."""
    _damage_entry(town, 1)
    found = check_home(town.home)
    assert {one.code for one in found if one.values.get("index") == 1} >= {"leaf"}
    with pytest.raises(StoreError) as error:
        town.submit(town.act(b"x"))
    assert (error.value.code, error.value.values["index"]) == ("entry-damaged", 1)


def test_fsck_reads_older_partial_tiles_too(town: Town) -> None:
    """A flipped bit in a partial tile or bundle of an earlier checkpoint is found."""
    town.published(b"one")
    town.published(b"two")
    for name in ("tile/0/000.p/2", "tile/entries/000.p/3"):
        path = town.home.public / name
        good = path.read_bytes()
        _flip(path)
        assert [one.code for one in check_home(town.home)] == ["file-differs"]
        path.write_bytes(good)
    assert check_home(town.home) == []


def test_what_waits_is_told(town: Town, tmp_path: Path) -> None:
    """An act that was submitted and not yet published is named in the error, in both languages, and not lost."""
    from ledger.words import explain

    back_up(town.home, tmp_path / "backup")
    town.home = restore(tmp_path / "backup", tmp_path / "again")
    act = town.act(b"early")
    with pytest.raises(StoreError) as error:
        town.submit(act)
    for lang in ("id", "en"):
        assert act.envelope.id[:16] in explain(error.value, lang)
    accept_loss(town.home, "2026-11-23T00:00:00Z")
    assert sequence_once(town.home, no_passphrase)
    assert town.submit(act)[0].already


def test_a_lost_public_folder_stops_until_a_mirror_is_shown(town: Town, tmp_path: Path) -> None:
    """An old database without public/ could fork the ledger; rebuild marks it, and only recover lifts the mark."""
    shutil.copytree(town.home.public, tmp_path / "mirror")
    shutil.rmtree(town.home.public)
    with pytest.raises(StoreError) as error:
        town.submit(town.act(b"fork"))
    assert error.value.code == "public-missing"
    rebuild(town.home)
    with pytest.raises(StoreError) as error:
        sequence_once(town.home, no_passphrase)
    assert error.value.code == "restored"
    assert recover(town.home, mirror_of(tmp_path / "mirror", tmp_path)) == 0
    assert sequence_once(town.home, no_passphrase)
    assert check_home(town.home) == []


def test_a_mirror_older_than_the_backup_lifts_no_mark(town: Town, tmp_path: Path) -> None:
    """A copy from before the backup says nothing about what came after it; going on by it could fork the ledger."""
    shutil.copytree(town.home.public, tmp_path / "mirror")
    town.published(b"in the backup")
    back_up(town.home, tmp_path / "backup")
    town.published(b"after the backup")
    town.home = restore(tmp_path / "backup", tmp_path / "again")
    with pytest.raises(StoreError) as error:
        recover(town.home, mirror_of(tmp_path / "mirror", tmp_path))
    assert error.value.code == "mirror-older"
    assert town.home.restore_mark.exists()
