"""The real contracts, where they are present: every record reads the same in JavaScript, and a sample is compared in the browser."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.records import canonical
from ledger.records.numbers import fold_number
from ledger.verifier.case import Trusted
from ledger.verifier.client import open_source
from ledger.verifier.reader import open_ledger
from ledger.verifier.trust import add_pin, propose_source
from ledger.verifier.verify import verify_file, verify_typed
from tests.commands.bening import Bening
from tests.web.browser import local_site, new_page
from tests.web.verifying import Checker, differences

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def regency(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shared: Path) -> Home:
    source = shared / "data" / "contracts-bandung-2025.jsonl"
    if not source.is_file():
        pytest.skip("the contracts are not here")
    bening = Bening(tmp_path, capsys, monkeypatch)
    for name in ("kab-bandung-roster.toml", "kab-bandung-contracts.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    shutil.copy(source, tmp_path / "contracts.jsonl")
    bening("key", "new", "a.pem")
    bening("key", "new", "import.pem")
    bening("init", "kab", "--origin", "ledger.test/kab", "--name", "Kab. Uji", "--authority", "a.pem.pub", "--key", "a.pem")
    bening("roster", "apply", "kab-bandung-roster.toml", "-L", "kab", "--key", "a.pem", "--key", "import.pem")
    bening("import", "contracts.jsonl", "--map", "kab-bandung-contracts.toml", "--key", "import.pem", "-L", "kab", "--yes", status=4)
    return Home.open(tmp_path / "kab")


def test_real_contracts_in_the_browser(regency: Home, browser: Browser, tmp_path: Path) -> None:
    """All 935 records parse and fold alike; every 40th is compared online, by file and by number, as Python compares it."""
    with Store(regency, read_only=True) as store:
        bodies = [str(row[0]).encode() for row in store.connection.execute("SELECT body FROM acts ORDER BY idx")]
    assert len(bodies) == 935
    policy = (regency.public / "policy-ed25519").read_bytes()
    source = open_source(str(regency.public))
    pin = add_pin(tmp_path / "trust", propose_source(source, policy_file=policy))
    trusted, view = Trusted(pin.policy, pin.founding, pin), open_ledger(source, pin.policy, pin.founding)
    with local_site(regency) as site:
        page = new_page(browser)
        checker = Checker(page, site)
        _compare_records(checker, bodies)
        checker.pin()
        for body in bodies[::40]:
            data = canonical.parse(body, limit=40_000)
            document = data["documents"][0]
            content = regency.document(document["sha256"]).read_bytes()
            (tmp_path / "one").write_bytes(content)
            ours = checker.files({"one": content})
            assert differences(ours, verify_file(tmp_path / "one", trusted=trusted, source=source)) == []
            assert [one["status"] for one in ours] == [0] * len(ours)
            assert differences(checker.typed(number=data["number"]), verify_typed(view, trusted, number=data["number"])) == []
        page.context.close()


def _compare_records(checker: Checker, bodies: list[bytes]) -> None:
    """Ids, folded numbers and documents of all records."""
    script = """a.map((text) => { const r = m.parseRecord(b.parseBase64(text)); return [r.id, r.data.number, r.documents.map((one) => one.sha256)]; })"""
    found: list[Any] = checker.run("record", script, [base64.b64encode(one).decode() for one in bodies])
    data = [json.loads(one) for one in bodies]
    wanted = [[hashlib.sha256(raw).hexdigest(), one["number"], [doc["sha256"] for doc in one["documents"]]] for raw, one in zip(bodies, data, strict=True)]
    assert found == wanted
    numbers = [one["number"] for one in data if one["number"] is not None]
    assert checker.run("numbers", "a.map(m.foldNumber)", numbers) == [fold_number(one) for one in numbers]
