"""docs/witnesses.md: every command in it is executed, in its order, on a machine that is a temporary folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.publisher.town import Town
from tests.web.serving import free_port

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "witnesses.md").read_text("utf-8")
COMMANDS = [
    line.removeprefix("$ ") for block in re.findall(r"^```console\n(.*?)^```$", GUIDE, re.M | re.S) for line in block.splitlines()
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_guide(tmp_path: Path) -> None:
    """Begin, watch, answer, back up, lose the state, restore, unlock: each command as it stands, none fails."""
    port, srv, programs = free_port(), tmp_path / "srv", tmp_path / "bin"
    for folder in (srv / "ledger", srv / "witness-keys", programs):
        folder.mkdir(parents=True)
    town = Town(srv / "ledger")
    town.settle_in()
    program = programs / "bening"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli --lang en "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "BENING_PASSPHRASE": "frasa sandi uji"}
    said = ""
    try:
        for command in COMMANDS:
            here = command.replace("/srv/", f"{srv}/").replace("127.0.0.1:8100", f"127.0.0.1:{port}")
            here = here.replace("ledger.kota.example/2026", town.home.origin)
            log = tmp_path / "said"
            with open(log, "wb") as out:  # no pipe: what stays in the background would hold it
                done = subprocess.run(["bash", "-euc", here], cwd=tmp_path, env=environment, stdout=out, stderr=out, timeout=60)
            assert done.returncode == 0, f"$ {command}\n{log.read_text()}"
            said += log.read_text()
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((srv / "witness.pid").read_text()), signal.SIGKILL)
    assert said.index("locked: these notes were restored") < said.index("cosigns ledger.test/town again")
    assert all(f"bening witness {verb}" in " ".join(COMMANDS) for verb in ("init", "add-log", "serve", "status", "backup", "unlock"))
