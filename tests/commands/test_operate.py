"""Founding, roster, and the operator's commands, as they are typed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands.bening import SECRET, Bening


def test_found_enrol_and_look(bening: Bening) -> None:
    """From nothing to a sound ledger with an enrolled official, and what the commands say about it."""
    bening.found()
    bening.enrol_head()
    roster = bening.json("roster", "list", "-L", "city")
    assert [one["id"] for one in roster["offices"]] == ["hukum"]
    assert roster["keys"][0]["position"] == "Kepala Bagian Hukum"
    assert "may sign" in bening("roster", "list", "-L", "city")
    status = bening.json("status", "-L", "city")
    assert (status["size"], status["waiting"], status["restored"]) == (4, 0, False)
    assert bening.json("fsck", "-L", "city")["faults"] == []


def test_founding_with_keys_apart(bening: Bening) -> None:
    """A draft travels from holder to holder; the ledger is founded only when every one has signed."""
    for key in ("a.pem", "b.pem"):
        bening("key", "new", key)
    drafted = bening.json(
        "init", "city", "--draft", "F.json", "--origin", "x.test/y", "--name", "Y",
        "--authority", "a.pem.pub", "--authority", "b.pem.pub", "--threshold", 2,
    )  # fmt: skip
    assert not Path("city").exists()
    bening("init", "city", "--from", "F.json", status=4)
    bening("sign", "F.json", "--key", "a.pem", "--yes")
    assert "no-proof" in str(bening.json("init", "city", "--from", "F.json", status=4)["reasons"])
    bening("sign", "F.json", "--key", "b.pem", "--yes")
    founded = bening.json("init", "city", "--from", "F.json")
    assert founded["founding"] == drafted["founding"]
    assert bening.json("fsck", "-L", "city")["faults"] == []


def test_a_roster_event_with_keys_apart(bening: Bening) -> None:
    """Without enough keys the event is written; the others sign and submit it."""
    bening.found(authorities=3, threshold=2)
    bening("roster", "office", "tani", "--name", "Dinas Pertanian", "-L", "city", "--key", "a0.pem", "-o", "E.json")
    bening("submit", "E.json", "-L", "city", status=4)
    bening("sign", "E.json", "--key", "a2.pem", "--yes")
    bening("submit", "E.json", "-L", "city")
    assert [one["id"] for one in bening.json("roster", "list", "-L", "city")["offices"]] == ["tani"]


def test_backup_restore_recover(bening: Bening) -> None:
    """A lost machine: the backup is old, the mirror brings the rest, and both languages say what to do."""
    bening.found()
    assert "restored on trial" in bening("backup", "bk", "-L", "city", "--check")
    bening.enrol_head()
    shutil.move("city/public", "mirror")
    shutil.rmtree("city")
    bening("restore", "bk", "city")
    assert "bening recover" in bening("--lang", "id", "sequence", "--once", "-L", "city", status=4)
    assert bening.json("recover", "-L", "city", "--from", "mirror")["came_back"] == 3
    assert bening.json("fsck", "-L", "city")["faults"] == []
    assert bening.json("status", "-L", "city")["restored"] is False


def test_recover_without_a_mirror_is_kept(bening: Bening) -> None:
    """--accept-loss is shown for ever."""
    bening.found()
    bening("backup", "bk", "-L", "city")
    bening("restore", "bk", "again")
    bening("recover", "-L", "again", status=2)
    bening("recover", "-L", "again", "--accept-loss")
    assert "without a mirror" in str(bening.json("status", "-L", "again")["notes"])


def test_fsck_finds_and_rebuild_mends(bening: Bening) -> None:
    """A damaged tile is found (exit 1) and made again."""
    bening.found()
    tile = Path("city/public/tile/0/000.p/1")
    tile.write_bytes(bytes(32))
    assert "bening rebuild" in bening("fsck", "-L", "city", status=1)
    bening("rebuild", "-L", "city")
    assert "Sound" in bening("fsck", "-L", "city")


@pytest.mark.parametrize("lang", ["id", "en"])
def test_wrong_passphrases_and_files_are_told_apart(bening: Bening, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """Wrong passphrase, none, a public key for a private one, and a missing file: one sentence each, exit 4."""
    bening.found()
    said = set()
    monkeypatch.setenv("BENING_PASSPHRASE", "wrong")
    said.add(bening("--lang", lang, "key", "show", "a0.pem", status=4))
    monkeypatch.delenv("BENING_PASSPHRASE")
    said.add(bening("--lang", lang, "roster", "office", "x", "--name", "X", "-L", "city", "--key", "a0.pem", status=4))
    monkeypatch.setenv("BENING_PASSPHRASE", SECRET)
    said.add(bening("--lang", lang, "roster", "office", "x", "--name", "X", "-L", "city", "--key", "a0.pem.pub", status=4))
    said.add(bening("--lang", lang, "roster", "office", "x", "--name", "X", "-L", "city", "--key", "none.pem", status=4))
    said.add(bening("--lang", lang, "key", "new", "a0.pem", status=4))
    assert len(said) == 5
    assert not any("error." in one or "Traceback" in one for one in said)


def test_no_ledger_named(bening: Bening) -> None:
    """Nothing named, a name unknown, a folder that is no ledger, a URL where a home is needed, and one where nobody answers."""
    Path("empty").mkdir()
    bening("status", status=2)
    bening("status", "-L", "nowhere", status=2)
    assert "bening.toml" in bening("status", "-L", "empty", status=4)
    bening("fsck", "-L", "http://127.0.0.1:9/", status=2)
    assert "127.0.0.1:9" in bening("status", "-L", "http://127.0.0.1:9/", status=3)


def test_the_sequencer_is_a_process_of_its_own(bening: Bening) -> None:
    """It runs, publishes what others submit, holds the lock, and stops on SIGTERM with status 0."""
    bening.found()
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "cli.py"), "sequence", "-L", "city"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "runs" in process.stderr.readline()
        bening("sequence", "--once", "-L", "city", status=4)
        bening.enrol_head()
        assert bening.json("status", "-L", "city")["sequencer_running"] is True
    finally:
        process.terminate()
    assert process.wait(10) == 0
    process.stderr.close()
    time.sleep(0)
    assert bening.json("fsck", "-L", "city")["faults"] == []


def test_help_is_fast_and_complete(bening: Bening) -> None:
    """Every command of the design is listed with a sentence."""
    shown = bening("--help")
    for name in ("setup", "key", "init", "roster", "publish", "import", "verify", "audit", "backup", "recover"):
        assert f"  {name} " in shown
