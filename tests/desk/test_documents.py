"""Documents are hashed while they are read, typed by their bytes, and left alone."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from ledger.desk import documents
from ledger.desk.documents import keep_salts, read_document, split_role, withhold
from ledger.errors import FormatError, UsageError


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.pdf", b"%PDF-1.7 x", "application/pdf"),
        ("a.txt", b"%PDF-1.7 x", "application/pdf"),
        ("a.PNG", b"\x89PNG\r\n\x1a\nx", "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.tif", b"II*\x00", "image/tiff"),
        ("a.docx", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.xlsx", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a.bin", b"PK\x03\x04", "application/zip"),
        ("a.txt", b"halo", "text/plain"),
        ("a.csv", b"a,b", "text/csv"),
        ("a.json", b"{}", "application/json"),
        ("a.pdf", b"<html>", "application/octet-stream"),
        ("a", b"", "application/octet-stream"),
    ],
)
def test_the_bytes_decide_the_media_type(tmp_path: Path, name: str, data: bytes, media_type: str) -> None:
    """A signature wins over the suffix; a suffix counts only for plain text and zip containers."""
    (tmp_path / name).write_bytes(data)
    found = read_document(tmp_path / name, "signed")
    assert found.media_type == media_type
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert found.mistyped == (data == b"<html>")


def test_a_certified_pdf_is_noticed_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/ByteRange is found wherever the reading happens to be cut; elsewhere than in a PDF it means nothing."""
    data = b"%PDF-1.7 " + b"x" * 50 + b"/ByteRange [0 1 2 3]"
    (tmp_path / "a.pdf").write_bytes(data)
    (tmp_path / "a.txt").write_bytes(data[9:])
    for size in range(9, 40):
        monkeypatch.setattr(documents, "_CHUNK", size)
        assert read_document(tmp_path / "a.pdf", "signed").certified
        assert not read_document(tmp_path / "a.txt", "text").certified


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was hashed must be what lies there afterwards."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7 first")
    real = documents._media_type

    class Meddled:
        def __init__(self, file: BinaryIO) -> None:
            self.file = file

        def fileno(self) -> int:
            return self.file.fileno()

        def read(self, size: int) -> bytes:
            data = self.file.read(size)
            if not data:
                with open(path, "ab") as other:
                    other.write(b" and more")
            return data

    with open(path, "rb") as file, pytest.raises(FormatError) as error:
        documents._read(path, "signed", Meddled(file))  # type: ignore[arg-type]
    assert error.value.code == "document-changed"
    assert real(b"%PDF-", "") == "application/pdf"


def test_only_ordinary_files_are_read(tmp_path: Path) -> None:
    """A folder, a pipe or nothing at all is told, and never waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "pipe"):
        with pytest.raises(UsageError) as error:
            read_document(path, "signed")
        assert error.value.code == "file-unreadable"


def test_file_names_are_composed(tmp_path: Path) -> None:
    """A system that keeps file names decomposed does not make a record that nobody may sign."""
    (tmp_path / "e\u0301.pdf").write_bytes(b"%PDF-")
    assert read_document(tmp_path / "e\u0301.pdf", "signed").value()["name"] == "\u00e9.pdf"


def test_a_role_stands_before_the_path() -> None:
    """Only known roles are split off, so that odd file names still work."""
    assert split_role("annex:lampiran.pdf", "signed") == ("annex", Path("lampiran.pdf"))
    assert split_role("c:lampiran.pdf", "signed") == ("signed", Path("c:lampiran.pdf"))
    assert split_role("lampiran.pdf", "annex") == ("annex", Path("lampiran.pdf"))


REF, OTHER = "19JVNJXPQJS", "4A3FHKQ4RZ7"


def test_a_withheld_document_can_be_opened_later(tmp_path: Path) -> None:
    """commitment = SHA-256(salt ‖ SHA-256 of the file); what opens it stands in FILE.<ref>.salt, for its owner only."""
    path = tmp_path / "rahasia.pdf"
    path.write_bytes(b"%PDF-1.7 nama")
    said = f"{path};reason=memuat nama;law=UU 27/2022;role=extract"
    found, salt = withhold(said, REF)
    assert list(tmp_path.iterdir()) == [path]
    keep_salts([salt])
    salt_file = tmp_path / f"rahasia.pdf.{REF}.salt"
    assert salt_file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(salt_file.read_bytes())
    sha256 = hashlib.sha256(path.read_bytes())
    assert len(bytes.fromhex(kept["salt"])) == 16
    assert found["withheld"] == hashlib.sha256(bytes.fromhex(kept["salt"]) + sha256.digest()).hexdigest()
    assert kept == {"commitment": found["withheld"], "name": "rahasia.pdf", "ref": REF, "salt": kept["salt"],
                    "sha256": sha256.hexdigest(), "v": 1}  # fmt: skip
    assert (found["role"], found["media_type"], found["law"]) == ("extract", "application/pdf", "UU 27/2022")
    assert withhold(said, REF) == (found, salt)
    keep_salts([salt])


def test_every_act_has_a_salt_of_its_own(tmp_path: Path) -> None:
    """The same annex in two acts cannot be told from two annexes, and both can be opened."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"x")
    first, second = (withhold(f"{path};reason=x;law=y", ref) for ref in (REF, OTHER))
    assert first[0]["withheld"] != second[0]["withheld"]
    keep_salts([first[1], second[1]])
    assert len(list(tmp_path.glob("*.salt"))) == 2


def test_a_salt_is_never_written_over_or_used_for_other_bytes(tmp_path: Path) -> None:
    """A document that changed, or a salt file that somebody else wrote, is told; the file stays as it was."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"x")
    said = f"{path};reason=x;law=y"
    _, salt = withhold(said, REF)
    _, rival = withhold(said, REF)
    keep_salts([salt])
    before = salt.path.read_bytes()
    path.write_bytes(b"changed")
    for attempt in (lambda: withhold(said, REF), lambda: keep_salts([rival])):
        with pytest.raises(UsageError) as error:
            attempt()
        assert error.value.code == "salt-damaged"
    assert salt.path.read_bytes() == before


def test_withholding_needs_reason_law_and_a_sound_salt(tmp_path: Path) -> None:
    """A commitment that nobody could open, or that no law allows, is not made."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"x")
    with pytest.raises(UsageError) as error:
        withhold(f"{path};reason=x", REF)
    assert error.value.code == "withhold-incomplete"
    for damaged in (b"zz", b"\xff", b"[]", b'{"salt":"00"}', b'{"salt":1}'):
        (tmp_path / f"a.pdf.{REF}.salt").write_bytes(damaged)
        with pytest.raises(UsageError) as error:
            withhold(f"{path};reason=x;law=y", REF)
        assert error.value.code == "salt-damaged"
