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
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import leaf_hash, root_hash
from ledger.tlog.note import Note, format_note, parse_note
from ledger.tlog.policy import format_policy, format_policy_ed25519
from ledger.verifier.bundle import read_bundle
from ledger.verifier.verify import verify_file
from ledger.words import explain
from tests.adversary.attack import FORGED, Scene, rebag
from tests.city import City

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


@pytest.mark.parametrize(
    "name", ["acts/3/entry.json", "acts/3/record.json", "checkpoint", "policy", "policy-ed25519", "acts/3/key-"]
)
def test_what_a_person_reads_is_what_was_proven(scene: Scene, name: str) -> None:
    """A court opens record.json and key-….pem as the README says: if they are not the proven ones, the bundle is not true."""

    def change(files: Files) -> None:
        (path,) = (one for one in files if one == f"data/{name}" or (name.endswith("-") and one.startswith(f"data/{name}")))
        files[path] = b'{"title":"forged"}'

    assert 0 not in _statuses(scene, change)


@pytest.mark.parametrize(
    "name", ["acts/99/documents/x.pdf", "acts/3/documents/more/x.pdf", "acts/3/x.pdf", "x.pdf", "README.pdf"]
)
def test_no_file_without_a_proof(scene: Scene, name: str) -> None:
    """A document that belongs to no proven act makes the bundle not true, wherever it lies."""
    assert 0 not in _statuses(scene, lambda files: files.update({f"data/{name}": FORGED}))


def test_a_document_under_a_roster_event(scene: Scene) -> None:
    """A proven roster event in ``acts/`` carries no document."""
    added = {"data/acts/1/proof.tlog-proof": scene.city.proof(1), "data/acts/1/documents/x.pdf": FORGED}
    assert 0 not in _statuses(scene, lambda files: files.update(added))


def test_a_document_taken_out(scene: Scene) -> None:
    """A bundle without the document of its act says that the document was not checked."""

    def change(files: Files) -> None:
        for name in [one for one in files if "/documents/" in one]:
            del files[name]

    assert 0 not in _statuses(scene, change)


def test_an_act_under_another_number(scene: Scene) -> None:
    """``acts/77`` holds the proof of entry 77 or nothing."""

    def change(files: Files) -> None:
        for name in [one for one in files if one.startswith("data/acts/3/")]:
            files[name.replace("acts/3/", "acts/77/")] = files.pop(name)

    assert 0 not in _statuses(scene, change)


def test_names_that_would_write_on_the_terminal(scene: Scene) -> None:
    """A document is called as its record says, or the bundle is refused; the name reaches no terminal unescaped."""

    def change(files: Files) -> None:
        (name,) = (one for one in files if "/documents/" in one)
        files[name.rpartition("/")[0] + "/a\x1b[2J\u202egp.pdf"] = files.pop(name)

    with pytest.raises(FormatError) as caught:
        verify_file(rebag(scene.bundle(), change), trusted=scene.trusted)
    assert caught.value.code == "bundle-unknown-file"
    assert not {"\x1b", "\u202e"} & set(explain(caught.value, "en"))


@pytest.mark.parametrize("name", ["data/README.txt", "bagit.txt", "bag-info.txt"])
def test_other_words_than_ours_are_told(scene: Scene, name: str) -> None:
    """The README holds commands that people run: one that this version did not write is not passed in silence."""
    assert _statuses(scene, lambda files: files.update({name: b"    rm -r /\n"})) == {3}


@pytest.mark.parametrize("names", [("policy",), ("policy-ed25519",), ("policy", "policy-ed25519")])
def test_a_policy_with_a_key_that_nobody_announced(scene: Scene, names: tuple[str, ...]) -> None:
    """The checkpoint may carry a thief's signature too; a policy of his key is still not the ledger's."""
    city = scene.city
    note = parse_note(city.checkpoint())
    thief = City(scene.path / "thief", seed="thief", origin=city.origin)
    checkpoint = Checkpoint(city.origin, len(city.entries), root_hash([leaf_hash(one) for one in city.entries]))
    signatures = (*note.signatures, *parse_note(thief.sign_checkpoint(checkpoint)).signatures)
    city.notes[checkpoint] = format_note(Note(note.text, signatures))
    city.write()
    log, pq = thief.keys.public
    forged = {"policy": format_policy(log, pq, city.founding), "policy-ed25519": format_policy_ed25519(log, city.founding)}
    assert _statuses(scene, lambda files: None) == {0}
    assert _statuses(scene, lambda files: files.update({f"data/{name}": forged[name] for name in names})) == {1}


