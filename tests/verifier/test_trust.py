"""Pinning: what is trusted is checked first, never replaced silently, and damage here is not blamed on the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import FetchError, FormatError, LedgerError, PolicyError, ProofError, StoreError, UsageError
from ledger.tlog.policy import parse_policy
from ledger.verifier.client import open_source
from ledger.verifier.reader import open_ledger
from ledger.verifier.trust import add_pin, follow, load_pin, load_pins, log_keys_changed_by, propose_file, propose_source
from tests.city import City, Keys


@pytest.fixture
def city(tmp_path: Path) -> City:
    city = City(tmp_path / "kota")
    city.publish()
    city.write()
    return city


def _code(error: pytest.ExceptionInfo[LedgerError]) -> str:
    return error.value.code


def test_pin_from_a_folder(city: City, tmp_path: Path) -> None:
    """What was checked is what is read back: policy, founding, roster and newest checkpoint."""
    pin = add_pin(tmp_path / "trust", propose_source(open_source(str(city.path))))
    assert (pin.name, pin.founding, pin.policy_file) == ("bening.example-kota", city.founding, city.policy)
    assert pin.note == city.checkpoint()
    assert list(pin.roster) == city.envelopes
    assert load_pins(tmp_path / "trust") == [pin]
    assert add_pin(tmp_path / "trust", propose_source(open_source(str(city.path)))) == pin


def test_pin_from_a_policy_file(city: City, tmp_path: Path) -> None:
    """A policy with its founding comment is enough; without it the founding must be given, and must agree."""
    pin = add_pin(tmp_path / "trust", propose_file(city.policy), name="kota")
    assert (pin.name, pin.founding, pin.note, pin.location) == ("kota", city.founding, None, None)
    bare = city.policy.split(b"\n", 1)[1]
    with pytest.raises(UsageError) as caught:
        propose_file(bare)
    assert _code(caught) == "founding-unknown"
    assert propose_file(bare, city.founding).founding == city.founding
    with pytest.raises(PolicyError) as differs:
        propose_file(city.policy, "0" * 64)
    assert _code(differs) == "founding-differs"


def test_a_ledger_that_disagrees_with_itself_is_not_pinned(city: City, tmp_path: Path) -> None:
    """Another founding, another key in the roster, or another entry 0 is refused at once."""
    bare = city.policy.split(b"\n", 1)[1]
    with pytest.raises(LedgerError) as caught:
        propose_source(open_source(str(city.path)), "ab" * 32, bare)
    assert _code(caught) == "other-founding"
    other = City(tmp_path / "lain", seed="other log")
    other.write()
    (city.path / "roster.jsonl").write_bytes((other.path / "roster.jsonl").read_bytes())
    for founding in (city.founding, other.founding):
        with pytest.raises(LedgerError) as caught:
            propose_source(open_source(str(city.path)), founding, bare)
        assert _code(caught) == "other-founding"


def test_same_origin_other_founding_or_keys_is_refused_loudly(city: City, tmp_path: Path) -> None:
    """A second ledger under a pinned name is refused, and the pin stays as it was."""
    trust = tmp_path / "trust"
    pin = add_pin(trust, propose_source(open_source(str(city.path))))
    other = City(tmp_path / "lain", seed="other log", name="Kota Lain")
    other.write()
    with pytest.raises(PolicyError) as caught:
        add_pin(trust, propose_source(open_source(str(other.path))))
    assert _code(caught) == "pinned-other-founding"
    with pytest.raises(PolicyError) as caught:
        add_pin(trust, propose_file(other.policy.split(b"\n", 1)[1], city.founding))
    assert _code(caught) == "pinned-other-keys"
    assert load_pins(trust) == [pin]


@pytest.mark.parametrize("name", ["policy", "founding", "roster.jsonl", "checkpoint", "location"])
@pytest.mark.parametrize("damage", [bytes(187), b"half a li"])
def test_local_damage_is_its_own_message(city: City, tmp_path: Path, name: str, damage: bytes) -> None:
    """A file of NUL bytes after a power cut is this machine's trouble, never the log's lie (golang/go#38348)."""
    pin = add_pin(tmp_path / "trust", propose_source(open_source(str(city.path))))
    (pin.folder / name).write_bytes(damage)
    if name == "location" and damage.isascii() and damage[0]:
        with pytest.raises(FetchError):
            open_source(load_pin(pin.folder).location or "")
        return
    with pytest.raises(StoreError) as caught:
        load_pin(pin.folder)
    assert _code(caught) == "trust-damaged"


def test_growth_is_followed(city: City, tmp_path: Path) -> None:
    """A grown ledger is accepted by a consistency proof, and its newest checkpoint and roster are kept."""
    pin = add_pin(tmp_path / "trust", propose_source(open_source(str(city.path))))
    city.office("dinas")
    for _ in range(300):
        city.publish()
    city.write()
    follow(pin, open_ledger(open_source(str(city.path)), pin.policy, pin.founding))
    again = load_pin(pin.folder)
    assert again.note == city.checkpoint()
    assert len(again.roster) == len(city.envelopes)


def test_rollback_and_fork_are_told_apart_and_kept(city: City, tmp_path: Path) -> None:
    """A smaller ledger and another history each have their code; both notes stay as evidence, the pin is not moved."""
    pin = add_pin(tmp_path / "trust", propose_source(open_source(str(city.path))))
    shorter, fork = city.fork(tmp_path / "pendek"), city.fork(tmp_path / "cabang", size=3)
    shorter.write(size=len(city.entries) - 1)
    fork.publish(title="Lain")
    fork.publish(title="Lain lagi")
    for other, size, code in ((shorter, None, "ledger-rolled-back"), (fork, 4, "ledger-forked"), (fork, 5, "ledger-forked")):
        if size:
            other.write(size=size)
        with pytest.raises(ProofError) as caught:
            follow(pin, open_ledger(open_source(str(other.path)), pin.policy, pin.founding))
        assert _code(caught) == code
    assert len(list((pin.folder / "evidence").iterdir())) == 4
    assert load_pin(pin.folder).note == pin.note


def test_rotated_keys_are_pinned_again_only_by_authority(city: City, tmp_path: Path) -> None:
    """During the overlap the old policy holds; afterwards the roster names the change, and ``trust add`` takes the new keys."""
    trust, source = tmp_path / "trust", open_source(str(city.path))
    pin = add_pin(trust, propose_source(source))
    city.rotate_log_keys("log 2", overlap=2)
    city.write()
    open_ledger(source, pin.policy, pin.founding)
    city.publish()
    city.publish()
    city.write()
    with pytest.raises(PolicyError) as caught:
        open_ledger(source, pin.policy, pin.founding)
    assert _code(caught) == "wrong-key"
    assert log_keys_changed_by(pin.policy, city.rosters) == city.rosters[-1].n
    assert log_keys_changed_by(parse_policy(city.policy), city.rosters) is None
    again = add_pin(trust, propose_source(source))
    assert again.name == pin.name
    assert again.vkeys == tuple(city.keys.vkeys)


def test_a_second_rotation_does_not_stop_the_first(city: City, tmp_path: Path) -> None:
    """A further change of keys is announced for later: the keys in force at the served size are pinned."""
    trust, source = tmp_path / "trust", open_source(str(city.path))
    add_pin(trust, propose_source(source))
    city.rotate_log_keys("log 2")
    for _ in range(3):
        city.publish()
    second = city.keys
    third, size = Keys(city.origin, "log 3"), len(city.entries) + 50
    event = {"event": "log_key", "vkeys": third.vkeys, "from_size": size, "overlap_until_size": size + 1}
    city.roster_event(event)
    city.write()
    assert add_pin(trust, propose_source(source)).vkeys == tuple(second.vkeys)


def test_a_failed_write_leaves_no_half_pin(city: City, tmp_path: Path) -> None:
    """Where nothing can be written, nothing appears."""
    (tmp_path / "trust").write_text("a file in the way")
    with pytest.raises((StoreError, UsageError)):
        add_pin(tmp_path / "trust", propose_file(city.policy))
    for name in ("../out", "A", "", "x" * 65):
        with pytest.raises(UsageError):
            add_pin(tmp_path / "elsewhere", propose_file(city.policy), name=name or " ")
    assert load_pins(tmp_path / "elsewhere") == []


def test_foreign_policies_are_refused() -> None:
    """What is no policy of one log is refused before it is pinned."""
    with pytest.raises(FormatError):
        propose_file(b"hello\n")


def test_the_kept_checkpoint_may_be_signed_by_other_keys_of_the_roster(tmp_path: Path) -> None:
    """Ended between checkpoint and policy, a pin of a ledger that changed its keys is still read back."""
    city = City(tmp_path / "kota")
    city.publish()
    city.write()
    pin = add_pin(tmp_path / "trust", propose_source(open_source(str(city.path))))
    policy = (pin.folder / "policy").read_bytes()
    city.rotate_log_keys("log2")
    city.publish()
    city.publish()
    city.write()
    add_pin(tmp_path / "trust", propose_source(open_source(str(city.path))))
    (pin.folder / "policy").write_bytes(policy)
    assert load_pin(pin.folder).vkeys == pin.vkeys
    (pin.folder / "roster.jsonl").unlink()
    with pytest.raises(StoreError) as caught:
        load_pin(pin.folder)
    assert caught.value.code == "trust-damaged"
