"""A town whose ledger holds one of everything that a page can meet; made once for all tests of pages.

``archive()`` returns it: ``archive().at["contract"]`` is the index of the act of that name, ``archive().refs[…]`` its
reference, ``archive().home`` the ledger. Nobody writes to it after it has been made.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ledger.publisher.handover import Outcome
from ledger.records.envelope import Envelope
from tests.publisher.town import Town

__all__ = ["HOSTILE", "LONG", "URL", "Archive", "archive"]

URL = "https://naskah.kota-uji.example"
HOSTILE = "<script>alert(1)</script> \"><img src=x onerror=alert(2)> {{ 7*7 }} '; DROP TABLE acts; --"
LONG = "Pekerjaan" * 110  # 990 characters without a space

_OFFICES = (
    ("setda", "Sekretariat Daerah", None),
    ("hukum", "Bagian Hukum", "setda"),
    ("pu", "Dinas Pekerjaan Umum dan Penataan Ruang", "setda"),
    ("bkpsdm", "Badan Kepegawaian dan Pengembangan Sumber Daya Manusia", "setda"),
    ("izin", "Dinas Penanaman Modal dan PTSP", "setda"),
    ("tani", "Dinas Pertanian", "setda"),
)
_FORMS = (
    ("perwal", "regulation", "Peraturan Wali Kota"),
    ("sk", "decision", "Keputusan Wali Kota"),
    ("sk-pegawai", "personnel", "Keputusan tentang Pegawai"),
    ("izin", "permit", "Izin"),
    ("spk", "contract", "Surat Perintah Kerja"),
    ("addendum", "contract", "Addendum Kontrak"),
    ("spmk", "order", "Surat Perintah Mulai Kerja"),
    ("bast", "handover", "Berita Acara Serah Terima"),
    ("mou", "agreement", "Nota Kesepahaman"),
    ("void", "void", "Penjelasan Nomor"),
    ("pengumuman", "notice", "Pengumuman"),
)
_CONTRACT: dict[str, Any] = {
    "value": "187500000", "currency": "IDR", "supplier": {"name": "CV Karya Contoh", "form": "CV", "id": "01.234.567.8-503"},
    "method": "Pengadaan Langsung", "category": "Pekerjaan Konstruksi", "plan_codes": ["54321098"], "ceiling": "190000000",
    "owner_estimate": "188750000.50", "award_number": "600/30/SPPBJ/2026", "start_on": "2026-02-09", "end_on": "2026-05-09",
    "pricing": "Lumsum", "funding": ["APBD 2026"], "budget_year": 2026, "registered_bidders": 3, "priced_bids": 1, "place": "Jalan Merdeka",
}  # fmt: skip


class Archive(Town):
    """``at`` and ``refs`` by the names of acts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, url=URL)
        self.at: dict[str, int] = {}
        self.refs: dict[str, str] = {}

    def keep(self, name: str, document: bytes | None = b"", **changes: Any) -> Outcome:
        """Publish an act under a name of this archive; its document holds the name."""
        body = None if document is None else b"%PDF-1.4 " + name.encode() + document
        act = self.act(body, **{"title": name, "number": f"188/{name}", **changes})
        outcome = self.submit(act)[0]
        assert outcome.index is not None, (name, outcome.reasons)
        self.at[name] = outcome.index
        self.refs[name] = _ref_of(act.envelope)
        return outcome

    def relates(self, kind: str, name: str, **more: Any) -> list[dict[str, Any]]:
        """Return the one relation to the act of a name."""
        return [{"type": kind, "ref": self.refs[name], **more}]


def _ref_of(envelope: Envelope) -> str:
    from ledger.records import canonical

    return str(canonical.parse(envelope.payload, limit=len(envelope.payload))["ref"])


