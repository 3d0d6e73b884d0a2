"""What the list of bad input still lacked: files that are no files, names that are no text, and loss."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ledger.publisher.staging
from ledger.errors import AdmissionError, StoreError
from ledger.publisher.rebuild import rebuild
from tests.adversary.attack import BODY, Scene
from tests.publisher.town import Town, reopened

ROOT = Path(__file__).parents[2]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.settle_in()
    return town


def _cli(folder: Path, *args: object, timeout: float = 20) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "XDG_CONFIG_HOME": str(folder / "settings"), "PYTHONIOENCODING": "utf-8:strict"}
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, args)]
    return subprocess.run(command, env=env, capture_output=True, timeout=timeout, check=False)


def test_json_about_a_name_that_is_no_text(tmp_path: Path) -> None:
    """The answer in JSON is JSON in UTF-8, whatever the file is called."""
    scene = Scene(tmp_path)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.pdf"))
    path.write_bytes(BODY)
    assert _cli(tmp_path, "trust", "add", scene.city.path).returncode == 0
    assert json.loads(_cli(tmp_path, "verify", path, "--json").stdout)["status"] == 0


def test_json_that_a_terminal_shows(tmp_path: Path) -> None:
    """JSON is shown on terminals too: no control, C1 or bidirectional character leaves unescaped."""
    scene = Scene(tmp_path)
    path = scene.put("a\u202eb\u009b31m.pdf", BODY)
    assert _cli(tmp_path, "trust", "add", scene.city.path).returncode == 0
    out = _cli(tmp_path, "verify", path, "--json").stdout.decode()
    assert not {"\u202e", "\u009b"} & set(out)


def test_a_pipe_in_place_of_a_document(tmp_path: Path) -> None:
    """FILE is a file: a pipe without a writer is refused at once."""
    scene = Scene(tmp_path)
    assert _cli(tmp_path, "trust", "add", scene.city.path).returncode == 0
    os.mkfifo(tmp_path / "pipe")
    try:
        assert _cli(tmp_path, "verify", tmp_path / "pipe", timeout=2).returncode in (2, 3)
    except subprocess.TimeoutExpired:
        pytest.fail("verify waits for ever")


def test_a_document_that_changes_while_it_is_hashed(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes that were hashed are the bytes that are staged; if they are not the record's, nothing is submitted."""
    act = town.act(b"%PDF-1.4 quiet")

    def opened(source: Path) -> int:
        handle = os.open(source, os.O_RDONLY)
        with open(source, "ab") as file:
            file.write(b"more")
        return handle

    monkeypatch.setattr(ledger.publisher.staging, "_opened", opened)
    with pytest.raises(AdmissionError):
        town.submit(act)
    assert not [one for one in town.home.staging.iterdir() if not one.name.startswith(".keep")]


def test_a_link_in_place_of_a_staged_document(town: Town, tmp_path: Path) -> None:
    """What is published under a hash has that hash, though the source is a symbolic link."""
    body = b"%PDF-1.4 linked"
    act = town.act(body)
    code = hashlib.sha256(body).hexdigest()
    real = act.documents[code]
    moved = real.rename(tmp_path / "elsewhere")
    real.symlink_to(moved)
    (outcome,) = town.submit(act)
    assert outcome.index is not None
    published = town.home.document(code)
    assert not published.is_symlink()
    assert published.read_bytes() == body


def test_an_old_database_without_its_public_folder(town: Town, tmp_path: Path) -> None:
    """An old copy of the databases never signs a size a second time: acknowledged acts would vanish, and the log would fork."""
    town.published(b"%PDF one")
    home = town.home.path
    shutil.copytree(home, tmp_path / "old")
    town.published(b"%PDF two")
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "old", home)
    for path in (home / "public").iterdir():
        if path.name != "documents":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    town.home = reopened(town)
    with pytest.raises(StoreError):
        _rebuild_and_publish(town)


def _rebuild_and_publish(town: Town) -> None:
    rebuild(town.home)
    town.published(b"%PDF three")
