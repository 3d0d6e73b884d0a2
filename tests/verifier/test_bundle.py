"""Evidence bundles: complete, the same bytes each time, checkable by hand, and safe to read from a stranger."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import FetchError, FormatError, LedgerError, ProofError, UsageError
from ledger.tlog.policy import parse_policy
from ledger.verifier.bundle import make_bundle, read_bundle, related
from ledger.verifier.case import Trusted
from ledger.verifier.client import open_source
from ledger.verifier.reader import View, open_ledger
from ledger.verifier.verdict import combined_status
from ledger.verifier.verify import verify_file
from tests.city import City

BODY = b"%PDF-1.7 Kontrak"


def _view(city: City) -> View:
    return open_ledger(open_source(str(city.path)), parse_policy(city.policy), city.founding)


@pytest.fixture
def city(tmp_path: Path) -> City:
    city = City(tmp_path / "kota", witnesses=("kpk", "bpkp"))
    second = city.enrol("Sekretaris Daerah", ["setda"])
    city.publish(documents={"Kontrak no. 1-2026.pdf": BODY, "lampiran.pdf": b"BOQ"}, signers=[city.clerk, second])
    for _ in range(9):
        city.publish()
    city.write()
    return city


@pytest.fixture
def bag(city: City, tmp_path: Path) -> Path:
    make_bundle(_view(city), [4, 7], tmp_path / "bukti.zip")
    return tmp_path / "bukti.zip"


def _trusted(city: City) -> Trusted:
    return Trusted(parse_policy(city.policy), city.founding)


def test_bundle_is_complete_and_deterministic(city: City, bag: Path, tmp_path: Path) -> None:
    """The same acts of the same checkpoint make the same bytes, and everything needed is inside."""
    make_bundle(_view(city), [7, 4, 4], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == bag.read_bytes()
    names = zipfile.ZipFile(bag).namelist()
    for name in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "data/README.txt",
                 "data/policy", "data/policy-ed25519", "data/checkpoint", "data/roster.jsonl", "data/acts/4/entry.json",
                 "data/acts/4/record.json", "data/acts/4/proof.tlog-proof",
                 f"data/acts/4/key-{city.clerk[:8]}.pem"):  # fmt: skip
        assert f"bening/{name}" in names
    assert len([name for name in names if "/4/documents/" in name]) == 2
    assert len([name for name in names if "/4/signature-" in name]) == 2


def test_bundle_verifies_without_anything_else(city: City, bag: Path) -> None:
    """Document, inclusion, signer and authority hold from the bundle and the pinned policy alone."""
    verdicts = verify_file(bag, trusted=_trusted(city))
    assert combined_status(verdicts) == 0
    assert len(verdicts) == 3
    assert {one.check("document").state for one in verdicts} == {"passed"}  # type: ignore[union-attr]


def test_bundle_is_not_its_own_authority(city: City, bag: Path, tmp_path: Path) -> None:
    """Another policy, or a policy taken from the bundle itself, never gives 0."""
    other = City(tmp_path / "lain", seed="thief")
    assert combined_status(verify_file(bag, trusted=_trusted(other))) == 1
    unpinned = Trusted(parse_policy(read_bundle(bag).policy), city.founding, pinned=False)
    assert combined_status(verify_file(bag, trusted=unpinned)) == 3


def test_withheld_and_withdrawn_are_listed_not_included(city: City, tmp_path: Path) -> None:
    """What may not be shown is named with its reason and law."""
    sha256 = city.records[4].documents[1]["sha256"]
    city.roster_event({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "data pribadi"})
    withheld = {"withheld": "ab" * 32, "media_type": "application/pdf", "role": "extract"}
    withheld |= {"reason": "pribadi", "law": "UU 14/2008"}
    _, index = city.publish(withheld=[withheld])
    city.write()
    make_bundle(_view(city), [4, index], tmp_path / "b.zip")
    archive = zipfile.ZipFile(tmp_path / "b.zip")
    assert b'"withdrawn":{"law":"UU 27/2022"' in archive.read("bening/data/acts/4/not-included.json")
    assert b'"reason":"pribadi"' in archive.read(f"bening/data/acts/{index}/not-included.json")
    assert not [name for name in archive.namelist() if sha256[:8] in name]


def test_what_is_left_out_and_new_log_keys_read_back(city: City, tmp_path: Path) -> None:
    """A bundle with withheld and withdrawn documents, made after the log's keys changed, is whole for its reader."""
    sha256 = city.records[4].documents[1]["sha256"]
    city.roster_event({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "data pribadi"})
    city.rotate_log_keys("new")
    withheld = {"withheld": "ab" * 32, "media_type": "application/pdf", "role": "extract"}
    _, index = city.publish(withheld=[{**withheld, "reason": "pribadi", "law": "UU 14/2008"}])
    city.publish()
    city.write()
    make_bundle(_view(city), [4, index], tmp_path / "b.zip")
    assert [len(act.documents) for act in read_bundle(tmp_path / "b.zip").acts] == [1, 1]
    assert read_bundle(tmp_path / "b.zip").unread == ()


