"""docs/api.md says what happens: each of its commands is run against the demonstration, served as an operator would."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.publisher.home import Home
from tests.web.serving import serving

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "api.md").read_text("utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, list[str]]]:
    """Return each command with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(BLOCKS).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_command_prints_what_stands_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one folder, by real HTTP; ``…`` stands for anything on its line."""
    demo = tmp_path / "demo"
    subprocess.run([sys.executable, ROOT / "examples" / "demo.py", demo], cwd=ROOT, check=True, capture_output=True)
    monkeypatch.setenv("BENING_PASSPHRASE", "contoh")
    home = Home.open(demo / "city")
    year = re.search(r"600/31/SPK/(\d{4})", str((demo / "commands.txt").read_text("utf-8")))
    assert year is not None
    for name in ("mou.json", "papers/mou.pdf"):
        shutil.copy(demo / name, tmp_path)
    assert len(steps()) > 15
    with serving(home) as site:
        for command, expected in steps():
            if not command.startswith("LEDGER="):
                typed = command.replace("2026", year[1])
                done = subprocess.run(["sh", "-c", typed], cwd=tmp_path, env={"LEDGER": site.url, "PATH": "/usr/bin:/bin"},
                                      capture_output=True, text=True, check=False)  # fmt: skip
                assert done.returncode == 0, f"{typed}\n{done.stderr}"
                printed = done.stdout.splitlines()
                assert len(printed) == len(expected), f"{typed}\n{done.stdout}"
                for line, said in zip(printed, expected, strict=True):
                    pattern = ".*".join(map(re.escape, said.replace("2026", year[1]).split("…")))
                    assert re.fullmatch(pattern, line), f"{typed}\n{line[:1500]}\n{said}"


def test_every_address_is_mentioned() -> None:
    """Whoever reads the page meets every address of the OpenAPI document."""
    from tests.web.api_ledger import described

    for path in described()["paths"]:
        named = [part for part in path.removeprefix("/api/v1/").split("/") if part and not part.startswith("{")]
        assert named[-1].replace("records.", ".") in DOCUMENT, path
