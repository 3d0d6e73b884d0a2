"""What an operator is told when the machine itself gives way: a sentence and a status, never a stack."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from pathlib import Path

import pytest

import cli
from ledger import durable, sqlite
from ledger.errors import StoreError
from ledger.publisher.handover import sequence_once
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.staging import Upload, clear_uploads, stage, sweep
from ledger.publisher.state import fate_of
from ledger.supervise import Child, end_with, supervise
from tests.publisher.town import Town, no_passphrase
from tests.web.serving import ROOT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "disk-full"),
        (OSError(errno.EIO, "Input/output error", "/x"), "cannot-write"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), "folder-missing"),
        (sqlite.driver().OperationalError("database or disk is full"), "disk-full"),
        (sqlite.driver().OperationalError("disk I/O error"), "database"),
    ],
)
def test_a_foreign_error_becomes_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: str
) -> None:
    """Whatever a disk or a database raises anywhere leaves the command line as ours, status 4."""

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli.bening, "main", failing)
    with pytest.raises(SystemExit) as ended:
        cli.main(["status"])
    assert ended.value.code == 4
    from ledger.commands.common import trouble_of

    known = trouble_of(error)
    assert known is not None
    assert known.code == code
    assert "Traceback" not in capsys.readouterr().err


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program is not taken for one of the disk."""

    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.bening, "main", failing)
    with pytest.raises(ZeroDivisionError):
        cli.main(["status"])


def test_a_failed_rollback_hides_nothing(tmp_path: Path) -> None:
    """SQLite rolls back by itself when a disk is full; what an operator is told is that it is full."""
    connection = sqlite.connect(tmp_path / "x.db")
    full = sqlite.driver().OperationalError("database or disk is full")

    def work() -> None:
        with sqlite.transaction(connection):
            connection.execute("ROLLBACK")  # as SQLite itself does
            raise full

    with pytest.raises(StoreError) as error:
        work()
    assert error.value.code == "disk-full"
    connection.close()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half-written file stays beside its place, and none that stays from a dead process outlives the next start."""

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", failing)
        with pytest.raises(StoreError):
            durable.write_over(tmp_path / "a", b"data")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".8.new").write_bytes(b"half")
    assert durable.clear_unfinished(tmp_path) == 1
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """Below a folder that must be there new ones are made; itself it is not, so that it can come back."""
    durable.write_files([(tmp_path / "a" / "b", b"x")], once=True, within=tmp_path)
    with pytest.raises(StoreError) as error:
        durable.write_files([(tmp_path / "public" / "a" / "b", b"x")], once=True, within=tmp_path / "public")
    assert error.value.code == "folder-missing"
    assert not (tmp_path / "public").exists()


def test_uploads_of_the_living_are_left_alone(tmp_path: Path) -> None:
    """Another process's sweep takes what a dead one has left, and nothing that is just being written."""
    town = Town(tmp_path)
    home = Home.open(town.home.path)
    (home.staging / ".0123").write_bytes(b"of a process that was killed")
    with Upload(home) as upload:
        upload.write(b"half")
        assert clear_uploads(home) == 1
        assert Path(upload.beside).exists()
    assert list(home.staging.iterdir()) == []


def test_a_child_that_cannot_be_started_is_tried_again() -> None:
    """No memory for a process just now ends neither the parent nor the other child."""
    import subprocess
    import sys

    calls, told, stopping = [0], [], threading.Event()

    def start() -> subprocess.Popen[bytes]:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        if calls[0] == 3:
            stopping.set()
        return subprocess.Popen([sys.executable, "-c", "" if calls[0] == 1 else "import time; time.sleep(60)"])

    def tell(name: str, status: int, _: float) -> None:
        told.append((name, status))

    assert supervise([Child("web", start)], stopping, tell=tell) == 0
    assert told == [("web", 0), ("web", errno.ENOMEM)]


