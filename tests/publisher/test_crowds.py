"""Many at once: files, documents, look-ups and submissions go other ways than few, to the same end."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import durable
from ledger.errors import AdmissionError, StoreError
from ledger.publisher import outbox
from ledger.publisher.ahead import Ahead
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import sequence_once
from ledger.publisher.staging import _locked_together, clear_uploads, stage
from ledger.publisher.store import Store
from tests.publisher.town import Town, no_passphrase


def _all_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_many_files_are_written_and_replaced(tmp_path: Path) -> None:
    """A crowd over several folders, new and anew, leaves its files and nothing else."""
    for data in (b"one", b"another"):
        files = [(tmp_path / "abc"[n % 3] / str(n), b"%s %d" % (data, n)) for n in range(200)]
        durable.write_files(files, once=False, within=tmp_path)
        assert _all_below(tmp_path) == {str(path.relative_to(tmp_path)): data for path, data in files}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_crowd_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what makes the files nor a disk that refuses leaves half of them, or a folder."""

    def made() -> Iterator[tuple[Path, bytes]]:
        yield from ((tmp_path / str(n), b"x") for n in range(100))
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        durable.write_files(made(), once=False)
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(durable, "sync_all", lambda _: (tmp_path / "none").stat())
        with pytest.raises(StoreError):
            durable.write_files(((tmp_path / str(n), b"x") for n in range(100)), once=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".0123.new").mkdir()
    (tmp_path / ".0123.new" / "7").write_bytes(b"of a process that was killed")
    assert durable.clear_unfinished(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def _papers(folder: Path, count: int) -> dict[str, Path]:
    made = {}
    for n in range(count):
        data = b"%%PDF-1.4 %d" % n + b"x" * (70_000 if n == 7 else 0)
        (path := folder / f"{n}.pdf").write_bytes(data)
        made[hashlib.sha256(data).hexdigest()] = path
    return made


def test_many_documents_are_staged_or_none(tmp_path: Path) -> None:
    """Each under its hash, a longer one too; one that has changed keeps the others from staying."""
    home, papers = Town(tmp_path).home, _papers(tmp_path, 150)
    list(papers.values())[140].write_bytes(b"changed")
    with pytest.raises(AdmissionError):
        stage(home, papers)
    assert list(home.staging.iterdir()) == []
    papers = _papers(tmp_path, 150)
    for _ in range(2):
        stage(home, papers)
        assert {hashlib.sha256(one.read_bytes()).hexdigest() for one in home.staging.iterdir()} == set(papers)
        assert {one.name for one in home.staging.iterdir()} == set(papers)


def test_a_crowd_of_the_living_is_left_alone(tmp_path: Path) -> None:
    """One lock stands for many files: while it is held none goes, and all go with a process that has died."""
    home = Town(tmp_path).home
    with contextlib.suppress(KeyError), _locked_together(f"{home.staging}/.0123", 3) as places:
        for place in places:
            Path(place).write_bytes(b"half")
        assert clear_uploads(home) == 0
        assert len(list(home.staging.iterdir())) == 4
        raise KeyError
    assert list(home.staging.iterdir()) == []
    for name in (".0123", ".0123-0", ".0123-1", ".4567-0"):
        (home.staging / name).write_bytes(b"of a process that was killed")
    assert clear_uploads(home) == 4
    assert list(home.staging.iterdir()) == []


def test_look_ups_read_together_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By beginnings of their names or one by one: the same files with the same bytes."""
    town = Town(tmp_path)
    town.settle_in()
    town.submit(*[town.act(b"%d" % n, number=f"{n}/2026") for n in range(40)])
    with Store(town.home, read_only=True) as store:
        buckets = store.index.buckets(0, 42)
        alone = dict(outbox.lookup_files(store, buckets))
        monkeypatch.setattr(outbox, "_MANY", 1)
        together = dict(outbox.lookup_files(store, buckets))
    assert together == alone
    assert {str(town.home.public / path): data for path, data in _all_below(town.home.public).items() if "lookup/" in path} == alone


def test_items_come_ahead_of_who_wants_them() -> None:
    """All of them in their order, then the error; what is not wanted any more is closed."""
    closed = []

    def items(count: int, error: Exception | None) -> Iterator[int]:
        try:
            yield from range(count)
            if error is not None:
                raise error
        finally:
            closed.append(count)

    assert list(Ahead(items(1000, None))) == list(range(1000))  # type: ignore[arg-type]
    found = []
    with pytest.raises(StoreError):
        found += list(Ahead(items(300, StoreError("child", code="worker-failed"))))  # type: ignore[arg-type]
    Ahead(items(10**9, None)).close()  # type: ignore[arg-type]
    assert closed == [1000, 300, 10**9]


def test_many_acts_with_documents_are_published(tmp_path: Path) -> None:
    """Examined while they are staged; a document that has changed keeps all of them out."""
    town = Town(tmp_path)
    town.settle_in()
    acts = [town.act(b"%%PDF-1.4 %d" % n, number=f"{n}/2026") for n in range(520)]
    changed = next(iter(acts[400].documents.values()))
    before = changed.read_bytes()
    changed.write_bytes(b"changed")
    with pytest.raises(AdmissionError):
        town.submit(*acts, bulk=True)
    assert (Store(town.home, read_only=True).published_size(), list(town.home.staging.iterdir())) == (2, [])
    changed.write_bytes(before)
    town.submit(acts[3])
    outcomes = town.submit(*acts, town.act(b"refused", office="nowhere"), bulk=True)
    assert sorted(one.index for one in outcomes if one.index is not None) == list(range(2, 522))
    assert [one.already for one in outcomes] == [n == 3 for n in range(521)]
    assert outcomes[-1].reasons
    assert all(one.ref for one in outcomes)
    assert sequence_once(town.home, no_passphrase)  # feeds the catalogue
    assert check_home(town.home) == []
