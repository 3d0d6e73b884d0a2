"""The demonstration: runs from nothing, in both languages, again and again, and never touches a folder that is not its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.records.refs import draw_ref, format_ref

ROOT = Path(__file__).parents[2]


def demo(folder: Path, locale: str = "id_ID.UTF-8", status: int = 0) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": locale, "BENING_LEDGER": "/nowhere", "XDG_CONFIG_HOME": "/nowhere"}
    words = [sys.executable, str(ROOT / "examples" / "demo.py"), str(folder)]
    found = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert found.returncode == status, found.stdout + found.stderr
    return found.stdout


def test_the_demonstration_runs_twice(tmp_path: Path) -> None:
    """Everything it promises happens; the second time it begins afresh, in the other language."""
    told = demo(tmp_path / "demo")
    for text in ("1. ", "9. ", "kontrak.pdf (signed)", ": 5\n", "Selesai."):
        assert text in told, told
    assert "Done." in demo(tmp_path / "demo", "en_US.UTF-8")
    commands = (tmp_path / "demo" / "commands.txt").read_text().splitlines()
    assert sum(" publish " in line for line in commands) == 17
    assert commands[0].startswith(f"export XDG_CONFIG_HOME={tmp_path / 'demo' / 'settings'}")
    assert (tmp_path / "demo" / "papers" / "kontrak.pdf.tlog-proof").is_file()


def test_the_printed_commands_work_from_here(tmp_path: Path) -> None:
    """What is offered at the end, and each kept command after the first line, runs in a shell as it stands."""
    told = demo(tmp_path / "demo", "en_US.UTF-8")
    env = {key: value for key, value in os.environ.items() if key != "XDG_CONFIG_HOME"} | {"LC_ALL": "C.UTF-8"}
    offered = told.rstrip().splitlines()[-1]
    checked = subprocess.run(offered, shell=True, env=env, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, offered + checked.stdout + checked.stderr
    commands = (tmp_path / "demo" / "commands.txt").read_text().splitlines()
    listed = next(line for line in commands if " number spk " in line)
    again = subprocess.run(f"{commands[0]}\n{listed}", shell=True, env=env, capture_output=True, text=True, check=False)
    assert again.returncode == 0, listed + again.stderr


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    """Without its mark nothing is deleted and nothing written."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("ten years of work")
    demo(tmp_path / "mine", status=2)
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_papers_are_real_pdfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cross-reference table points at every object, the stream has its stated length, and the label is on the page."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from papers import make_paper  # type: ignore[import-not-found]

    ref = draw_ref()
    data = make_paper("Kota Contoh", ["KEPUTUSAN (satu)"], ["Isi \\ naskah " * 40], ref)
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)[1])  # type: ignore[index]
    assert data[start:].startswith(b"xref\n0 5\n")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n \n", data), start=1):
        assert data[int(place) :].startswith(b"%d 0 obj\n" % number)
    length, stream = re.search(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", data, re.DOTALL).groups()  # type: ignore[union-attr]
    assert int(length) == len(stream)
    assert format_ref(ref).encode() in stream
    assert rb"KEPUTUSAN \(satu\)" in stream
