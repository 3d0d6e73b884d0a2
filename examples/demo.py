"""A demonstration: a small city founds its ledger, publishes its papers, and is checked. ``python examples/demo.py [DIR]``.

Everything is done by the ``bening`` command line, as anybody could type it. DIR (default ``demo``) is made afresh each
time; a folder that this program has not made is never touched.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from papers import make_paper

import cli
from ledger.publisher.home import Home
from ledger.words import choose_language

ROOT = Path(__file__).absolute().parents[1]
MARK = ".bening-demo"
PASSPHRASE = "contoh"
CITY = "Kota Contoh"
TODAY = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=7)).date()  # where the city is
YEAR = TODAY.year
DAY = TODAY.isoformat()

# Narration, Indonesian and English.
SAY = {
    "start": ("Contoh dibuat di {folder}. Semua memakai perintah bening; lihat {log}.",
              "The demonstration is made in {folder}. It uses only bening commands; see {log}."),
    "founded": ("1. {city} mendirikan bukunya. Tiga kunci otoritas; dua harus setuju untuk setiap perubahan wewenang.",
                "1. {city} founds its ledger. Three authority keys; two must agree to every change of who may sign."),
    "roster": ("2. Otoritas menyatakan unit kerja, bentuk naskah, lima kunci pejabat, dan satu buku nomor yang lengkap.",
               "2. The authority declares offices, forms, five officials' keys, and one number book that is complete."),
    "acts": ("3. Unit kerja menerbitkan naskah, dari peraturan sampai serah terima, dengan PDF dan label QR: {count}.",
             "3. Offices publish papers, from a regulation to a handover, with PDFs and QR labels: {count}."),
    "agreement": ("4. Nota kesepahaman ditandatangani dua pejabat, masing-masing dengan kuncinya sendiri.",
                  "4. An agreement is signed by two officials, each with a key of their own."),
    "later": ("5. Kontrak diubah dengan addendum, satu keputusan dicabut, satu dibetulkan, satu nomor dijelaskan batal.",
              "5. A contract is changed by an addendum, a decision revoked, another corrected, a number explained as void."),
    "online": ("6. Seorang warga memeriksa sebuah PDF pada buku itu:", "6. A citizen checks a PDF against the ledger:"),
    "offline": ("7. Pemeriksaan yang sama tanpa jaringan, hanya dengan bukti di samping berkasnya:",
                "7. The same without a network, with only the proof beside the file:"),
    "forged": ("8. Salinan yang nilainya diubah satu angka:", "8. A copy in which one digit was changed:"),
    "audit": ("9. Seorang wartawan memeriksa seluruh buku, dan melihat nomor yang tidak terbit:",
              "9. A journalist audits the whole ledger, and sees which number was not published:"),
    "end": ("Selesai. Yang terbuka untuk umum: {public}. Naskah dan bukti: {papers}. Coba:\n{command}",
            "Done. What the public sees: {public}. Papers and proofs: {papers}. Try:\n{command}"),
    "served": ("Contoh di {folder} sedang dilayani; tidak disentuh. Hentikan dulu (Ctrl-C di sana).",
               "The demonstration in {folder} is being served; it was not touched. Stop that first (Ctrl-C there)."),
    "not-ours": ("{folder} bukan folder contoh; tidak disentuh. Beri nama lain.",
                 "{folder} is no demonstration folder; it was not touched. Name another."),
}  # fmt: skip

OFFICES = (
    ("setda", "Sekretariat Daerah", None),
    ("bag-hukum", "Bagian Hukum", "setda"),
    ("dinas-pu", "Dinas Pekerjaan Umum", "setda"),
    ("dpmptsp", "Dinas Penanaman Modal dan PTSP", "setda"),
    ("bkpsdm", "Badan Kepegawaian", "setda"),
)
FORMS = (
    ("perwal", "regulation", "Peraturan Wali Kota"),
    ("sk", "decision", "Keputusan Wali Kota"),
    ("se", "circular", "Surat Edaran"),
    ("sk-pegawai", "personnel", "Keputusan tentang Pegawai"),
    ("izin", "permit", "Izin"),
    ("sppbj", "award", "Surat Penunjukan Penyedia"),
    ("spk", "contract", "Surat Perintah Kerja"),
    ("addendum", "contract", "Addendum Kontrak"),
    ("spmk", "order", "Surat Perintah Mulai Kerja"),
    ("bast", "handover", "Berita Acara Serah Terima"),
    ("mou", "agreement", "Nota Kesepahaman"),
    ("pengumuman", "notice", "Pengumuman"),
    ("penjelasan", "void", "Penjelasan Nomor"),
)
PEOPLE = {
    "sekda": ("Sekretaris Daerah", ["setda", "bag-hukum", "dinas-pu"], ["agreement", "decision", "notice"]),
    "hukum": ("Kepala Bagian Hukum", ["bag-hukum"], ["regulation", "decision", "circular", "void", "notice", "agreement"]),
    "pu": ("Pejabat Pembuat Komitmen Dinas PU", ["dinas-pu"], ["award", "contract", "order", "handover", "agreement"]),
    "izin": ("Kepala DPMPTSP", ["dpmptsp"], ["permit"]),
    "pegawai": ("Kepala Badan Kepegawaian", ["bkpsdm"], ["personnel"]),
}
MAYOR = "Wali Kota"
SERIALS = (
    (1, "Pembentukan Tim Taman Kota"),
    (2, "Penetapan Lokasi Pasar Pagi"),
    (3, "Tarif Parkir Tepi Jalan"),
    (6, "Penunjukan Sekolah Percontohan"),
)


class Demo:
    """The demonstration's folder, language and commands."""

    def __init__(self, folder: Path, lang: str) -> None:
        self.folder, self.lang = folder, lang
        self.papers, self.log = folder / "papers", folder / "commands.txt"
        self.refs: dict[str, str] = {}

    def say(self, key: str, **values: object) -> None:
        """Print one sentence of the narration."""
        print(SAY[key][self.lang == "en"].format(**values), flush=True)

    def settings(self) -> str:
        """Return the words before a command that make a shell use the demonstration's settings."""
        return f"XDG_CONFIG_HOME={shlex.quote(str(self.folder / 'settings'))}"

    def bening(self, *args: object, expect: tuple[int, ...] = (0,)) -> str:
        """Run one command, keep it in ``commands.txt``, and return what it printed."""
        words = [str(one) for one in args]
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(" ".join((*map(shlex.quote, words_of_bening()), *map(shlex.quote, words))) + "\n")
        out, err = io.StringIO(), io.StringIO()
        status: Any = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main(["--lang", self.lang, *words])
            except SystemExit as stopped:
                status = stopped.code
        if status not in expect:
            sys.exit(f"bening {' '.join(words)}: {status}\n{out.getvalue()}{err.getvalue()}")
        return out.getvalue()

    def answer(self, *args: object) -> dict[str, Any]:
        """Run one command with ``--json`` and return its answer."""
        found: dict[str, Any] = json.loads(self.bening(*args, "--json"))
        return found

    def publish(self, name: str, form: str, number: str | None, title: str, *options: object, by: str, body: str) -> None:
        """Label a paper, write it as a PDF, and publish it; its reference is kept under ``name``."""
        ref = self.answer("number", form)["labels"][0]["ref"]
        path = self.papers / f"{name}.pdf"
        heading = [next(one[2] for one in FORMS if one[0] == form), *([f"Nomor {number}"] if number else []), "tentang", title]
        path.write_bytes(make_paper(CITY, heading, [body, f"Ditetapkan di {CITY} pada {DAY}."], ref))
        said = ["--number", number] if number else ["--unnumbered", "tidak bernomor"]
        found = self.answer(
            "publish", path, "--key", self.key(by), "--form", form, *said, "--title", title, "--ref", ref,
            "--signed-on", DAY, "--signatory", MAYOR if form in ("perwal", "sk", "sk-pegawai", "se") else PEOPLE[by][0],
            "--yes", *options,
        )  # fmt: skip
        self.refs[name] = found["ref"]

    def key(self, name: str) -> Path:
        """Return the path of a key file."""
        return self.folder / "keys" / f"{name}.pem"


