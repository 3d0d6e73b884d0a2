"""``status`` for monitors and people, ``upgrade``, ``restore --snapshot``: as they are typed."""

from __future__ import annotations

import datetime
import json
import re
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger.publisher.home import Home
from tests.commands.bening import Bening
from tests.publisher.version1 import turn_back

LINE = re.compile(r"BENING (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+)(\|[^|\n]+)?\n")


def line(bening: Bening, *, status: int, where: str = "city") -> str:
    """The one line of --nagios, in its form."""
    said = bening("status", "--nagios", "-L", where, status=status)
    assert LINE.fullmatch(said), said
    return said


def certificate(path: Path, days: float) -> Path:
    """Write a certificate that ends in so many days, with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=100))
        .not_valid_after(now + datetime.timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def settings(text: str) -> None:
    path = Path("city/bening.toml")
    path.write_text(text + path.read_text() if "=" in text.split("\n")[0] and "[" not in text else path.read_text() + text)


def test_one_line_and_its_status(bening: Bening) -> None:
    """No sequencer, no backup: WARNING; with both, OK; restored: CRITICAL; no home: UNKNOWN; never anything but a line."""
    bening.found()
    said = line(bening, status=1)
    assert "BENING WARNING" in said
    assert "bening backup" in said
    assert "size=1;;;0" in said
    bening("backup", "bk", "-L", "city", "--check")
    with Home.open(Path("city")).lock():
        assert line(bening, status=0).startswith("BENING OK - 1 entries out")
    Path("city/RESTORED").write_text("x")
    assert line(bening, status=2).startswith("BENING CRITICAL")
    Path("empty").mkdir()
    assert line(bening, status=3, where="empty").startswith("BENING UNKNOWN")
    assert line(bening, status=3, where="nowhere").startswith("BENING UNKNOWN")
    assert line(bening, status=3, where="http://127.0.0.1:9/").startswith("BENING UNKNOWN")
    Path("city/ledger.db").write_bytes(b"not a database at all" * 100)
    assert line(bening, status=2).startswith("BENING CRITICAL")


def test_a_crash_is_unknown(bening: Bening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised inside becomes a line with status 3."""
    bening.found()

    def broken(home: object) -> None:
        raise ZeroDivisionError("a|b\nc")

    monkeypatch.setattr("ledger.commands.watching.facts_of", broken)
    assert "ZeroDivisionError" in line(bening, status=3)


def test_help_says_which_table_holds(bening: Bening) -> None:
    """The one place where the exit statuses are not Bening's own says so."""
    said = " ".join(bening("status", "--help").split())
    assert "not that of Bening's other commands: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN" in said


def test_people_and_programs_are_told_the_same(bening: Bening) -> None:
    """The sentence for people, the code under --json; neither changes the exit status."""
    bening.found()
    assert "There is no backup".lower() in bening("status", "-L", "city").lower()
    assert "Belum ada cadangan: jalankan bening backup FOLDER --check." in bening("--lang", "id", "status", "-L", "city")
    found = bening.json("status", "-L", "city")["alerts"]
    assert {one["code"] for one in found} == {"not-running", "no-backup"}
    bening("backup", "bk", "-L", "city")
    note = json.loads(Path("city/backup.json").read_text())
    assert (note["size"], note["backup"], note["checked"]) == (1, str(Path("bk").absolute()), False)
    assert {one["code"] for one in bening.json("status", "-L", "city")["alerts"]} == {"not-running"}


@pytest.mark.parametrize(("days", "code"), [(60.0, None), (20.0, "certificate"), (-1.0, "certificate-over")])
def test_the_certificate_as_a_file(bening: Bening, days: float, code: str | None) -> None:
    """[operate] certificate names the file that nginx shows; it is read for its date."""
    bening.found()
    settings(f'\n[operate]\ncertificate = "{certificate(Path("site.pem"), days).absolute()}"\n')
    found = {one["code"] for one in bening.json("status", "-L", "city")["alerts"]}
    assert {one for one in found if one.startswith("certificate")} == ({code} if code else set())


def test_the_certificate_as_it_is_shown(bening: Bening) -> None:
    """Where the home's url is https, the site is asked; a site that does not answer is unknown, not wrong."""
    bening.found()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(Path("site.pem"), 5))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def answer() -> None:
        with context.wrap_socket(listening.accept()[0], server_side=True):
            pass

    thread = threading.Thread(target=answer)
    thread.start()
    settings(f'url = "https://127.0.0.1:{port}"\n')
    found = {one["code"]: one for one in bening.json("status", "-L", "city")["alerts"]}
    thread.join()
    listening.close()
    assert found["certificate"]["level"] == 2
    assert "certificate-unknown" in {one["code"] for one in bening.json("status", "-L", "city")["alerts"]}


def test_a_name_that_is_not_known_in_operate_is_refused(bening: Bening) -> None:
    """A slip of the pen must not look like a setting."""
    bening.found()
    settings('\n[operate]\nwebgroup = "x"\n')
    assert "webgroup" in bening("status", "-L", "city", status=4)


def test_a_term_that_ends_is_told_a_month_before(bening: Bening) -> None:
    """An official whose term ends within 30 days stands in the line of the monitor."""
    bening.found()
    bening("roster", "office", "hukum", "--name", "Bagian Hukum", "-L", "city", "--key", "a0.pem")
    until = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=10)).date()
    bening(
        "roster", "enrol", "--pub", "head.pem.pub", "--position", "Kepala", "--office", "hukum", "--kinds", "decision",
        "--from", "2020-01-01", "--until", until, "-L", "city", "--key", "a0.pem", "--key", "head.pem",
    )  # fmt: skip
    assert f"ends on {until}" in line(bening, status=1)


def test_upgrade_as_it_is_typed(bening: Bening) -> None:
    """An old home is refused with the command's name; --check changes nothing; then it is done, and goes on."""
    bening.found()
    bening.enrol_head()
    turn_back(Home.open(Path("city")))
    assert "bening upgrade" in bening("status", "-L", "city", status=4)
    assert "same to the byte" in bening("upgrade", "-L", "city", "--check")
    assert "bening upgrade" in bening("fsck", "-L", "city", status=4)
    assert bening.json("upgrade", "-L", "city")["done"] is True
    assert "Sound" in bening("fsck", "-L", "city")
    assert "already" in bening("upgrade", "-L", "city")
    Path("city/public/roster.jsonl").write_bytes(b"{}\n")
    assert bening.json("upgrade", "-L", "city", "--check", status=1)["faults"]


def test_an_older_snapshot_is_restored_by_its_name(bening: Bening) -> None:
    """Where the newest snapshot is damaged it is named, and the one before is there."""
    bening.found()
    bening("backup", "bk", "-L", "city")
    bening.enrol_head()
    bening("backup", "bk", "-L", "city")
    path = Path("bk/snapshots/00000002/ledger.db")
    path.write_bytes(path.read_bytes()[:-1])
    assert "00000002/ledger.db" in bening("restore", "bk", "again", status=4)
    bening("restore", "bk", "again", "--snapshot", "00000001")
    assert bening.json("recover", "-L", "again", "--from", "city/public")["came_back"] == 3
    assert bening.json("fsck", "-L", "again")["faults"] == []
