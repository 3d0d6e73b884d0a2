"""What the documents say is what the code does: worked examples are executed, names are looked up."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from cli import bening
from ledger.records.entry import parse_entry
from ledger.records.record import parse_record
from ledger.tlog.note import check_ed25519, parse_note, parse_vkey

ROOT = Path(__file__).parents[1]
FORMATS = (ROOT / "docs" / "formats.md").read_text("utf-8")
_BLOCK = re.compile(r"^```(?P<info>\S*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, info: str) -> list[tuple[str, str]]:
    """Return (info string, body) of the fenced blocks whose info string begins with ``info``."""
    return [(found["info"], found["body"]) for found in _BLOCK.finditer(text) if found["info"].startswith(info)]


def files() -> dict[str, bytes]:
    """Return the files of the worked example; JSON and base64 files are one line without its newline."""
    found = {info.removeprefix("file="): body for info, body in blocks(FORMATS, "file=")}
    return {
        name: (body[:-1] if name.endswith((".json", ".base64")) else body).encode("utf-8") for name, body in found.items()
    }


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_worked_example_runs_as_written(tmp_path: Path) -> None:
    """Every command of docs/formats.md prints what stands under it."""
    for name, data in files().items():
        (tmp_path / name).write_bytes(data)
    script, expected = [], []
    for _, body in blocks(FORMATS, "console"):
        for line in body.splitlines():
            (script if line.startswith("$ ") else expected).append(line.removeprefix("$ "))
    done = subprocess.run(["sh", "-eu"], input="\n".join(script), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_worked_example_is_what_the_code_reads() -> None:
    """Its record and entry are accepted, belong together, and its checkpoint is signed by the key beside it."""
    given = files()
    record = parse_record(given["record.json"])
    entry = parse_entry(given["entry.json"])
    assert entry.envelope.payload == record.payload
    assert record.documents[0]["size"] == len(given["sk-728.txt"])
    note = parse_note(blocks(FORMATS, "")[-1][1].encode("utf-8"))
    vkey = parse_vkey(re.search(r"`(\S+\+[0-9a-f]{8}\+\S+)`", FORMATS).group(1))  # type: ignore[union-attr]
    check_ed25519(vkey.key, note.text, note.signatures[0].signature)


def test_documents_name_no_outside_host() -> None:
    """No document sends a reader to a registry, and no lock file holds a URL."""
    assert "://" not in (ROOT / "requirements.txt").read_text("utf-8")
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for host in re.findall(r"https?://([a-z0-9.-]+)", path.read_text("utf-8")):
            assert host.endswith((".example", "localhost", "127.0.0.1")), f"{path.name} names {host}"


def test_links_between_documents_lead_somewhere() -> None:
    """Each relative link in a document names a file that is there."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def commands_named() -> list[tuple[str, list[str]]]:
    """Return (document, words) of every ``bening …`` that a document tells people to type."""
    found = []
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        text = path.read_text("utf-8")
        typed = re.findall(r"`bening ([^`]+)`", text) + re.findall(r"^\s*(?:\$ |ExecStart=\S*)?bening (.+)$", text, re.MULTILINE)
        found += [(path.name, line.replace("…", "").split()) for line in typed]
    return found


@pytest.mark.parametrize(("document", "words"), commands_named(), ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else value)
def test_commands_in_documents_exist_with_their_options(document: str, words: list[str]) -> None:
    """Every command and option that a document names is one of the program's."""
    context = click.Context(bening)
    command: click.Command | None = bening.get_command(context, words[0])
    assert command is not None, f"{document}: bening {words[0]}"
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command = command.get_command(context, rest.pop(0))
        assert command is not None, f"{document}: bening {' '.join(words)}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    for word in rest:
        if word.startswith("-"):
            assert word.partition("=")[0].rstrip(",;.") in known, f"{document}: bening {' '.join(words)}"
