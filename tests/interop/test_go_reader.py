"""A foreign implementation reads a ledger: Go's golang.org/x/mod/sumdb, unmodified (reader.go).

It reads a small log made here with ``ledger.tlog``, and the folder of a real home by the log line of its ``policy-ed25519``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ledger.tlog.checkpoint import format_checkpoint, parse_checkpoint
from ledger.tlog.encoding import format_base64
from ledger.tlog.merkle import prove_consistency, prove_inclusion, root_hash
from ledger.tlog.note import Note, format_note, format_vkey, parse_note
from ledger.tlog.policy import parse_policy
from ledger.tlog.tiles import TileReader
from tests.publisher.town import Town
from tests.tlog.logs import LOG, LOG_PQ_KEY, WITNESSES, MemoryLog, flip

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
SIZE = 600
TREE = MemoryLog(SIZE)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built reader; skip without Go, or where its module cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("no Go here")
    folder = tmp_path_factory.mktemp("reader")
    for name in ("go.mod", "reader.go"):
        shutil.copy(HERE / name, folder)
    built = folder / "reader"
    # -mod=mod: the sums are fetched and checked by Go itself, into the temporary copy.
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        command = ["go", "mod", "download", "all"]
        got = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("golang.org/x/mod could not be had in time")
    if got.returncode:
        pytest.skip(f"golang.org/x/mod is not to be had here: {got.stderr.strip()[-200:]}")
    subprocess.run(["go", "build", "-o", built, "."], cwd=folder, env=environment, check=True, timeout=300)
    return built


def run(reader: Path, public: Path, vkey: str, *proofs: Path) -> tuple[int, str]:
    """Let Go read the published folder ``public``; return its exit status and what it said."""
    done = subprocess.run([reader, public, vkey, *proofs], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def publish(log: MemoryLog, public: Path) -> Path:
    """Write the files of ``log`` as they would be served: both of the log's signatures, and a witness's."""
    signers = (LOG, LOG_PQ_KEY, WITNESSES[0])
    signatures = tuple(one.sign(log.checkpoint) for one in signers)
    files = {**log.files, "checkpoint": format_note(Note(format_checkpoint(log.checkpoint), signatures))}
    for path, data in files.items():
        (public / path).parent.mkdir(parents=True, exist_ok=True)
        (public / path).write_bytes(data)
    return public


def spelled(kind: str, number: int, hashes: list[bytes]) -> str:
    return " ".join([kind, str(number), *map(format_base64, hashes)]) + "\n"


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, SIZE])
def test_go_reads_our_log(reader: Path, tmp_path: Path, size: int) -> None:
    """Go opens our checkpoint, proves our tiles up to its root, and finds in them the entries of our bundles."""
    log = MemoryLog(size)
    status, said = run(reader, publish(log, tmp_path), format_vkey(LOG.vkey))
    assert (status, said) == (0, f"OK {size} {format_base64(log.root)}\n")


def test_go_accepts_our_proofs(reader: Path, tmp_path: Path) -> None:
    """Every record proof and every tree proof that we make from tiles, Go accepts."""
    tiles = TileReader(SIZE, TREE.root, TREE.fetch)
    lines = [spelled("record", index, [TREE.leaves[index], *prove_inclusion(index, SIZE, tiles)]) for index in range(SIZE)]
    roots = [root_hash(TREE.leaves[:old]) for old in range(SIZE + 1)]
    lines += [spelled("tree", old, [roots[old], *prove_consistency(old, SIZE, tiles)]) for old in range(1, SIZE + 1)]
    (tmp_path / "proofs").write_text("".join(lines))
    status, said = run(reader, publish(TREE, tmp_path / "public"), format_vkey(LOG.vkey), tmp_path / "proofs")
    assert (status, said[:6]) == (0, "OK 600"), said


def test_go_refuses_a_false_proof(reader: Path, tmp_path: Path) -> None:
    """The proofs are truly looked at: one of another index is refused."""
    proof = prove_inclusion(5, SIZE, TREE.read)
    (tmp_path / "proofs").write_text(spelled("record", 6, [TREE.leaves[5], *proof]))
    status, said = run(reader, publish(TREE, tmp_path / "public"), format_vkey(LOG.vkey), tmp_path / "proofs")
    assert (status, "record 6" in said) == (1, True), said


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001"])
def test_go_refuses_a_tampered_log(reader: Path, tmp_path: Path, path: str) -> None:
    """The folder is truly looked at: a flipped bit in any kind of file is found."""
    public = publish(TREE, tmp_path)
    file = public / path
    file.write_bytes(flip(file.read_bytes(), 40))
    assert run(reader, public, format_vkey(LOG.vkey))[0] == 1


def test_go_reads_without_the_partial_tiles(reader: Path, tmp_path: Path) -> None:
    """Where a log has grown and its partial tiles are gone, the full ones serve the older checkpoint."""
    older, grown = MemoryLog(500), MemoryLog(512)
    public = publish(older, publish(grown, tmp_path))
    shutil.rmtree(public / "tile/0/001.p")
    status, said = run(reader, public, format_vkey(LOG.vkey))
    assert (status, said[:6]) == (0, "OK 500"), said


def read_published(reader: Path, public: Path) -> None:
    (log,) = parse_policy((public / "policy-ed25519").read_bytes()).logs
    checkpoint = parse_checkpoint(parse_note((public / "checkpoint").read_bytes()).text)
    status, said = run(reader, public, format_vkey(log))
    assert (status, said) == (0, f"OK {checkpoint.size} {format_base64(checkpoint.root)}\n")


def test_go_reads_what_the_publisher_has_published(reader: Path, tmp_path: Path) -> None:
    """The folder of a real home, over two full tiles of acts, is read by Go to the size of its checkpoint."""
    town = Town(tmp_path)
    town.settle_in()
    town.submit(*[town.act(b"%d" % n) for n in range(260)])
    read_published(reader, town.home.public)
