"""docs/operating.md is the drill: every command in it is executed, in its order, on a machine that is a temporary folder.

``/srv``, ``/etc``, ``/opt`` … are folders of the test; what belongs to the whole machine (packages, users, systemd, nginx's
own check) is done by stand-ins in ``tests/stand_ins``. ``systemctl`` starts what the units say. ``bening`` is always real.
"""

from __future__ import annotations

import grp
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.serving import free_port

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "operating.md").read_text("utf-8")
STAND_INS = ROOT / "tests" / "stand_ins"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACES = ("/srv/", "/etc/bening", "/etc/systemd", "/etc/nginx", "/opt/bening", "/usr/local/bin", "/root/safe")
SECRET = "frasa sandi uji"


def commands() -> list[str]:
    """The commands of every console block, in order."""
    lines = [line for body in _BLOCK.findall(GUIDE) for line in body.splitlines()]
    assert all(line.startswith("$ ") for line in lines), "a console block holds commands only"
    return [line.removeprefix("$ ") for line in lines]


def here(command: str, machine: Path, port: int) -> str:
    """A command with the test's places in the machine's."""
    for place in _PLACES:
        command = command.replace(place, f"{machine}{place}")
    group = grp.getgrgid(os.getgid()).gr_name  # of the one user that is here; two are tested in publisher/test_sharing.py
    return command.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace('"bening-web"', f'"{group}"')


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    for place in ("etc/systemd/system", "usr/local/bin", "root", "run", "srv"):
        (tmp_path / place).mkdir(parents=True)
    for name in ("examples", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    subprocess.run([str(STAND_INS / "systemctl"), "stop-all"], env={**os.environ, "MACHINE": str(tmp_path)}, check=False)


def environment(machine: Path, port: int) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BENING", "LC_", "XDG"))}
    path = f"{STAND_INS}:{machine}/usr/local/bin:{kept['PATH']}"
    return {
        **kept, "PATH": path, "MACHINE": str(machine), "PROJECT": str(ROOT), "REAL_PYTHON": sys.executable, "LANG": "C.UTF-8",
        "HOME": str(machine / "root"), "BENING_PASSPHRASE": SECRET, "PORT": str(port),
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_drill_passes_from_the_guide_alone(machine: Path) -> None:
    """Install, found, publish, back up, lose the disk, restore, recover, go on: each command as it stands, none fails."""
    port = free_port()
    said = {}
    for command in commands():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here(command, machine, port)], cwd=machine, env=environment(machine, port),
            capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        if "bening.toml" in command:  # the address is the test's, since it must be free
            settings = machine / "srv/ledger/home/bening.toml"
            settings.write_text(f'{settings.read_text()}\n[web]\nlisten = "127.0.0.1:{port}"\n')
        log = "\n".join(one.read_text() for one in (machine / "run").glob("*.log"))
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}\n{log}"
        said[command] = done.stdout + done.stderr
    told = {command: text for command, text in said.items() if "bening recover" in command}
    assert any("1 entries came back" in text for text in told.values()), told
    assert all("restored on trial and sound" in text for command, text in said.items() if "bening backup" in command)
    assert any(text.startswith("BENING OK") for text in said.values())


def test_every_command_of_ours_in_the_guide_was_run() -> None:
    """What operates a ledger stands in a console block, not only in a sentence."""
    run = {match for command in commands() for match in re.findall(r"\bbening ([a-z]+)", command)}
    assert run >= {"key", "init", "sign", "roster", "publish", "verify", "status", "fsck", "backup", "restore", "recover", "upgrade", "audit"}
    units = "".join(path.read_text() for path in (ROOT / "examples" / "systemd").glob("*.service"))
    assert set(re.findall(r"ExecStart=\S+/bening ([a-z]+)", units)) == {"sequence", "web", "backup", "witness"}


def failures() -> list[str]:
    """The first column of the tables of what the machine says."""
    return [found for table in re.findall(r"\| it says \|.*?\n\n", GUIDE + "\n\n", re.DOTALL) for found in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) if found not in ("it says", "---")]


def sentences() -> list[str]:
    words = tomllib.loads((ROOT / "ledger" / "words.toml").read_text("utf-8"))
    return [entry["en"] for entry in words["error"].values()]


@pytest.mark.parametrize("told", failures())
def test_the_guide_quotes_what_is_really_said(told: str) -> None:
    """Each row of a failure table quotes a sentence of the glossary; … stands for a value."""
    parts = [re.escape(part.strip()) for part in told.split("…")]
    pattern = re.compile(r"\s*\{[a-z_]+\}\s*".join(parts))
    assert any(pattern.search(sentence) for sentence in sentences()), told


def test_the_units_are_what_systemd_reads(tmp_path: Path) -> None:
    """systemd-analyze has nothing against them, where it is installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    units = []
    for path in (ROOT / "examples" / "systemd").iterdir():
        units.append(tmp_path / path.name)
        units[-1].write_text(path.read_text().replace("/opt/bening/.venv/bin/bening", shutil.which("true") or "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_webs_unit_sees_no_key_and_no_passphrase() -> None:
    """Only the sequencer's unit is given the credential, and it answers no network."""
    web = (ROOT / "examples" / "systemd" / "bening-web.service").read_text()
    sequence = (ROOT / "examples" / "systemd" / "bening-sequence.service").read_text()
    assert "LoadCredential" not in web
    assert "/srv/ledger/home-keys" in shlex.split(web.split("InaccessiblePaths=")[1].split("\n")[0].replace("-/", "/"))
    assert "PrivateNetwork=yes" in sequence
    assert {re.search(r"^User=(\S+)$", one, re.MULTILINE).group(1) for one in (web, sequence)} == {"bening", "bening-web"}  # type: ignore[union-attr]
