"""Disks that are really full, read-only or gone: a small tmpfs, and folders that are renamed away under a running site."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from ledger import durable
from ledger.errors import LedgerError, StoreError
from ledger.publisher.backup import back_up, check_backup
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import Submission, sequence_once
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.staging import stage
from ledger.verifier.case import Trusted
from ledger.verifier.verdict import combined_status
from ledger.verifier.verify import verify_file
from tests.faults.kills import wait_until_free
from tests.faults.oracle import Outside, check_everything
from tests.publisher.town import Town, no_passphrase
from tests.web.serving import ROOT, Served, children_of, free_port, kill, serving

MIB = 1 << 20


@contextlib.contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of ``size`` bytes; only root may, and others hear that nothing was tested."""
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NOT TESTED: a file system cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Town]:
    """A town on a file system of 100 MiB."""
    with mounted(tmp_path / "small", 100 * MIB) as folder:
        town = Town(folder)
        town.settle_in()
        yield town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.settle_in()
    return made


def fill(folder: Path, free: int) -> Path:
    """Leave ``free`` bytes on a file system, and return the file that takes the others."""
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        file.truncate(0)
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(folder).free - free))
    return ballast


def waiting(town: Town, act: Submission) -> None:
    """Leave an act in the inbox, as the site does."""
    stage(town.home, dict(act.documents))
    with contextlib.closing(Inbox(town.home)) as inbox:
        inbox.submit([act.envelope])


def until_published(served: Served, act: Submission, seconds: float = 60) -> None:
    """Require that an act is published without anybody's hand."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(urllib3.exceptions.HTTPError, ValueError):
            found = served.get(f"/api/v1/acts/{act.envelope.id}")
            if found.status == 200 and found.json().get("state") == "published":
                return
        time.sleep(0.1)
    raise AssertionError(served.log.read_text()[-3000:])


def until_taken(served: Served, act: Submission, seconds: float = 60) -> None:
    """Require that an act that is sent again is published before long."""
    until = time.monotonic() + seconds
    while (reply := served.submit(act)).status != 201:
        assert time.monotonic() < until, (reply.data, served.log.read_text()[-3000:])
        time.sleep(0.3)


def is_sound(town: Town) -> None:
    """Require the oracle of a town at rest."""
    outside = Outside()
    outside.look(town.home.public)
    check_everything(town.home, outside, states=[town.folder / "audit"])


READ = ("/checkpoint", "/records/2", "/api/v1/records/2", "/roster", "/healthz")


def reads(served: Served, *more: str) -> None:
    """Require that readers are served: files, pages and the API."""
    for path in (*READ, *more):
        assert served.get(path).status == 200, path


def test_a_full_disk_under_a_running_site(small: Town) -> None:
    """At the watermark: refused with a sentence, by HTTP and locally; reading goes on; with room it resumes by itself."""
    outcome = small.published(b"%PDF-1.4 first")
    paper = small.folder / "first.pdf"
    paper.write_bytes(b"%PDF-1.4 first")
    paper.with_name("first.pdf.tlog-proof").write_bytes(outcome.proof or b"")
    with serving(small.home) as served:
        assert served.submit(small.act(b"%PDF-1.4 before")).status == 201
        late, asleep = small.act(b"%PDF-1.4 late"), small.act(b"%PDF-1.4 asleep")
        stage(small.home, dict(asleep.documents))
        ballast = fill(small.folder, 32 * MIB)
        reply = served.submit(late)
        assert (reply.status, reply.json()["error"]) == (503, "disk-full")
        assert "nearly full" in served.http.request("POST", f"{served.url}/api/v1/acts?lang=en").json()["sentence"]
        with pytest.raises(StoreError) as error:
            small.submit(late)
        assert error.value.code == "disk-full"
        waiting(small, asleep)
        reads(served, "/records")
        assert _verdict(small, paper) == 0
        time.sleep(1)
        assert served.get(f"/api/v1/acts/{asleep.envelope.id}").json()["state"] != "published"
        ballast.unlink()
        until_published(served, asleep)
        until_taken(served, late)
        assert served.stop() == 0
    is_sound(small)


def _verdict(town: Town, paper: Path) -> int:
    from ledger.tlog.policy import parse_policy
    from ledger.verifier.client import open_source

    trusted = Trusted(parse_policy((town.home.public / "policy").read_bytes()), town.home.founding)
    return combined_status(verify_file(paper, trusted=trusted, source=open_source(str(town.home.public))))


def test_a_disk_that_fills_in_the_middle_of_publishing(small: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC for real, wherever it strikes: told in our words, and with room again the act is published once."""
    monkeypatch.setattr(durable, "LEAST_FREE", -1)
    codes, ballast = [], small.folder / "ballast"
    for n, kib in enumerate((0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 384)):
        act = small.act(b"%PDF-1.4 " + b"x" * 20_000 + str(n).encode())
        fill(small.folder, kib * 1024)
        try:
            small.submit(act)
        except LedgerError as error:
            codes.append(error.code)
        ballast.unlink()
        assert sequence_once(Home.open(small.home.path), no_passphrase)
        assert small.submit(act)[0].index == 2 + n
        is_sound(small)
    assert codes.count("disk-full") >= 3, codes


