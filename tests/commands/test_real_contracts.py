"""The real contracts, where they are present: published, audited, and one of them proven offline somewhere else."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.commands.bening import Bening

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def regency(bening: Bening, shared: Path) -> Bening:
    source = shared / "data" / "contracts-bandung-2025.jsonl"
    if not source.is_file():
        pytest.skip("the contracts are not here")
    for name in ("kab-bandung-roster.toml", "kab-bandung-contracts.toml"):
        shutil.copy(EXAMPLES / name, ".")
    Path("contracts.jsonl").write_bytes(source.read_bytes())
    bening("key", "new", "a.pem")
    bening("key", "new", "import.pem")
    bening("init", "kab", "--origin", "ledger.test/kab", "--name", "Kab. Uji", "--authority", "a.pem.pub", "--key", "a.pem")
    bening("roster", "apply", "kab-bandung-roster.toml", "-L", "kab", "--key", "a.pem", "--key", "import.pem")
    return bening


def test_every_line_ends_somewhere(regency: Bening) -> None:
    """Published, already published, or refused with a sentence: 948 lines; again, nothing is doubled; mended, it is in."""
    command = ("import", "contracts.jsonl", "--map", "kab-bandung-contracts.toml", "--key", "import.pem", "-L", "kab")
    dry = regency.json(*command, status=4)
    assert regency.json("status", "-L", "kab")["size"] == 2
    done = regency.json(*command, "--yes", status=4)
    assert done["counts"] == {"publish": 935, "already": 8, "refused": 5}
    assert sum(done["counts"].values()) == 948
    assert dry["counts"] == done["counts"]
    assert regency.json(*command, "--yes", status=4)["counts"] == {"publish": 0, "already": 943, "refused": 5}
    assert regency.json("fsck", "-L", "kab")["faults"] == []
    _mend_and_import_again(regency)


def _mend_and_import_again(regency: Bening) -> None:
    """The value above its ceiling is compared with the paper and confirmed; the others stay refused."""
    refused = Path("contracts.jsonl.refused.csv")
    with refused.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["bening_codes"] for row in rows} == {"number-used", "by-rule"}
    assert all(row["bening_reasons"] for row in rows)
    for row in rows:
        line = json.loads(row["line"])
        if line["budget_ceiling"] and line["value"] > line["budget_ceiling"]:
            row["line"] = json.dumps({**line, "checked_with_paper": True}, ensure_ascii=False)
    with Path("mended.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    again = ("import", "mended.csv", "--map", "kab-bandung-contracts.toml", "--key", "import.pem", "-L", "kab", "--yes")
    assert regency.json(*again, status=4)["counts"]["publish"] == 1


def test_audited_and_proven_elsewhere(regency: Bening, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The audit holds and shows what is untidy; a bundle is verified offline in a folder of its own; changed, it is not."""
    command = ("import", "contracts.jsonl", "--map", "kab-bandung-contracts.toml", "--key", "import.pem", "-L", "kab")
    regency(*command, "--yes", status=4)
    regency("trust", "add", "kab/public")
    audit = regency.json("audit", "kab/public")
    assert (audit["status"], audit["size"]) == (0, 937)
    codes = {finding["code"] for finding in audit["findings"]}
    assert len(codes) >= 6
    reference = next(act for finding in audit["findings"] for act in finding["acts"])
    regency("bundle", reference, "-L", "kab", "-o", "one.zip")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy("one.zip", elsewhere)
    shutil.rmtree("kab")
    assert regency.json("verify", elsewhere / "one.zip", "--offline")["status"] == 0
    data = bytearray((elsewhere / "one.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (elsewhere / "one.zip").write_bytes(bytes(data))
    assert regency("verify", elsewhere / "one.zip", "--offline", status=1)
