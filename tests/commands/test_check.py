"""``trust``, ``verify``, ``bundle`` and ``audit`` through the command line: what is printed, and the exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli import main
from tests.city import City, serve

BODY = b"%PDF-1.7 Surat Keputusan"


class Shell:
    """Runs ``bening`` in a person's own folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str], path: Path) -> None:
        self.capsys, self.path = capsys, path
        self.out = self.err = ""

    def __call__(self, *args: object, lang: str = "en") -> int:
        with pytest.raises(SystemExit) as caught:
            main(["--lang", lang, *map(str, args)])
        self.out, self.err = self.capsys.readouterr()
        return int(str(caught.value.code))

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BENING_LEDGER", raising=False)
    return Shell(capsys, tmp_path)


@pytest.fixture
def city(tmp_path: Path) -> City:
    city = City(tmp_path / "kota")
    city.publish(documents={"sk.pdf": BODY})
    city.publish()
    city.write()
    (tmp_path / "sk.pdf").write_bytes(BODY)
    return city


@pytest.mark.parametrize("lang", ["id", "en"])
def test_pin_then_verify_a_document(shell: Shell, city: City, tmp_path: Path, lang: str) -> None:
    """Pinning shows what a newspaper would print; a published file is then checked by its name alone."""
    with serve(city.path) as url:
        assert shell("trust", "add", url, "--name", "kota", lang=lang) == 0
        assert city.founding in shell.out
        assert "Ed25519" in shell.out
        assert shell("verify", tmp_path / "sk.pdf", lang=lang) == 0
        assert {"id": "sama persis", "en": "identical"}[lang] in shell.out.split("\n")[0]
        assert shell("verify", tmp_path / "sk.pdf", "-L", "kota", lang=lang) == 0
    assert shell("verify", tmp_path / "sk.pdf", lang=lang) == 3
    assert shell("trust", "list", lang=lang) == 0
    assert "bening.example/kota" in shell.out


def test_verify_statuses(shell: Shell, city: City, tmp_path: Path) -> None:
    """0 done and true, 1 false, 2 usage, 3 could not be checked."""
    proof, policy, other = tmp_path / "p.tlog-proof", tmp_path / "policy", tmp_path / "other.pdf"
    proof.write_bytes(city.proof(3))
    policy.write_bytes(city.policy)
    other.write_bytes(b"other")
    roster = city.path / "roster.jsonl"
    assert shell("verify", tmp_path / "sk.pdf", "--proof", proof, "--policy", policy) == 3
    assert "Not everything" in shell.out
    assert shell("verify", tmp_path / "sk.pdf", "--proof", proof, "--policy", policy, "--roster", roster) == 0
    assert shell("verify", proof, "--policy", policy, "--roster", roster, "--json") == 0
    assert shell.json()["verdicts"][0]["facts"]["ref"] == city.records[3].ref
    assert shell("verify", other, "--proof", proof, "--policy", policy, "--roster", roster) == 1
    assert shell("verify", other, "-L", city.path) == 3
    assert "not byte-identical" in shell.out
    assert shell("verify") == 2
    assert shell("verify", tmp_path / "none.pdf", "--policy", policy) == 3
    assert shell("verify", tmp_path / "sk.pdf") == 2
    assert "bening trust add" in shell.err


def test_unpinned_is_loud_and_never_done(shell: Shell, city: City, tmp_path: Path) -> None:
    """A ledger by its own policy: a warning on standard error, and 3."""
    assert shell("verify", tmp_path / "sk.pdf", "-L", city.path) == 3
    assert "not pinned" in shell.err
    assert "merely agrees with itself" in shell.err


def test_look_up_what_a_paper_says(shell: Shell, city: City) -> None:
    """A typed reference or number shows the act to compare."""
    shell("trust", "add", city.path)
    ref = city.records[3].ref
    assert shell("verify", "--ref", f"{ref[:4]}-{ref[4:8]}-{ref[8:]}".lower()) == 0
    assert "Compare with the paper" in shell.out
    assert shell("verify", "--number", "188/1 TAHUN 2026") == 0
    assert "188/1 Tahun 2026" in shell.out
    assert shell("verify", "--number", "nothing like it") == 3
    assert shell("verify", "--ref", "7K3QD9MZ2XX") == 2  # mistyped: says nothing about any paper


