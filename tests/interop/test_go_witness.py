"""A log in Go, on unmodified libraries, has itself witnessed by ours; torchwood opens what was cosigned (witness/client.go)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands.bening import Bening
from tests.witness.test_served import Served

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent / "witness"
ORIGIN = "go.example/log"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built client; skip without Go, or where its modules cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("no Go here")
    folder = tmp_path_factory.mktemp("client")
    for name in ("go.mod", "client.go"):
        shutil.copy(HERE / name, folder)
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        command = ["go", "build", "-o", "client", "."]
        got = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("filippo.io/torchwood could not be had in time")
    if got.returncode and ("unrecognized import path" in got.stderr or "dial tcp" in got.stderr or "reading " in got.stderr):
        pytest.skip(f"filippo.io/torchwood is not to be had here: {got.stderr.strip()[-200:]}")
    assert got.returncode == 0, got.stderr
    return folder / "client"


def test_a_log_in_go_is_witnessed(
    client: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growth is cosigned and verified by torchwood; a rollback is a conflict, a fork is refused; the monitor's path serves it."""
    bening = Bening(tmp_path, capsys, monkeypatch)
    monkeypatch.setenv("BENING_PASSPHRASE", "x" * 12)
    private, public = subprocess.run([client, "key", ORIGIN], capture_output=True, text=True, check=True).stdout.split()
    vkeys = bening.json("witness", "init", "saksi", "--name", "saksi.example/w1")["vkeys"]
    bening("witness", "add-log", "saksi", public)
    served = Served(tmp_path / "saksi")
    try:
        words = [client, "run", f"http://{served.where}", vkeys[0], private]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "LOG_VKEY": public}
        )
    finally:
        served.process.kill()
        served.process.wait()
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr
    assert bening.json("witness", "status", "saksi", status=1)["logs"][0]["odd"] == 2
