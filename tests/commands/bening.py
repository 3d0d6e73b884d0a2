"""The command line through its real entry point, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cli

SECRET = "frasa sandi uji"


class Bening:
    """Runs commands in one folder, with settings of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.capsys = folder, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "settings"))
        monkeypatch.setenv("BENING_PASSPHRASE", SECRET)
        monkeypatch.setenv("LANG", "en_US.UTF-8")
        for name in ("BENING_LEDGER", "LC_ALL", "LC_MESSAGES"):
            monkeypatch.delenv(name, raising=False)

    def __call__(self, *args: object, status: int = 0) -> str:
        """Run one command, require its exit status, and return what it printed."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(one) for one in args])
        out, err = self.capsys.readouterr()
        assert stopped.value.code == status, f"{args}: {stopped.value.code}\n{out}\n{err}"
        return out + err

    def json(self, *args: object, status: int = 0) -> Any:
        """Run one command with --json and return its answer."""
        return json.loads(self(*args, "--json", status=status))

    def found(self, *, authorities: int = 1, threshold: int = 1) -> None:
        """Make keys a0.pem …, and found the ledger ``city``."""
        keys = [f"a{n}.pem" for n in range(authorities)]
        for key in (*keys, "head.pem"):
            self("key", "new", key)
        options = [option for key in keys for option in ("--authority", f"{key}.pub", "--key", key)]
        self("init", "city", "--origin", "ledger.test/city", "--name", "Kota Uji", "--threshold", threshold, *options)

    def enrol_head(self) -> None:
        """Declare an office and a form, and enrol head.pem."""
        self("roster", "office", "hukum", "--name", "Bagian Hukum", "-L", "city", "--key", "a0.pem")
        self("roster", "form", "sk", "--kind", "decision", "--name", "Keputusan", "-L", "city", "--key", "a0.pem")
        self(
            "roster", "enrol", "--pub", "head.pem.pub", "--position", "Kepala Bagian Hukum", "--office", "hukum",
            "--kinds", "decision", "--from", "2020-01-01", "-L", "city", "--key", "a0.pem", "--key", "head.pem",
        )  # fmt: skip