def words_of_bening() -> list[str]:
    """Return how ``bening`` is called from where the person stands."""
    script = Path(sys.executable).with_name("bening")
    return [near(script)] if script.is_file() else [near(Path(sys.executable)), near(ROOT / "cli.py")]


def near(path: Path) -> str:
    """Return a path as one types it from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> None:
    """Make the demonstration in the folder that the command line names."""
    demo = Demo(Path(sys.argv[1] if len(sys.argv) > 1 else "demo").absolute(), choose_language(None, os.environ))
    _fresh(demo)
    _settle(demo)
    demo.say("start", folder=demo.folder, log=demo.log)
    _found(demo)
    _publish_acts(demo)
    _agree(demo)
    _change(demo)
    _check(demo)
    public, paper = near(demo.folder / "city" / "public"), near(demo.papers / "kontrak.pdf")
    command = " ".join((demo.settings(), *map(shlex.quote, (*words_of_bening(), "verify", paper, "-L", public))))
    demo.say("end", public=public, papers=near(demo.papers), command=command)


def _fresh(demo: Demo) -> None:
    """Begin in an empty folder; one that is not a demonstration stays as it is."""
    if demo.folder.exists() and (not (demo.folder / MARK).is_file()) and (not demo.folder.is_dir() or any(demo.folder.iterdir())):
        demo.say("not-ours", folder=demo.folder)
        sys.exit(2)
    if (demo.folder / "city" / "bening.toml").is_file() and Home.open(demo.folder / "city").is_sequenced():
        demo.say("served", folder=demo.folder)
        sys.exit(2)
    if (demo.folder / MARK).is_file():
        shutil.rmtree(demo.folder)
    demo.papers.mkdir(parents=True)
    (demo.folder / "keys").mkdir(mode=0o700)
    (demo.folder / MARK).write_text("Made by examples/demo.py, which may delete this folder.\n", "utf-8")


def _settle(demo: Demo) -> None:
    """The demonstration has settings of its own, and never those of whoever runs it."""
    for name in [*os.environ]:
        if name.startswith("BENING_"):
            del os.environ[name]
    os.environ["XDG_CONFIG_HOME"] = str(demo.folder / "settings")
    demo.log.write_text(f"export {demo.settings()} BENING_PASSPHRASE={PASSPHRASE}\n", "utf-8")


def _found(demo: Demo) -> None:
    authority = [demo.key(f"otoritas-{n}") for n in (1, 2, 3)]
    for key in (*authority, *map(demo.key, PEOPLE)):
        demo.bening("key", "new", key, "--unencrypted")
    os.environ["BENING_PASSPHRASE"] = PASSPHRASE  # for the log's own key
    options = [part for key in authority for part in ("--authority", f"{key}.pub", "--key", key)]
    demo.bening("init", demo.folder / "city", "--origin", "ledger.kota-contoh.example/demo", "--name", CITY, "--threshold", 2,
                "--log-key", demo.key("log"), *options)  # fmt: skip
    demo.bening("setup", "-L", demo.folder / "city", "--name", "kota")
    demo.say("founded", city=CITY)
    (demo.folder / "keys" / "roster.toml").write_text(_roster(), "utf-8")
    keys = [part for key in (*authority[:2], *map(demo.key, PEOPLE)) for part in ("--key", key)]
    demo.bening("roster", "apply", demo.folder / "keys" / "roster.toml", *keys)
    demo.bening("trust", "add", demo.folder / "city" / "public", "--name", "kota")
    demo.say("roster")


def _roster() -> str:
    lines = []
    for office, name, parent in OFFICES:
        lines += ["[[office]]", f'id = "{office}"', f'name = "{name}"', *([f'parent = "{parent}"'] if parent else [])]
    for form, kind, name in FORMS:
        lines += ["[[form]]", f'id = "{form}"', f'kind = "{kind}"', f'name = "{name}"']
    for key, (position, offices, kinds) in PEOPLE.items():
        lines += ["[[enrol]]", f'pub = "{key}.pem.pub"', f'holder = "{position}"', f'position = "{position}"',
                  f"offices = {json.dumps(offices)}", f"kinds = {json.dumps(kinds)}", f'from = "{YEAR - 1}-01-01"']  # fmt: skip
    lines += ["[[rule]]", 'kind = "agreement"', "signatures = 2"]
    lines += ["[[series]]", 'id = "keputusan"', 'office = "bag-hukum"', 'forms = ["sk"]', 'pattern = "*/{serial} Tahun {year}"',
              "start = 1", 'resets = "yearly"', f'complete_from = "{YEAR}-01-01"']  # fmt: skip
    lines += ["[[duty]]", 'office = "dinas-pu"', 'forms = ["spk", "addendum"]', f'from = "{YEAR}-01-01"']
    return "\n".join(lines) + "\n"


def _publish_acts(demo: Demo) -> None:
    legal, works = ("--office", "bag-hukum"), ("--office", "dinas-pu")
    bidder = _fields("supplier.name=CV Karya Contoh", "supplier.form=CV", "currency=IDR", "value=Rp 187.500.000")
    demo.publish("perwal", "perwal", f"7 Tahun {YEAR}", "Keterbukaan Naskah Dinas", *legal,
                 *_fields("subjects=keterbukaan informasi"), by="hukum", body="Setiap naskah dinas diterbitkan.")  # fmt: skip
    for serial, title in SERIALS:
        demo.publish(f"sk-{serial}", "sk", f"188.4/{serial} Tahun {YEAR}", title, *legal,
                     *_fields(f"subjects={title.lower()}"), by="hukum", body=f"Menetapkan: {title}.")  # fmt: skip
    demo.publish("edaran", "se", f"061/15/SE/{YEAR}", "Jam Layanan Selama Libur", *legal,
                 by="hukum", body="Layanan tetap buka.")  # fmt: skip
    demo.publish("pengumuman", "pengumuman", None, "Rancangan Peraturan tentang Pasar", *legal, *_fields("subject=rancangan"),
                 by="hukum", body="Rancangan telah diajukan pada hari ini.")  # fmt: skip
    demo.publish("pegawai", "sk-pegawai", f"821/44/{YEAR}", "Pengangkatan Kepala Puskesmas", "--office", "bkpsdm",
                 *_fields("action=appoint", "people_count=1"), by="pegawai", body="Nama tidak diterbitkan.")  # fmt: skip
    demo.publish("izin", "izin", f"503/120/{YEAR}", "Izin Reklame Jalan Merdeka", "--office", "dpmptsp",
                 *_fields("permit_type=reklame", f"issued_on={DAY}"), by="izin", body="Izin untuk satu tahun.")  # fmt: skip
    demo.publish("sppbj", "sppbj", f"600/30/SPPBJ/{YEAR}", "Penunjukan Penyedia Perbaikan Trotoar", *works, *bidder,
                 by="pu", body="Menunjuk CV Karya Contoh.")  # fmt: skip
    demo.publish("kontrak", "spk", f"600/31/SPK/{YEAR}", "Perbaikan Trotoar Jalan Merdeka", *works, *bidder,
                 *_fields("ceiling=Rp 190.000.000", "method=Pengadaan Langsung"), "--relates", f"follows={demo.refs['sppbj']}",
                 by="pu", body="Nilai kontrak Rp 187.500.000 termasuk pajak.")  # fmt: skip
    demo.publish("spmk", "spmk", f"600/32/SPMK/{YEAR}", "Mulai Kerja Perbaikan Trotoar", *works, *_fields(f"starts_on={DAY}"),
                 "--relates", f"follows={demo.refs['kontrak']}", by="pu", body="Pekerjaan dimulai.")  # fmt: skip
    demo.say("acts", count=len(demo.refs))


def _agree(demo: Demo) -> None:
    """Two signers, three machines: draft, sign, sign, submit."""
    act, path = demo.folder / "mou.json", demo.papers / "mou.pdf"
    path.write_bytes(make_paper(CITY, ["NOTA KESEPAHAMAN"], ["Kota dan universitas bersama-sama memantau buku ini."]))
    signers = [part for name in ("sekda", "hukum") for part in ("--signer", f"{demo.key(name)}.pub")]
    demo.bening("draft", path, "-o", act, "--form", "mou", "--office", "bag-hukum", "--number", f"415.4/9/{YEAR}",
                "--title", "Nota Kesepahaman Pemantauan Buku Terbuka", "--signed-on", DAY, "--signatory", MAYOR,
                *_fields("parties=Kota Contoh", "parties=Universitas Contoh"), *signers)  # fmt: skip
    for name in ("hukum", "sekda"):
        demo.bening("sign", act, "--key", demo.key(name), "--yes")
    demo.bening("submit", act, path)
    demo.say("agreement")


def _change(demo: Demo) -> None:
    legal, works, contract = ("--office", "bag-hukum"), ("--office", "dinas-pu"), demo.refs["kontrak"]
    changed = 'changes=[{"field":"value","was":"187500000","becomes":"196000000"}]'
    demo.publish("addendum", "addendum", f"600/31/SPK/ADD-1/{YEAR}", "Addendum Perbaikan Trotoar", *works,
                 *_fields("value=Rp 196.000.000", "currency=IDR", "supplier.name=CV Karya Contoh", "supplier.form=CV"),
                 *_fields("reason=penambahan panjang trotoar", changed), "--relates", f"amends={contract}",
                 by="pu", body="Nilai menjadi Rp 196.000.000.")  # fmt: skip
    demo.publish("bast", "bast", f"600/48/BAST/{YEAR}", "Serah Terima Perbaikan Trotoar", *works,
                 *_fields("stage=final", "percent=100"), "--relates", f"completes={contract}",
                 by="pu", body="Selesai.")  # fmt: skip
    demo.publish("pencabutan", "sk", f"188.4/7 Tahun {YEAR}", "Pencabutan Keputusan tentang Tarif Parkir", *legal,
                 "--relates", f"revokes={demo.refs['sk-3']}", *_fields("subjects=pencabutan"), by="hukum",
                 body="Keputusan tentang tarif parkir dicabut.")  # fmt: skip
    by_legal = ("--key", demo.key("hukum"), "--yes")
    demo.answer("publish", *by_legal, "--corrects", demo.refs["sk-2"], "--title", "Penetapan Lokasi Pasar Pagi Jalan Kenanga",
                "--reason", "judul semula kurang lengkap", "--proof", demo.papers / "pembetulan.tlog-proof")  # fmt: skip
    demo.answer("publish", *by_legal, "--form", "penjelasan", *legal, "--signed-on", DAY,
                *_fields("series=keputusan", "serials=4", "reason=cancelled"),
                "--proof", demo.papers / "penjelasan.tlog-proof")  # fmt: skip
    demo.say("later")


def _check(demo: Demo) -> None:
    public, paper = demo.folder / "city" / "public", demo.papers / "kontrak.pdf"
    demo.say("online")
    _show(demo.bening("verify", paper, "-L", public))
    demo.say("offline")
    _show(demo.bening("verify", paper, "--offline", expect=(0, 3)), brief=True)
    forged = demo.folder / "kontrak-palsu.pdf"
    forged.write_bytes(paper.read_bytes().replace(b"187.500.000", b"157.500.000"))
    demo.say("forged")
    _show(demo.bening("verify", forged, "-L", public, expect=(1, 3)), brief=True)
    demo.say("audit")
    _show(demo.bening("audit", public, "--state", demo.folder / "audit"), brief=True)


def _show(text: str, *, brief: bool = False) -> None:
    """Print an answer; ``brief`` leaves out what was checked and held."""
    lines = text.splitlines()
    if brief:
        titles = {one for one, after in itertools.pairwise(lines) if one.endswith(":") and after.startswith("  + ")}
        lines = [line for line in lines if not line.startswith("  + ") and line not in titles]
    print("".join(f"   | {line}\n" for line in lines))


def _fields(*texts: str) -> tuple[str, ...]:
    return tuple(part for text in texts for part in ("--field", text))


if __name__ == "__main__":
    main()