def test_a_document_said_to_be_withheld(scene: Scene) -> None:
    """Only what the record withholds, or the authority withdrew, may be left out with a reason."""

    def change(files: Files) -> None:
        for name in [one for one in files if "/documents/" in one]:
            del files[name]
        files["data/acts/3/not-included.json"] = b'[{"reason":"rahasia"}]\n'

    assert _statuses(scene, change) == {1}


def _framed(change: Callable[[bytes], bytes], scene: Scene) -> Path:
    path = scene.path / "bingkai.zip"
    path.write_bytes(change(scene.bundle().read_bytes()))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda data: FORGED + data,
        lambda data: data + FORGED,
        lambda data: b"PK\x03\x04" + FORGED + data,
        lambda data: data[:-2] + struct.pack("<H", len(FORGED)) + FORGED,
    ],
)
def test_a_bundle_inside_another_file(scene: Scene, change: Callable[[bytes], bytes]) -> None:
    """Before, behind and in the comment of a ZIP another file could stand: that file is not the bundle."""
    path = _framed(change, scene)
    assert {one.exit_status() for one in verify_file(path, trusted=scene.trusted)} == {3}
    with pytest.raises(FormatError):
        read_bundle(path)


def _zip(members: list[tuple[bytes, bytes, int, int, int]], gap: bytes = b"") -> bytes:
    """A ZIP of (name, packed, method, size, crc) with ``gap`` before its central directory."""
    body, central = b"", b""
    for name, packed, method, size, crc in members:
        local, entry = _member(name, packed, method, size, crc, len(body))
        body, central = body + local, central + entry
    count, body = len(members), body + gap
    return body + central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(central), len(body), 0)


@pytest.mark.parametrize(("behind", "gap", "holds"), [(b"", b"", True), (FORGED, b"", False), (b"", FORGED, False)])
def test_a_bundle_packed_again(scene: Scene, behind: bytes, gap: bytes, holds: bool) -> None:
    """Deflated members hold as well; what hides behind a packed member or between members does not."""
    members = []
    with zipfile.ZipFile(scene.bundle()) as archive:
        for name in archive.namelist():
            data, engine = archive.read(name), zlib.compressobj(wbits=-15)
            packed = engine.compress(data) + engine.flush() + behind
            members.append((name.encode(), packed, zipfile.ZIP_DEFLATED, len(data), zlib.crc32(data)))
    path = scene.put("lagi.zip", _zip(members, gap))
    if holds:
        assert {one.exit_status() for one in verify_file(path, trusted=scene.trusted)} == {0}
        return
    with pytest.raises(FormatError) as caught:
        read_bundle(path)
    assert caught.value.code == "bundle-unsafe"


def _member(name: bytes, data: bytes, method: int, stated: int, crc: int, place: int) -> tuple[bytes, bytes]:
    head = struct.pack("<HHHHHIII", 46, 0, method, 0, 0x21, crc, len(data), stated)
    local = b"PK\x03\x04" + head + struct.pack("<HH", len(name), 0) + name + data
    central = b"PK\x01\x02" + struct.pack("<H", 46) + head + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, place) + name
    return local, central


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


def test_a_signature_taken_out_with_its_key(scene: Scene) -> None:
    """A bundle without the signature of an enrolled signer is not whole, though the proof would still tell it."""

    def change(files: Files) -> None:
        for name in [one for one in files if "/signature-" in one or "/key-" in one]:
            del files[name]

    assert 0 not in _statuses(scene, change)
