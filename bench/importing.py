"""Writing: envelopes judged and committed, whole imports, what a public entry takes, and how the cost grows with the ledger."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.limits import verify_limit
from bench.table import Row, ratio_row
from ledger.index import Rows, key_of, packed
from ledger.publisher import sequencer
from ledger.publisher.admission import tip_of
from ledger.publisher.handover import Submission, hand_over
from ledger.publisher.home import Home
from ledger.publisher.sequencer import Sequencer
from ledger.publisher.signing import open_log_keys, sign_head
from ledger.publisher.store import Store
from ledger.records.envelope import Envelope
from ledger.sqlite import transaction
from tests.publisher.town import Town, no_passphrase

__all__ = ["cost_at_size", "imports", "prepared", "public_size", "whole_imports"]

COUNT, ROUNDS = 20_000, 5
_WITHHELD = {"media_type": "application/pdf", "role": "signed", "reason": "Dikecualikan", "law": "UU 14/2008"}


def prepared(town: Town, count: int) -> list[Envelope]:
    """Return signed acts whose one document is withheld: nothing but the envelope has to be handled."""
    return [
        town.act(
            None,
            number=f"138/{os.urandom(6).hex()} Tahun 2026",
            title="Penetapan Lokasi dan Besaran Belanja Pemeliharaan Jalan Lingkungan Tahun Anggaran 2026",
            documents=[{"withheld": os.urandom(32).hex(), **_WITHHELD}],
            extra={"catatan": "Ditetapkan dalam rapat; salinan disampaikan kepada yang berkepentingan untuk dilaksanakan."},
        ).envelope
        for _ in range(count)
    ]


@contextmanager
def _no_files() -> Iterator[None]:
    """Let the sequencer sign what it has committed, without writing public files."""
    real = sequencer.flush
    sequencer.flush = lambda home, keys, now: sign_head(home, keys, now).size  # type: ignore[attr-defined]
    try:
        yield
    finally:
        sequencer.flush = real  # type: ignore[attr-defined]


def imports() -> Row:
    """Envelopes a second from memory to committed, read back and signed; durable, without documents and public files."""
    work, limits = [], []
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder, _no_files():
        town = Town(Path(folder))
        town.settle_in()
        writer = Sequencer(town.home, open_log_keys(town.home, no_passphrase))
        for _ in range(ROUNDS):
            envelopes = prepared(town, COUNT)
            before = verify_limit()
            work.append(COUNT / _seconds(writer, envelopes))
            limits.append((before + verify_limit()) / 2)
        writer.close()
    name = f"import of {COUNT:,} prepared envelopes, committed and signed / verify limit"
    return ratio_row(name, work, limits, "/s", ">= 0.30")


def _seconds(writer: Sequencer, envelopes: list[Envelope]) -> float:
    began = time.perf_counter()
    if any(writer.take(envelopes)):
        raise RuntimeError("refused")
    return time.perf_counter() - began


def whole_imports(town: Town) -> Row:
    """Acts a second from files on the disk to published: documents durable, public files and look-ups written."""
    work, limits = [], []
    for _ in range(ROUNDS):
        acts = [_with_document(town) for _ in range(COUNT)]
        before = verify_limit()
        began = time.perf_counter()
        outcomes = hand_over(town.home, acts, keys=no_passphrase, bulk=True)
        work.append(COUNT / (time.perf_counter() - began))
        limits.append((before + verify_limit()) / 2)
        if any(one.index is None for one in outcomes):
            raise RuntimeError("refused")
    name = f"whole import of {COUNT:,} acts with documents, public files written / verify limit"
    return ratio_row(name, work, limits, "/s", ">= 0.10")


def _with_document(town: Town) -> Submission:
    return town.act(b"%PDF-1.4 " + os.urandom(1000), number=f"138/{os.urandom(6).hex()} Tahun 2026")


def public_size(home: Home) -> list[Row]:
    """Bytes of public files for each entry beside the entry itself, without documents and look-ups; and the files."""
    with Store(home, read_only=True) as store:
        size = store.published_size()
        entries = store.connection.execute("SELECT sum(length(data)) FROM entries WHERE idx < ?", (size,)).fetchone()[0]
    files = [path for path in home.public.rglob("*") if path.is_file()]
    counted = [path for path in files if path.relative_to(home.public).parts[0] not in ("documents", "lookup")]
    beside = (sum(path.stat().st_size for path in counted) - entries) / size
    inodes = sum(1 for _ in home.public.rglob("*"))
    return [
        Row(f"public bytes beside each of {size:,} entries", f"{beside:.1f} bytes", "48 bytes", beside / 48, "", "<= 1.0"),
        Row(f"inodes for {size:,} entries, documents and look-ups included", f"{inodes:,}", "", None),
    ]


def cost_at_size(small: int = 10_000, large: int = 1_000_000, count: int = 4_000, rounds: int = 13) -> Row:
    """Import at two sizes, turn by turn, through one merge of keys; the entries before are cheap ones, their keys random."""
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder, _no_files():
        writers: list[tuple[Town, Sequencer]] = []
        for size in (large, small):
            town = Town(_made(Path(folder) / str(size)))
            town.settle_in()
            _fill_cheaply(town.home, size)
            writers.append((town, Sequencer(town.home, open_log_keys(town.home, no_passphrase))))
        found: list[list[float]] = [[], []]
        for _ in range(rounds):
            for (town, writer), times in zip(writers, found, strict=True):
                times.append(_seconds(writer, prepared(town, count)) / count * 1e6)
        for _, writer in writers:
            writer.close()
    row = ratio_row(f"cost of an entry at {large:,} / at {small:,} entries", found[0], found[1], "µs", "<= 1.3")
    means = [statistics.fmean(times) for times in found]  # a merge is rare and costly: it counts by the mean
    return Row(row.name, f"{means[0]:,.0f} µs", f"{means[1]:,.0f} µs", means[0] / means[1], row.spread, row.bar)


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _fill_cheaply(home: Home, size: int) -> None:
    """Fill a store to ``size`` with rows of the usual length and random keys, under a head that covers them."""
    with Store(home) as store:
        store.connection.execute("PRAGMA synchronous = OFF")
        tip = tip_of(store)
        frontier = tip.frontier
        for start in range(tip.size, size, 50_000):
            end = min(start + 50_000, size)
            leaves = [os.urandom(32) for _ in range(start, end)]
            with transaction(store.connection):
                _insert(store, start, leaves, tip.time)
                frontier = frontier.extend(leaves)
        with transaction(store.connection):
            store.connection.execute("INSERT INTO heads VALUES (?, ?, ?)", (size, frontier.root(), tip.time))
            store.connection.execute("INSERT INTO frontiers VALUES (?, ?)", (size, frontier.to_bytes()))
            store.connection.execute("INSERT INTO signatures VALUES (?, 'bench', x'0a')", (size,))


def _insert(store: Store, start: int, leaves: list[bytes], time_: str) -> None:
    body, data = '{"x":"' + "y" * 900 + '"}', b"z" * 1600
    rows, entries = Rows(), []
    for index, leaf in enumerate(leaves, start):
        act_id, other = leaf.hex(), leaf[::-1].hex()
        entries.append((index, act_id, leaf, data))
        ref = f"{int.from_bytes(leaf[:7], 'big') & (1 << 50) - 1:010x}"[:10].upper() + "0"
        act = ("decision", "sk", "hukum", "1", "1", "2026", "t", "2026-01-01", "k", "", None, None, body)
        rows.acts.append((index, time_, act_id, ref, *act))
        keys = [key_of("id", act_id), key_of("ref", ref), key_of("number", other), key_of("sha256", other[8:] + act_id[:8])]
        rows.keys += packed(keys, index)
        rows.last = index
    store.connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", entries)
    rows.write(store.connection)