def test_several_files_end_in_the_worst(shell: Shell, city: City, tmp_path: Path) -> None:
    """One unknown file among good ones is 3; each has its heading."""
    shell("trust", "add", city.path)
    (tmp_path / "b.pdf").write_bytes(b"b")
    assert shell("verify", tmp_path / "sk.pdf", tmp_path / "b.pdf") == 3
    assert "== sk.pdf ==" in shell.out
    assert "== b.pdf ==" in shell.out


def test_bundle_and_verify_it_offline(shell: Shell, city: City, tmp_path: Path) -> None:
    """A bundle is made by reference and checked by the pinned ledger alone; unpinned it is 3."""
    out, ref = tmp_path / "bukti.zip", city.records[3].ref
    assert shell("bundle", ref, "-o", out, "-L", city.path, "--json") == 0
    assert shell.json()["indexes"] == [3]
    assert shell("verify", out) == 3
    assert shell("trust", "add", city.path) == 0
    assert shell("verify", out, "--offline") == 0
    assert shell("bundle", "0000000000Z", "-o", out) in (1, 3)
    out.write_bytes(out.read_bytes().replace(b"Penetapan", b"Penetapam", 1))
    assert shell("verify", out) == 1


def test_a_proof_of_a_ledger_that_is_not_pinned(shell: Shell, city: City, tmp_path: Path) -> None:
    """Another city's proof is not false, only not checkable here."""
    other = City(tmp_path / "lain", origin="bening.example/lain")
    shell("trust", "add", city.path)
    (tmp_path / "p.tlog-proof").write_bytes(other.proof(1))
    assert shell("verify", tmp_path / "p.tlog-proof") == 3
    assert "bening.example/lain" in shell.err


def test_trust_refuses_loudly(shell: Shell, city: City, tmp_path: Path) -> None:
    """Another founding under the same origin stops; a policy without a founding asks for one; damage is local."""
    other = City(tmp_path / "lain", name="Kota Lain")
    other.write()
    assert shell("trust", "add", city.path) == 0
    assert shell("trust", "add", other.path) == 1
    assert shell.err.startswith("STOP.")
    (tmp_path / "bare").write_bytes(city.policy.split(b"\n", 1)[1])
    assert shell("trust", "add", tmp_path / "bare") == 2
    assert shell("trust", "add", tmp_path / "none") == 3
    (tmp_path / "config/bening/trust/bening.example-kota/policy").write_bytes(bytes(99))
    assert shell("trust", "list") == 4
    assert "not about the ledger" in shell.err


def test_a_pin_is_removed_only_on_purpose(shell: Shell, city: City) -> None:
    """Forgetting a ledger takes its name and a yes; after that it can be pinned anew."""
    assert shell("trust", "add", city.path, "--name", "kota") == 0
    assert shell("trust", "remove", "other", "--yes") == 2
    assert shell("trust", "remove", "kota") == 2
    assert shell("trust", "list") == 0
    assert "kota" in shell.out
    assert shell("trust", "remove", "kota", "--yes") == 0
    assert shell("trust", "list") == 0
    assert "kota" not in shell.out
    assert shell("trust", "add", city.path, "--name", "kota") == 0


def test_a_default_ledger_from_the_settings(shell: Shell, city: City, tmp_path: Path) -> None:
    """Where nothing is pinned, the settings' ledger is asked, loudly."""
    (tmp_path / "config/bening").mkdir(parents=True)
    (tmp_path / "config/bening/config.toml").write_text(f'default = "kota"\n[ledgers]\nkota = "{city.path}"\n')
    assert shell("verify", tmp_path / "sk.pdf") == 3
    assert "not pinned" in shell.err