def test_trouble_is_not_told_a_hundred_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the home is away the site looks again every second, and does not fill the disk with its log."""
    from web.front import publishing

    def gone(*_: object) -> None:
        raise StoreError("gone", code="folder-missing")

    town = Town(tmp_path)
    monkeypatch.setattr(publishing, "Inbox", gone)
    watching = publishing.Publishing(town.home)
    watching._watched[1] = None  # type: ignore[assignment]
    watching._wake.set()
    time.sleep(0.5)
    watching.close()
    assert capsys.readouterr().err.count("publishing:") == 1


def test_a_document_that_is_needed_again_is_new_to_the_sweep(tmp_path: Path) -> None:
    """One that has waited for days and is staged once more stays until its act is in, whenever the sweep comes."""
    town = Town(tmp_path)
    act = town.act(b"%PDF-1.4 long ago")
    stage(town.home, dict(act.documents))
    place = town.home.staged(next(iter(act.documents)))
    os.utime(place, (1, 1))
    stage(town.home, dict(act.documents))
    assert sweep(town.home, keep=set(), older_than=time.time() - 86400) == 0
    assert place.exists()


def test_a_child_without_its_parent_does_not_begin() -> None:
    """A parent that was gone before the kernel had been asked: the child ends instead of running on with the lock."""
    import subprocess
    import sys

    began = subprocess.run([sys.executable, "-c", "print('runs')"], preexec_fn=end_with(os.getpid()), capture_output=True, check=False)
    assert began.stdout == b"runs\n"
    orphan = subprocess.run([sys.executable, "-c", "print('runs')"], preexec_fn=end_with(1), capture_output=True, check=False)
    assert (orphan.returncode, orphan.stdout) == (1, b"")


def test_the_next_start_removes_what_a_dead_process_left(tmp_path: Path) -> None:
    """Half-written files in ``public/``, where everything is served, and in ``staging/``."""
    town = Town(tmp_path)
    left = [town.home.public / "tile" / "0" / "000.p" / ".9.new", town.home.public / ".checkpoint.new", town.home.staging / ".ab"]
    for path in left:
        path.write_bytes(b"half")
    assert sequence_once(town.home, no_passphrase)
    assert not [path for path in left if path.exists()]


@pytest.mark.parametrize("name", ["staging", "public"])
def test_nothing_is_refused_because_a_folder_is_away(tmp_path: Path, name: str) -> None:
    """An act that waits is judged only where the folder of its document is there; it keeps waiting and is published later."""
    town = Town(tmp_path)
    town.settle_in()
    act = town.act(b"%PDF-1.4 waits")
    stage(town.home, dict(act.documents))
    with contextlib.closing(Inbox(town.home)) as inbox:
        inbox.submit([act.envelope])
    place = town.home.path / name
    place.rename(tmp_path / "away")
    with pytest.raises(StoreError) as error:
        sequence_once(town.home, no_passphrase)
    assert error.value.code in ("folder-missing", "public-missing")
    assert not place.exists()
    (tmp_path / "away").rename(place)
    assert sequence_once(town.home, no_passphrase)
    assert fate_of(town.home, act.envelope.id).state == "published"


def test_a_parent_that_dies_while_its_child_becomes_another_program() -> None:
    """The kernel's signal comes before the child's own program has begun: its parent's handler must not swallow it."""
    import signal
    import subprocess
    import sys

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    ask = end_with(os.getpid())

    def begin() -> None:
        ask()
        os.kill(os.getpid(), signal.SIGTERM)  # as the kernel does when the parent is killed just now

    try:
        done = subprocess.run([sys.executable, "-c", "print('runs')"], preexec_fn=begin, capture_output=True, check=False)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")


def test_a_signal_in_the_midst_of_a_wait_is_not_a_deadlock() -> None:
    """Asked to end at any instruction, a process ends: ten thousand signals while it does nothing but wait."""
    import subprocess
    import sys

    program = """
import os, signal, threading, time
from ledger.supervise import Stop
pid = os.getpid()
def ask():
    for _ in range(10_000):
        os.kill(pid, signal.SIGTERM)
stop, until = Stop(), time.monotonic() + 2
threading.Thread(target=ask, daemon=True).start()
while time.monotonic() < until:
    stop._asked = False
    stop.wait(0.0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ended")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30, check=False)
    assert done.stdout == b"ended\n"
