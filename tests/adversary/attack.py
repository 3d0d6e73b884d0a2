"""A city, a reader who has pinned it, and the lies that somebody with the log's keys (or only a mirror) can tell."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger.records.entry import Entry, dump_entry, format_time
from ledger.records.envelope import Envelope
from ledger.records.record import RECORD_TYPE
from ledger.records.roster import Roster
from ledger.verifier.audit import AuditReport, audit
from ledger.verifier.bundle import make_bundle
from ledger.verifier.case import Trusted
from ledger.verifier.client import open_source
from ledger.verifier.reader import open_ledger
from ledger.verifier.trust import Pin, add_pin, load_pin, propose_source
from ledger.verifier.verdict import Verdict
from ledger.verifier.verify import verify_file
from tests.city import City

BODY = b"%PDF-1.7 Surat Keputusan"
FORGED = b"%PDF-1.7 forged"


class Scene:
    """A written city with the act ``record`` at ``index`` (document ``file``), two more acts, and a pin."""

    def __init__(self, path: Path, *, witnesses: tuple[str, ...] = ()) -> None:
        self.path = path
        self.city = City(path / "kota", witnesses=witnesses)
        self.record, self.index = self.city.publish(documents={"sk.pdf": BODY})
        self.city.publish()
        self.city.publish()
        self.city.write()
        self.renew()
        self.file = self.put("sk.pdf", BODY)

    def renew(self) -> None:
        """Pin what the city offers now, as ``trust add`` does."""
        self.pin: Pin = add_pin(self.path / "trust", propose_source(open_source(str(self.city.path))))

    @property
    def trusted(self) -> Trusted:
        """The pin as the next process finds it."""
        pin = load_pin(self.pin.folder)
        return Trusted(pin.policy, pin.founding, pin)

    def put(self, name: str, data: bytes) -> Path:
        """Write a file in the reader's hands."""
        path = self.path / name
        path.write_bytes(data)
        return path

    def online(self, file: Path | None = None, proof: bytes | None = None, where: Path | None = None) -> Verdict:
        """Verify one file with the ledger at hand."""
        source = open_source(str(where or self.city.path))
        return verify_file(file or self.file, trusted=self.trusted, source=source, proof=proof)[0]

    def offline(self, file: Path | None = None, proof: bytes | None = None) -> Verdict:
        """Verify one file with what is pinned only."""
        return verify_file(file or self.file, trusted=self.trusted, proof=proof)[0]

    def audit(self, state: str = "state", **options: Any) -> AuditReport:
        """Audit the city's folder."""
        source = open_source(str(self.city.path))
        return audit(source, self.pin.policy, self.pin.founding, state_dir=self.path / state, **options)

    def bundle(self, *indexes: int) -> Path:
        """Make an honest evidence bundle."""
        view = open_ledger(open_source(str(self.city.path)), self.pin.policy, self.pin.founding)
        make_bundle(view, indexes or (self.index,), self.path / "bukti.zip")
        return self.path / "bukti.zip"

    def slip(self, envelope: Envelope, roster: Roster, time: str | None = None) -> int:
        """Log ``envelope`` as nobody should: naming any roster, at any time; return its index."""
        city = self.city
        city.now += 60
        city.entries.append(dump_entry(Entry(envelope, city._prev(), roster.hash, time or format_time(city.now))))
        return len(city.entries) - 1

    def slip_record(self, body: bytes, roster: Roster, time: str | None = None, **changes: Any) -> int:
        """Log a signed record of one document as nobody should."""
        record = self.city.record(documents={"x.pdf": body}, **changes)
        index = self.slip(self.city.sign(RECORD_TYPE, record.data, record.data["signers"]), roster, time)
        self.city.records[index] = record
        return index


def rebag(bundle: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Return a copy of a bundle with other files and a manifest that agrees with them: anybody can make one."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(files)
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()) if name.startswith("data/"))
    files["manifest-sha256.txt"] = "".join(lines).encode()
    files.pop("tagmanifest-sha256.txt", None)
    out = bundle.with_name("ubah.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"bening/{name}", data)
    return out


def trouble(verdict: Verdict) -> list[tuple[str, str]]:
    """Return name and code of what failed or is disputed."""
    return [(one.name, one.code) for one in verdict.checks if one.state in ("failed", "disputed")]