@functools.cache
def archive() -> Archive:
    """Return the archive; it is made at its first use and goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="bening-archive-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = Archive(folder)
    _settle(found)
    _works(found)
    _law(found)
    _people(found)
    _distrust(found)
    _hostile(found)
    return found


def _settle(it: Archive) -> None:
    offices = [{"event": "office", "id": key, "name": name, **({"parent": up} if up else {})} for key, name, up in _OFFICES]
    forms = [{"event": "form", "id": key, "kind": kind, "name": name} for key, kind, name in _FORMS]
    kinds = sorted({kind for _, kind, _ in _FORMS})
    legal = {"offices": ["hukum", "setda"], "kinds": kinds, "holder": "Kepala Bagian Hukum", "position": "Kepala Bagian Hukum"}
    works = {"offices": ["pu"], "kinds": kinds, "holder": "PPK Dinas PU", "position": "Pejabat Pembuat Komitmen"}
    staff = {"offices": ["bkpsdm", "izin", "tani"], "kinds": kinds, "holder": "Kepala Badan", "position": "Kepala Badan Kepegawaian"}
    lost = {"offices": ["tani"], "kinds": kinds, "holder": "Kepala Dinas Pertanian", "position": "Kepala Dinas Pertanian"}
    book = {"event": "series", "id": "keputusan", "office": "hukum", "forms": ["sk"], "pattern": "188.4/{serial} Tahun {year}"}
    it.roster(
        *offices, *forms, it.enrolment("head", **legal), it.enrolment("works", **works, until="2031-12-31"),
        it.enrolment("staff", **staff), it.enrolment("lost", **lost), it.enrolment("gone", **lost),
        {**book, "start": 1, "resets": "yearly", "complete_from": "2026-01-01"},
        {"event": "duty", "office": "pu", "forms": ["spk", "addendum"], "from": "2020-01-01"},
        {"event": "duty", "office": "tani", "forms": ["perwal"], "from": "2021-01-01"},
        {"event": "duty", "office": "izin", "forms": ["izin"], "from": "2040-01-01"},
        {"event": "rule", "kind": "agreement", "signatures": 1, "positions": ["Kepala Bagian Hukum"]},
        {"event": "rule", "office": "hukum", "over": "pu"},
    )  # fmt: skip
    it.roster({"event": "retire", "key": it.key("gone").public.keyid})


def _works(it: Archive) -> None:
    """A contract from its award outside the ledger to its handover, amended once."""
    usual = {"office": "pu", "by": ["works"], "signatories": [{"position": "Pejabat Pembuat Komitmen", "capacity": "definitive"}]}
    outside = {"kind": "award", "number": "600/30/SPPBJ/2026", "year": 2026, "title": "Penunjukan Penyedia", "url": "https://lpse.example/30"}
    it.keep(
        "contract", form="spk", kind="contract", number="600/31/SPK/2026", title="Perbaikan Trotoar Jalan Merdeka", fields=_CONTRACT,
        signed_on="2026-02-02", effective_on="2026-02-09", relations=[{"type": "follows", "outside": outside}],
        extra={"lokasi_rinci": "RT 03"}, **usual,
    )  # fmt: skip
    it.keep(
        "order", form="spmk", kind="order", number="600/32/SPMK/2026", title="Mulai Kerja Perbaikan Trotoar", signed_on="2026-02-03",
        fields={"starts_on": "2026-02-09", "duration_days": 90}, relations=it.relates("follows", "contract"), **usual,
    )  # fmt: skip
    changes = [{"field": "value", "was": "187500000", "becomes": "196000000"}, {"field": "end_on", "was": "2026-05-09", "becomes": "2026-05-20"}]
    it.keep(
        "addendum", form="addendum", kind="contract", number="600/31/SPK/ADD-1/2026", title="Addendum Perbaikan Trotoar Jalan Merdeka",
        fields={"value": "196000000", "currency": "IDR", "supplier": {"name": "CV Karya Contoh"}, "changes": changes, "sequence": 1,
                "reason": "penambahan panjang trotoar"},
        signed_on="2026-04-20", relations=it.relates("amends", "contract"), **usual,
    )  # fmt: skip
    it.keep(
        "handover", form="bast", kind="handover", number="600/48/BAST/2026", title="Serah Terima Perbaikan Trotoar", signed_on="2026-05-20",
        fields={"stage": "final", "percent": 100}, relations=it.relates("completes", "contract"), **usual,
    )  # fmt: skip
    it.keep("unknown-supplier", form="spk", kind="contract", number="600/40/SPK/2026", title="Sewa Tenda", signed_on="2026-06-01",
            fields={"value": "9500000", "currency": "IDR", "supplier": {"unknown": "tidak tercantum"}}, **usual)  # fmt: skip


def _law(it: Archive) -> None:
    """Decisions of a declared book with a gap, an explained number, and everything that can become of a decision."""
    signed = {"signatories": [{"position": "Wali Kota", "capacity": "definitive"}]}
    it.keep("regulation", form="perwal", kind="regulation", number="7 Tahun 2026", title="Keterbukaan Naskah Dinas", promulgated_on="2026-01-06",
            fields={"subjects": ["keterbukaan informasi", "naskah dinas"], "legal_basis": ["UU 14/2008"]}, signed_on="2026-01-05", **signed)  # fmt: skip
    for serial, name in ((1, "plain"), (2, "revoked"), (3, "corrected"), (7, "annulled"), (8, "amended-in-vain"), (12, "reused")):
        it.keep(name, number=f"188.4/{serial} Tahun 2026", title=f"Keputusan contoh {name}", series="keputusan", serial=serial,
                signed_on=f"2026-03-{serial:02}", fields={"subjects": [f"perihal {name}"]}, **signed)  # fmt: skip
    it.keep("revocation", number="188.4/13 Tahun 2026", series="keputusan", serial=13, relations=it.relates("revokes", "revoked"), **signed)
    correction = it.relates("corrects", "corrected", reason="judul kurang lengkap")
    it.keep("correction", number="188.4/3 Tahun 2026", series="keputusan", serial=3, relations=correction, signed_on="2026-03-03", **signed)
    it.keep("annulment", number="188.4/14 Tahun 2026", series="keputusan", serial=14, relations=it.relates("annuls", "annulled"), **signed)
    it.keep("vain", number="188.4/15 Tahun 2026", series="keputusan", serial=15, relations=it.relates("amends", "amended-in-vain"), **signed)
    it.keep("vain-annulled", number="188.4/16 Tahun 2026", series="keputusan", serial=16, relations=it.relates("annuls", "vain"), **signed)
    void = {"series": "keputusan", "serials": [4, 5], "reason": "cancelled", "law": "Perwal 7/2026"}
    it.keep("void", None, form="void", kind="void", number=None, unnumbered_reason="penjelasan", title="Nomor 4 dan 5 batal", fields=void,
            signatories=[])  # fmt: skip
    it.keep("agreement", form="mou", kind="agreement", number="415.4/9/2026", title="Pemantauan Buku Terbuka",
            fields={"parties": ["Kota Uji", "Universitas Contoh"], "subject": "pemantauan"},
            signatories=[{"position": "Sekretaris Daerah", "capacity": "plt", "name": "Pejabat Contoh", "basis": "SK 1/2026"}])  # fmt: skip


def _people(it: Archive) -> None:
    """Personnel and permits, withheld and withdrawn documents, one number in two offices, a paper dated after its entry."""
    withheld = {"withheld": "ab" * 32, "media_type": "application/pdf", "role": "extract", "reason": "memuat data pribadi", "law": "UU 27/2022"}
    by = {"by": ["staff"], "signatories": [{"position": "Wali Kota", "capacity": "an"}]}
    it.keep("personnel", None, office="bkpsdm", form="sk-pegawai", kind="personnel", number="821/44/2026", title="Pengangkatan Kepala Puskesmas",
            documents=[withheld], fields={"action": "appoint", "people_count": 1, "positions": [{"to": "Kepala Puskesmas Contoh"}]}, **by)  # fmt: skip
    it.keep("permit", office="izin", form="izin", kind="permit", number="503/120/2026", title="Izin Reklame Jalan Merdeka",
            fields={"permit_type": "reklame", "applicant": {"withheld": "perorangan"}, "issued_on": "2026-05-02", "service_standard_days": 14},
            expires_on="2027-05-02", **by)  # fmt: skip
    it.keep("same-number", office="tani", form="sk", number="188.4/1 TAHUN 2026", title="Kelompok Tani", **by)
    it.keep("ahead", office="tani", form="sk", number="188.4/99 Tahun 2126", title="Bertanggal kemudian", signed_on="2126-01-01", **by)
    it.keep("withdrawn", office="tani", form="sk", number="188.4/50 Tahun 2026", title="Dokumen yang ditarik", **by)
    sha256 = it.file(b"%PDF-1.4 withdrawn")["sha256"]
    it.roster({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "memuat data pribadi"})


def _distrust(it: Archive) -> None:
    """Two acts by a key that is then revoked as untrustworthy; one of them is reaffirmed."""
    for name in ("disputed", "reaffirmed"):
        it.keep(name, office="tani", by=["lost"], number=f"520/{name}/2026", title=f"Bantuan benih {name}")
    it.keep("revoked-by-suspect", office="tani", by=["staff"], number="520/7/2026", title="Dicabut dengan kunci yang dicabut")
    it.keep("suspect-revocation", office="tani", by=["lost"], number="520/8/2026", title="Pencabutan oleh kunci yang dicabut",
            relations=it.relates("revokes", "revoked-by-suspect"))  # fmt: skip
    lost = it.key("lost").public.keyid
    it.roster({"event": "revoke", "key": lost, "suspect_from": it.at["disputed"], "reason": "kunci hilang"})
    it.roster({"event": "reaffirm", "acts": [_id_at(it, it.at["reaffirmed"])]})


def _id_at(it: Archive, index: int) -> str:
    from ledger.publisher.store import Store

    with Store(it.home, read_only=True) as store:
        act = store.index.by_index(index)
    assert act is not None
    return act.id


def _hostile(it: Archive) -> None:
    """Texts that try to be markup, and one word that is wider than any screen."""
    it.keep("hostile", number=HOSTILE[:190], title=HOSTILE, fields={"subjects": [HOSTILE]}, extra={"catatan": HOSTILE})
    it.keep("long", number="188/" + "9" * 15 + "/" + "N" * 170, title=LONG, fields={"subjects": ["S" * 300], "proposer": "P" * 300}, extra={"panjang": "x" * 4000},
            signatories=[{"position": "J" * 300, "capacity": "plh", "name": "N" * 300}])  # fmt: skip
