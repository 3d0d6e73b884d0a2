"""Synthetic acts by the million, to measure reading: entries, index and catalogue as a ledger of that size has them.

    town = Town(folder); fill(town, 1_000_000)

Only what readers ask is made: one head of the right size, signed by the log. The acts carry no true signatures and no
documents' bytes, so that an audit of such a ledger fails, as it must.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import orjson

from ledger.catalog.feeding import Feed, Feeder
from ledger.catalog.rows import row_of, texts_of, wholes_of
from ledger.durable import write_files
from ledger.index import Rows, keys_of
from ledger.keyfile import load_log_keys
from ledger.publisher.admission import tip_of
from ledger.publisher.signing import sign_head
from ledger.publisher.store import Store
from ledger.publisher.tiles import hash_tile_files
from ledger.records.entry import Entry, dump_entry, format_time, parse_time
from ledger.records.envelope import Envelope, Signature
from ledger.records.record import RECORD_TYPE, Record
from ledger.records.refs import draw_ref
from ledger.records.replay import act_of
from ledger.records.roster import Roster
from ledger.sqlite import transaction
from ledger.tlog.merkle import leaf_hash
from tests.publisher.town import Town

__all__ = ["COMMON_WORDS", "fill"]

_BATCH = 10_000
_FIRST_YEAR, _YEARS = 2017, 10
_OFFICES = (
    "Sekretariat Daerah", "Bagian Hukum", "Dinas Pekerjaan Umum", "Dinas Kesehatan", "Dinas Pendidikan", "Dinas Sosial",
    "Dinas Perhubungan", "Dinas Pertanian", "Dinas Perikanan", "Dinas Lingkungan Hidup", "Dinas Perdagangan", "Dinas Pariwisata",
    "Dinas Kependudukan", "Dinas Ketahanan Pangan", "Dinas Komunikasi dan Informatika", "Dinas Arsip dan Perpustakaan",
    "Badan Kepegawaian", "Badan Keuangan", "Badan Pendapatan", "Badan Perencanaan", "Inspektorat", "Satuan Polisi Pamong Praja",
    "Kecamatan Utara", "Kecamatan Selatan", "Kecamatan Timur", "Kecamatan Barat", "Kecamatan Tengah", "Kecamatan Hulu",
    "Kecamatan Hilir", "Kecamatan Pesisir", "Kecamatan Kota", "Kecamatan Bukit",
)  # fmt: skip
_FORMS = (
    ("spk", "contract", "Surat Perintah Kerja"),
    ("perjanjian", "contract", "Surat Perjanjian"),
    ("pesanan", "contract", "Surat Pesanan"),
    ("sppbj", "award", "Surat Penunjukan Penyedia"),
    ("sk", "decision", "Keputusan Wali Kota"),
    ("sk-unit", "decision", "Keputusan Kepala"),
    ("perwal", "regulation", "Peraturan Wali Kota"),
    ("se", "circular", "Surat Edaran"),
    ("bast", "handover", "Berita Acara Serah Terima"),
    ("izin", "permit", "Izin"),
)
_METHODS = ("Pengadaan Langsung", "E-Purchasing", "Tender", "Penunjukan Langsung", "Swakelola", "Seleksi")
_COMMON = (
    "belanja pengadaan jalan gedung kantor pemeliharaan jasa modal rehabilitasi peralatan sekolah dasar kesehatan pembangunan "
    "saluran drainase makanan minuman rapat cetak alat tulis kendaraan dinas sewa tenda konsultansi perencanaan pengawasan "
    "puskesmas obat bahan pakaian seragam komputer jaringan listrik air bersih taman trotoar jembatan irigasi pasar kebersihan "
    "pelatihan sosialisasi petani nelayan bibit pupuk ternak koperasi usaha mikro penetapan lokasi panitia honorarium pegawai "
    "retribusi pajak hibah bantuan sosial warga kelurahan kecamatan rukun tetangga lampu penerangan rambu parkir terminal "
    "perizinan reklame bangunan kegiatan anggaran laporan keuangan arsip perpustakaan buku olahraga pemuda seni budaya wisata"
)
_OPEN = "ba ca da ga ka la ma na pa ra sa ta wa bi di gi ki li mi ni pi ri si ti bu du gu ku lu mu nu pu ru su tu"

COMMON_WORDS, _SYLLABLES = _COMMON.split(" "), _OPEN.split(" ")


def fill(town: Town, count: int, seed: int = 1) -> None:
    """Add ``count`` acts to the ledger of a town, with index and catalogue, and sign the head that covers them."""
    town.roster(*_events())
    chance = random.Random(seed)  # invented acts; the same for the same seed
    with Store(town.home) as store:
        connection = store.connection
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        tip = tip_of(store)
        roster, size, prev, time, frontier = tip.roster, tip.size, tip.prev, parse_time(tip.time), tip.frontier
        feeder = Feeder(town.home.search_db, founding=town.home.founding, utc_offset=roster.utc_offset)
        try:
            for start in range(size, size + count, _BATCH):
                end = min(start + _BATCH, size + count)
                leaves, feeds, rows = [], [], Rows()
                with transaction(connection):
                    for index in range(start, end):
                        time += chance.choice((0, 0, 0, 60))
                        record = _record(chance, town, index, count)
                        data = dump_entry(Entry(_envelope(record), prev, roster.hash, format_time(time)))
                        leaves.append(leaf_hash(data))
                        prev = leaves[-1].hex()
                        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", (index, record.id, leaves[-1], data))
                        rows.add(record, act_of(record, index=index, time=format_time(time)), keys_of(record))
                        feeds.append(_feed(record, roster, index, format_time(time)))
                    rows.write(connection)
                frontier = frontier.extend(leaves)
                feeder.add(feeds, start=start, size=end, leaf=prev)
                feeder.seal()
        finally:
            feeder.close()
        with transaction(connection):
            connection.execute("INSERT INTO heads VALUES (?, ?, ?)", (size + count, frontier.root(), format_time(time)))
    sign_head(town.home, [load_log_keys(one, None) for one in town.home.log_keys], time)
    with Store(town.home) as store:
        write_files(hash_tile_files(store, size, size + count), once=False)
        with transaction(store.connection):
            store.connection.execute("INSERT INTO published VALUES (?, ?)", (size + count, format_time(time)))


def _events() -> Iterator[dict[str, Any]]:
    for name in _OFFICES:
        yield {"event": "office", "id": name.lower().replace(" ", "-"), "name": name}
    for form, kind, name in _FORMS:
        yield {"event": "form", "id": form, "kind": kind, "name": name}


def _envelope(record: Record) -> Envelope:
    return Envelope(RECORD_TYPE, record.payload, (Signature(record.data["signers"][0], bytes(64)),))


def _feed(record: Record, roster: Roster, index: int, time: str) -> Feed:
    office, form = roster.offices[record.data["office"]]["name"], roster.forms[record.data["form"]]["name"]
    row = row_of(record, index=index, time=time, utc_offset=roster.utc_offset)
    return Feed(row, tuple(texts_of(record, office=office, form=form)), wholes_of(record))


def _record(chance: random.Random, town: Town, index: int, count: int) -> Record:
    form, kind, _ = chance.choices(_FORMS, (30, 6, 8, 12, 12, 12, 1, 3, 12, 4))[0]
    office = chance.choices(_OFFICES, range(len(_OFFICES) + 4, 4, -1))[0]
    year = _FIRST_YEAR + index * _YEARS // (count + 1)
    serial = f"{chance.randrange(1000):03}/{index % 5000}"
    sha256, name = hashlib.sha256(b"%d" % index).hexdigest(), f"{form}-{index}.pdf"
    data = {
        "v": 1,
        "founding": town.home.founding,
        "kind": kind,
        "form": form,
        "ref": draw_ref(chance.getrandbits),
        "office": office.lower().replace(" ", "-"),
        "number": f"{serial}/{form.upper()}/{year}",
        "title": _title(chance),
        "language": "id",
        "signed_on": f"{year}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
        "signatories": [{"position": f"Kepala {office}", "capacity": "definitive"}],
        "signers": ["0" * 64],
        "documents": [{"sha256": sha256, "size": 1000, "media_type": "application/pdf", "name": name, "role": "signed"}],
        "relations": [],
        "fields": _fields(chance, kind, count),
        "extra": {},
    }
    payload = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return Record(payload, hashlib.sha256(payload).hexdigest(), data)


def _title(chance: random.Random) -> str:
    words = [_word(chance) for _ in range(chance.randrange(4, 11))]
    return " ".join(words).capitalize()


def _word(chance: random.Random) -> str:
    """Return one of the common words, the first ones more often, or (one in four) a rare one."""
    if chance.random() < 0.25:
        return "".join(chance.choices(_SYLLABLES, k=chance.randrange(2, 4)))
    return COMMON_WORDS[int(chance.random() ** 1.7 * len(COMMON_WORDS))]


def _fields(chance: random.Random, kind: str, count: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if kind in ("contract", "award"):
        value = chance.randrange(5_000, 400_000) * 1000
        fields |= {"value": str(value), "currency": "IDR", "supplier": {"name": _supplier(chance, count)}}
    if kind == "contract":
        method = chance.choices(_METHODS, (60, 15, 8, 7, 6, 4))[0]
        code = f"1{chance.randrange(10**7):07}"
        fields |= {"method": method, "category": "Jasa Lainnya", "procurement_code": code}
    if kind == "regulation":
        fields["subjects"] = [_word(chance)]
    if kind == "handover":
        fields["stage"] = "final"
    if kind == "permit":
        fields["permit_type"] = "Reklame"
    return fields


def _supplier(chance: random.Random, count: int) -> str:
    """Return the name of one of ``count / 50`` suppliers, some of which get far more contracts than others."""
    names = random.Random(int(chance.random() ** 2 * max(20, count // 50)))  # as above
    return "CV " + " ".join("".join(names.choices(_SYLLABLES, k=3)).capitalize() for _ in range(2))