def test_related_acts_both_ways(city: City) -> None:
    """What an act names and what names it belong together, transitively; others do not."""
    first, a = city.publish()
    second, b = city.publish(relations=[{"type": "amends", "ref": first.ref}])
    _, c = city.publish(relations=[{"type": "revokes", "ref": second.ref}])
    _, d = city.publish(relations=[{"type": "follows", "ref": first.ref}])
    city.write()
    view = _view(city)
    for start in (a, b, c, d):
        assert related(view, [start]) == [a, b, c, d]
    assert related(view, [4]) == [4]


def test_what_is_no_act_or_does_not_hold_is_not_bundled(city: City, tmp_path: Path) -> None:
    """A roster entry, a missing document or a changed entry stops the bundle, and leaves no file."""
    out, view = tmp_path / "b.zip", _view(city)
    with pytest.raises(UsageError):
        make_bundle(view, [0], out)
    code = city.records[4].documents[0]["sha256"]
    (city.path / f"documents/{code[:2]}/{code}").write_bytes(b"x" * len(BODY))
    with pytest.raises(FetchError):
        make_bundle(view, [4], out)
    city.entries[5] = city.entries[5].replace(b"2026", b"2027", 1)
    city.write(checkpoint=False)
    with pytest.raises(ProofError):
        make_bundle(_view(city), [5], out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kota"]


# ---- by hand


def _unpacked(bag: Path, folder: Path) -> Path:
    with zipfile.ZipFile(bag) as archive:
        archive.extractall(folder)
    return folder / "bening"


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the README's commands with sh, exactly as they stand there."""
    text = (folder / "data/README.txt").read_text("utf-8")
    commands = "".join(line[4:] + "\n" for line in text.split("\n") if line.startswith("    "))
    return subprocess.run(["sh"], input=commands, cwd=folder, text=True, capture_output=True, timeout=60, check=False)


def _openssl() -> bytes:
    if shutil.which("openssl") is None:
        return b""
    return subprocess.run(["openssl", "version"], capture_output=True, check=False).stdout


needs_openssl = pytest.mark.skipif(not _openssl().startswith(b"OpenSSL 3"), reason="needs openssl 3")


@needs_openssl
def test_readme_commands_hold(city: City, bag: Path, tmp_path: Path) -> None:
    """The commands succeed, and end with what has to be compared with a printed copy: key and founding."""
    done = _run(_unpacked(bag, tmp_path / "out"))
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.rstrip().endswith("ALL HELD / SEMUA COCOK")
    assert city.founding in done.stdout
    assert city.keys.vkeys[0] in done.stdout


@needs_openssl
@pytest.mark.parametrize("index", [3, 4, 5, 6, 13, 12])
def test_readme_proves_each_place_in_the_tree(city: City, tmp_path: Path, index: int) -> None:
    """The shell's walk up the tree is right on the edges as well (RFC 9162, section 2.1.3.2)."""
    if index == 3:
        index = 13
        city.publish()
        city.write()
    make_bundle(_view(city), [index], tmp_path / "one.zip")
    done = _run(_unpacked(tmp_path / "one.zip", tmp_path / "out"))
    assert done.returncode == 0, done.stderr + done.stdout


def _replace(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def _change_log_key(path: Path) -> None:
    comment, log, rest = path.read_bytes().split(b"\n", 2)
    path.write_bytes(b"\n".join([comment, log[:-9] + (b"A" if log[-9:-8] != b"A" else b"B") + log[-8:], rest]))


TAMPER: dict[str, Callable[[Path], None]] = {
    "document": lambda act: next((act / "documents").iterdir()).write_bytes(b"other"),
    "record": lambda act: _replace(act / "record.json", b"Penetapan", b"Penetapam"),
    "entry": lambda act: _replace(act / "entry.json", b'"time":"2026', b'"time":"2027'),
    "signature": lambda act: next(act.glob("signature-*")).write_bytes(bytes(64)),
    "missing signature": lambda act: (next(act.glob("signature-*")).unlink(), next(act.glob("key-*")).unlink())[0],
    "proof hash": lambda act: _replace(act / "proof.tlog-proof", b"\nindex 4\n", b"\nindex 5\n"),
    "root": lambda act: _replace(act / "proof.tlog-proof", b"\n14\n", b"\n15\n"),
    "roster": lambda act: (act.parent.parent / "roster.jsonl").write_bytes(b""),
    "log key": lambda act: _change_log_key(act.parent.parent / "policy"),
    "origin": lambda act: _replace(act.parent.parent / "policy", b"log bening.example/kota", b"log bening.example/lain"),
}


@needs_openssl
@pytest.mark.parametrize("with_manifest", [False, True])
@pytest.mark.parametrize("name", TAMPER)
def test_readme_commands_fail_on_a_tampered_copy(bag: Path, tmp_path: Path, name: str, with_manifest: bool) -> None:
    """Whatever is changed, a command fails: the manifest's, or, where the manifest was made anew, the one that matters."""
    folder = _unpacked(bag, tmp_path / "out")
    TAMPER[name](folder / "data/acts/4")
    if with_manifest:
        files = sorted(path for path in (folder / "data").rglob("*") if path.is_file())
        lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files)
        (folder / "manifest-sha256.txt").write_text("".join(lines))
    done = _run(folder)
    assert done.returncode != 0, done.stdout
    assert "ALL HELD" not in done.stdout


# ---- from a stranger


def _rewritten(bag: Path, out: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(bag) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def _code(path: Path) -> str:
    with pytest.raises(LedgerError) as caught:
        read_bundle(path)
    return caught.value.code


def test_files_and_manifest_must_agree(bag: Path, tmp_path: Path) -> None:
    """A changed, extra or missing file, or no manifest, is told."""
    out = tmp_path / "x.zip"
    policy = "bening/data/policy"
    assert _code(_rewritten(bag, out, lambda files: files.update({policy: files[policy] + b"# more\n"}))) == "bundle-differs"
    assert _code(_rewritten(bag, out, lambda files: files.update({"bening/data/extra": b"x"}))) == "bundle-unknown-file"
    unlisted = {"bening/data/acts/5/entry.json": b"x"}
    assert _code(_rewritten(bag, out, lambda files: files.update(unlisted))) == "bundle-incomplete"
    assert _code(_rewritten(bag, out, lambda files: files.pop(policy) and None)) == "bundle-incomplete"
    assert _code(_rewritten(bag, out, lambda files: files.pop("bening/manifest-sha256.txt") and None)) == "bundle-incomplete"


UNSAFE = ["/etc/passwd", "bening/../out", "../out", "bening\\..\\out", "bening//x", "other/x", "bening/./x", "c:/x"]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused(bag: Path, tmp_path: Path, name: str) -> None:
    """Absolute paths, parents, backslashes and a second top folder are refused before anything is read."""
    assert _code(_rewritten(bag, tmp_path / "x.zip", lambda files: files.update({name: b"x"}))) == "bundle-unsafe"


def test_links_duplicates_and_bombs_are_refused(bag: Path, tmp_path: Path) -> None:
    """Symbolic links, two files of one name, too many members, and what unpacks to much more than it is."""
    link, twice, many, bomb = (shutil.copy(bag, tmp_path / f"{name}.zip") for name in ("link", "twice", "many", "bomb"))
    with zipfile.ZipFile(link, "a") as archive:
        info = zipfile.ZipInfo("bening/data/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("bening/data/policy", "x")
    with zipfile.ZipFile(many, "a") as archive:
        for number in range(10_001):
            archive.writestr(f"bening/data/{number}", "")
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bening/data/zeros", bytes(5_000_000))
    for path in (link, twice, many, bomb):
        assert _code(Path(path)) == "bundle-unsafe"


def test_encrypted_and_lying_members_are_refused(bag: Path, tmp_path: Path) -> None:
    """An encrypted member, or a size that is not true, is refused and no foreign exception leaks."""
    data = bytearray(bag.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    assert _code(tmp_path / "locked.zip") == "bundle-unsafe"
    data = bytearray(bag.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (5).to_bytes(4, "little")
    (tmp_path / "lying.zip").write_bytes(data)
    assert _code(tmp_path / "lying.zip") in ("bundle-unsafe", "bundle-differs")


def test_damage_anywhere_is_an_ordinary_error(city: City, bag: Path, tmp_path: Path) -> None:
    """Every hundredth byte flipped, and every cut: a ledger error or a verdict that does not hold, nothing else."""
    whole, out = bag.read_bytes(), tmp_path / "x.zip"
    step = max(len(whole) // 60, 1)
    for at in range(0, len(whole), step):
        for data in (whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :], whole[:at]):
            out.write_bytes(data)
            try:
                read_bundle(out)
            except LedgerError:
                continue


def test_an_office_file_is_no_bundle(city: City, tmp_path: Path) -> None:
    """A ZIP without bagit.txt is a document like any other."""
    path = tmp_path / "surat.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    verdict = verify_file(path, trusted=_trusted(city), source=open_source(str(city.path)))[0]
    assert verdict.checks[0].code == "document-not-found"
    with pytest.raises(FormatError):
        read_bundle(path)
