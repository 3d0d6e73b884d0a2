"""A bundle from somebody else: its manifest can be made by anybody, so what it agrees with must be the proven bytes."""

from __future__ import annotations

import bz2
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import FormatError, LedgerError
from ledger.verifier.bundle import read_bundle
from ledger.verifier.verify import verify_file
from tests.adversary.attack import FORGED, Scene, rebag
from tests.adversary.test_false_verdicts import bug

Files = dict[str, bytes]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def _statuses(scene: Scene, change: Callable[[Files], object]) -> set[int]:
    try:
        return {one.exit_status() for one in verify_file(rebag(scene.bundle(), change), trusted=scene.trusted)}
    except LedgerError:
        return {1}


def test_an_honest_bundle_made_again(scene: Scene) -> None:
    """The tool of these tests changes nothing by itself."""
    assert _statuses(scene, lambda files: None) == {0}


@bug("F14: entry.json, record.json, signatures, keys, checkpoint, policy are not held against the proof")
@pytest.mark.parametrize(
    "name", ["acts/3/entry.json", "acts/3/record.json", "checkpoint", "policy", "policy-ed25519", "acts/3/key-"]
)
def test_what_a_person_reads_is_what_was_proven(scene: Scene, name: str) -> None:
    """A court opens record.json and key-….pem as the README says: if they are not the proven ones, the bundle is not true."""

    def change(files: Files) -> None:
        (path,) = (one for one in files if one == f"data/{name}" or (name.endswith("-") and one.startswith(f"data/{name}")))
        files[path] = b'{"title":"forged"}'

    assert 0 not in _statuses(scene, change)


@bug("F14: files that no proof covers are counted as held")
@pytest.mark.parametrize(
    "name", ["acts/99/documents/x.pdf", "acts/3/documents/more/x.pdf", "acts/3/x.pdf", "x.pdf", "README.pdf"]
)
def test_no_file_without_a_proof(scene: Scene, name: str) -> None:
    """A document that belongs to no proven act makes the bundle not true, wherever it lies."""
    assert 0 not in _statuses(scene, lambda files: files.update({f"data/{name}": FORGED}))


@bug("F1: see test_a_file_beside_the_proof_of_a_roster_event")
def test_a_document_under_a_roster_event(scene: Scene) -> None:
    """A proven roster event in ``acts/`` carries no document."""
    added = {"data/acts/1/proof.tlog-proof": scene.city.proof(1), "data/acts/1/documents/x.pdf": FORGED}
    assert 0 not in {
        one.exit_status()
        for one in verify_file(rebag(scene.bundle(), lambda files: files.update(added)), trusted=scene.trusted)
        if ": 1" in one.subject
    }


@bug("F14: a document that is neither there nor listed as left out is not missed")
def test_a_document_taken_out(scene: Scene) -> None:
    """A bundle without the document of its act says that the document was not checked."""

    def change(files: Files) -> None:
        for name in [one for one in files if "/documents/" in one]:
            del files[name]

    assert 0 not in _statuses(scene, change)


@bug("F14: the folder's number is shown, the proof's index is judged")
def test_an_act_under_another_number(scene: Scene) -> None:
    """``acts/77`` holds the proof of entry 77 or nothing."""

    def change(files: Files) -> None:
        for name in [one for one in files if one.startswith("data/acts/3/")]:
            files[name.replace("acts/3/", "acts/77/")] = files.pop(name)

    assert 0 not in _statuses(scene, change)


def test_names_that_would_write_on_the_terminal(scene: Scene) -> None:
    """File names inside a bundle reach no terminal unescaped, and the record's name is the one that is shown."""
    from ledger.verifier.verdict import render
    from ledger.words import say

    def change(files: Files) -> None:
        (name,) = (one for one in files if "/documents/" in one)
        files[name.rpartition("/")[0] + "/a\x1b[2J\u202egp.pdf"] = files.pop(name)

    (verdict,) = verify_file(rebag(scene.bundle(), change), trusted=scene.trusted)
    text = "\n".join(render(verdict, lambda key, /, **values: say(key, "en", **values)))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert verdict.check("document").values["name"] == "sk.pdf"  # type: ignore[union-attr]


def _member(name: bytes, data: bytes, method: int, stated: int, crc: int, place: int) -> tuple[bytes, bytes]:
    head = struct.pack("<HHHHHIII", 46, 0, method, 0, 0x21, crc, len(data), stated)
    local = b"PK\x03\x04" + head + struct.pack("<HH", len(name), 0) + name + data
    central = b"PK\x01\x02" + struct.pack("<H", 46) + head + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, place) + name
    return local, central


@bug("F15: bz2 and lzma unpack a whole megabyte of input at once, whatever size is stated")
def test_a_bomb_by_another_method(tmp_path: Path) -> None:
    """A few hundred bytes never take more than a few megabytes of memory, by whatever method they are packed."""
    packed, name, tag = bz2.compress(b"\0" * 60_000_000), b"bening/data/x", b"bening/bagit.txt"
    first, entry = _member(name, packed, zipfile.ZIP_BZIP2, 100, 0, 0)
    second, other = _member(tag, b"x", zipfile.ZIP_STORED, 1, zlib.crc32(b"x"), len(first))
    central = entry + other
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 2, 2, len(central), len(first) + len(second), 0)
    (tmp_path / "bomb.zip").write_bytes(first + second + central + end)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            read_bundle(tmp_path / "bomb.zip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@bug("F15: entry.json is kept in memory, up to 64 MiB each and 2 GiB in all")
def test_many_small_members(tmp_path: Path) -> None:
    """Files that are never used are not kept in memory: 60 KB of ZIP stay far below 50 MB."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bening/bagit.txt", "x")
        archive.writestr("bening/manifest-sha256.txt", "")
        for number in range(50):
            archive.writestr(f"bening/data/acts/{number}/entry.json", b"\0" * (1 << 20))
    import ledger.verifier.unbundle as unbundle

    kept = unbundle._check_manifest
    unbundle._check_manifest = lambda *_: None
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            read_bundle(tmp_path / "many.zip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        unbundle._check_manifest = kept
    assert peak < 20_000_000