def test_audit_of_a_sound_and_of_a_changed_ledger(shell: Shell, city: City, tmp_path: Path) -> None:
    """A pinned, sound ledger is 0; by its own policy 3; with a changed entry 1."""
    assert shell("audit", city.path) == 3
    assert shell("trust", "add", city.path) == 0
    assert shell("audit", city.path, "--state", tmp_path / "state") == 0, shell.out + shell.err
    assert shell("audit", city.path, "--no-documents", "--json") == 0
    assert shell.json()["size"] == len(city.entries)
    city.entries[3] = city.entries[3].replace(b"2026", b"2027", 1)
    city.write(checkpoint=False)
    assert shell("audit", city.path) == 1


def test_audit_after_the_log_changed_its_keys(shell: Shell, city: City) -> None:
    """As verify has it: 3, by which event, and to pin again; then 0. A thief's keys stay false."""
    assert shell("trust", "add", city.path) == 0
    city.rotate_log_keys("log 2")
    city.publish()
    city.publish()
    city.write()
    assert shell("audit", city.path) == 3
    assert "changed by roster event 3" in shell.out
    assert "bening trust add" in shell.out
    assert shell("trust", "add", city.path) == 0
    assert shell("audit", city.path) == 0, shell.out
    other = City(shell.path / "lain", seed="thief")
    other.write()
    assert shell("audit", other.path) == 1


def test_audit_says_whether_it_remembers(shell: Shell, city: City, tmp_path: Path) -> None:
    """Only with a folder of its own is anything kept; without one it is recommended."""
    shell("trust", "add", city.path)
    shell("audit", city.path)
    assert "Give --state" in shell.out
    assert "are remembered" not in shell.out
    shell("audit", city.path, "--state", tmp_path / "state")
    assert "are remembered" in shell.out


def test_offline_asks_no_ledger(shell: Shell, city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever -L or BENING_LEDGER say; a pin's name still says which one is meant."""
    shell("trust", "add", city.path, "--name", "kota")
    (tmp_path / "sk.pdf.tlog-proof").write_bytes(city.proof(3))
    for place in (city.path, "http://127.0.0.1:9", "kota"):
        assert shell("verify", tmp_path / "sk.pdf", "--offline", "-L", place) == 0, shell.err
        assert "this check did not ask the ledger" in shell.out
    monkeypatch.setenv("BENING_LEDGER", str(city.path))
    assert shell("verify", tmp_path / "sk.pdf", "--offline") == 0
    assert "this check did not ask the ledger" in shell.out


def test_an_empty_number_is_a_usage_error(shell: Shell, city: City) -> None:
    """Nothing was typed; and what the look-up does not find is said as that."""
    shell("trust", "add", city.path)
    for typed in ("", "  ", "Nomor: "):
        assert shell("verify", "--number", typed) == 2
    shell("verify", "--number", "1/2/3")
    assert "The look-up found no act with 1/2/3" in shell.out


def test_lines_are_wrapped_on_a_terminal_only(shell: Shell, city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the terminal's width, the rest hanging under its own text; a pipe gets the lines whole."""
    shell("trust", "add", city.path)
    shell("verify", tmp_path / "sk.pdf")
    assert max(map(len, shell.out.split("\n"))) > 100
    monkeypatch.setattr("ledger.commands.check._width", lambda: 60)
    shell("verify", tmp_path / "sk.pdf")
    assert all(len(line) <= 60 for line in shell.out.split("\n") if not re.search(r"[0-9a-f/]{50}", line))
    assert [line for line in shell.out.split("\n") if line.startswith("    ") and not line.startswith("     ")]


def test_audit_without_state_still_remembers_the_pinned_ledger(shell: Shell, city: City, tmp_path: Path) -> None:
    """Rolled back after it was seen larger: found also by an audit that keeps no state of its own."""
    assert shell("trust", "add", city.path) == 0
    size = len(city.entries)
    city.write(size=size - 1)
    assert shell("audit", city.path) == 1
    assert str(size) in shell.out
    assert "check." not in shell.out