def test_the_inbox_and_the_catalogue_on_full_disks_of_their_own(town: Town, tmp_path: Path) -> None:
    """A full inbox refuses what comes; a full catalogue keeps nobody from publishing, and catches up by itself."""
    with mounted(tmp_path / "tiny", 4 * MIB) as tiny:
        for name in ("inbox.db", "search.db"):
            shutil.move(town.home.path / name, tiny / name)
            (town.home.path / name).symlink_to(tiny / name)
        ballast = fill(tiny, 0)
        with pytest.raises(StoreError) as error, contextlib.closing(Inbox(town.home)) as inbox:
            inbox.submit([town.act(b"%PDF-1.4 more").envelope] * 200)
        assert error.value.code in ("disk-full", "database")
        ballast.unlink()
        act = town.act(b"%PDF-1.4 more")
        waiting(town, act)
        assert sequence_once(town.home, no_passphrase)
        with contextlib.closing(Inbox(town.home)):  # keeps its log, so that only the catalogue has no room
            fill(tiny, 16 * 1024)
            town.submit(*[town.act(b"%PDF-1.4 the same", number=f"{n}/2026") for n in range(60)])
        ballast.unlink()
        assert sequence_once(town.home, no_passphrase)
        assert check_home(town.home) == []
        for name in ("inbox.db", "search.db"):
            (town.home.path / name).unlink()
            shutil.move(tiny / name, town.home.path / name)
    is_sound(town)


def test_a_read_only_disk(small: Town) -> None:
    """A site that starts on it shows every act; what is sent is refused in a sentence; writable again, it goes on by itself."""
    assert small.submit(small.act(b"%PDF-1.4 first"))[0].index == 2
    with serving(small.home) as served:
        assert served.submit(small.act(b"%PDF-1.4 before")).status == 201
        kill([served.process.pid, *children_of(served.process.pid).values()])
        served.process.wait()
    wait_until_free(small)
    act = small.act(b"%PDF-1.4 late")
    for left in range(50, -1, -1):  # until the last of the killed has let go of its files
        if not subprocess.run(["mount", "-o", "remount,ro", str(small.folder)], check=not left).returncode:
            break
        time.sleep(0.1)
    try:
        with _web_alone(small) as served:
            reads(served)
            reply = served.submit(act)
            assert (reply.status, reply.json()["error"]) == (503, "cannot-write")
            with pytest.raises(StoreError) as error:
                small.submit(act)
            assert error.value.code == "cannot-write"
            subprocess.run(["mount", "-o", "remount,rw", str(small.folder)], check=True)
            assert served.submit(act).status == 202  # the site takes it up; no sequencer runs
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small.folder)], check=False)
    with serving(small.home) as served:
        until_published(served, act)
        assert served.stop() == 0
    is_sound(small)


@contextlib.contextmanager
def _web_alone(town: Town) -> Iterator[Served]:
    """Run ``bening web`` with its log elsewhere than on the town's own disk."""
    port, log = free_port(), town.folder.parent / "web.log"
    words = [sys.executable, "-m", "cli", "--lang", "en", "web", "-L", str(town.home.path), "--listen", f"127.0.0.1:{port}"]
    with open(log, "wb") as out:
        process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    served = Served(process, f"http://127.0.0.1:{port}", log)
    try:
        for _ in range(200):
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                if served.get("/checkpoint").status == 200:
                    break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield served
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("name", ["public", "staging", "."])
def test_a_folder_that_vanishes_and_comes_back(town: Town, name: str) -> None:
    """Nothing is made in its place, nothing is refused for ever, and when it is back everything goes on by itself."""
    with serving(town.home) as served:
        assert served.submit(town.act(b"%PDF-1.4 before")).status == 201
        inside, asleep = town.act(b"%PDF-1.4 inside"), town.act(b"%PDF-1.4 asleep")
        waiting_before = name != "."
        if waiting_before:
            stage(town.home, dict(asleep.documents))
        place = town.home.path / name if name != "." else town.home.path
        place.rename(town.folder / "away")
        if waiting_before:
            with contextlib.closing(Inbox(town.home)) as inbox:
                inbox.submit([asleep.envelope])
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            reply = served.http.request("GET", served.url + "/about")
            assert reply.status in (200, 503)
        with pytest.raises(LedgerError) as error:
            town.submit(inside, patience=1)
        assert error.value.code in ("folder-missing", "public-missing", "cannot-write", "database", "sequencer-silent")
        time.sleep(1.5)
        assert not place.exists()
        (town.folder / "away").rename(place)
        if waiting_before:
            until_published(served, asleep)
        until_taken(served, inside)
        reads(served, "/records")
        assert served.stop() == 0
    is_sound(town)


def test_a_backup_onto_a_full_disk(town: Town, tmp_path: Path) -> None:
    """It fails with a sentence, the backup before it stays whole, and the next one succeeds."""
    town.published(b"%PDF-1.4 " + b"x" * 100_000)
    with mounted(tmp_path / "small", 100 * MIB) as folder:
        back_up(town.home, folder / "backup")
        ballast = fill(folder, 32 * MIB)
        with pytest.raises(StoreError) as error:
            back_up(town.home, folder / "backup")
        assert error.value.code == "disk-full"
        ballast.unlink()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(durable, "LEAST_FREE", -1)
            town.published(b"%PDF-1.4 " + b"y" * 100_000)
            ballast = fill(folder, 64 * 1024)
            with pytest.raises(StoreError) as error:
                back_up(town.home, folder / "backup")
            assert error.value.code in ("disk-full", "database", "cannot-write")
            ballast.unlink()
        assert check_backup(folder / "backup") == []
        assert back_up(town.home, folder / "backup", check=True)[1] == []
