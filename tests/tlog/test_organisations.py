"""Two keys of one organisation are one voice; the log's own second key is none."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from ledger.tlog.note import format_vkey
from ledger.tlog.organisations import co_recorded, organisations
from ledger.tlog.policy import LOG_PQ, Policy, parse_policy
from tests.tlog.logs import LOG, LOG_PQ_KEY, WITNESSES, QuantumSigner

V0, V1, V2 = (format_vkey(one.vkey) for one in WITNESSES)
SECOND = format_vkey(QuantumSigner(WITNESSES[0].name, 30).vkey)
PQ = format_vkey(LOG_PQ_KEY.vkey)


def policy(*lines: str) -> Policy:
    """A policy of the test's log."""
    return parse_policy("".join(f"{line}\n" for line in (f"log {format_vkey(LOG.vkey)}", f"witness {LOG_PQ} {PQ}", *lines)).encode())


def test_two_keys_of_one_name() -> None:
    """They stand under their group's name, and count with the earlier of their times."""
    found = policy(f"witness a1 {V0}", f"witness a2 {SECOND}", f"witness b {V1}", "group komisi any a1 a2", "group q all komisi b", "quorum q")
    assert organisations(found) == {"komisi": ("a1", "a2"), "b": ("b",)}
    assert co_recorded(found, {"a2": 7, "a1": 9, LOG_PQ: 3}) == {"komisi": 7}
    assert co_recorded(found, {"a2": 7, "b": None}) == {"komisi": 7, "b": None}
    assert co_recorded(found, {LOG_PQ: 3}) == {}


def test_others_stand_for_themselves() -> None:
    """A choice between organisations is no organisation, nor are two keys that must both sign, nor the log's own key with another."""
    either = policy(f"witness a {V0}", f"witness b {V1}", "group outside any a b", "quorum outside")
    assert organisations(either) == {"a": ("a",), "b": ("b",)}
    both = policy(f"witness a1 {V0}", f"witness a2 {SECOND}", "group komisi all a1 a2", "quorum komisi")
    assert list(organisations(both)) == ["a1", "a2"]
    mine = format_vkey(QuantumSigner(LOG_PQ_KEY.name, 31).vkey)
    own = policy(f"witness x {mine}", f"group own any {LOG_PQ} x", "quorum own")
    assert co_recorded(own, {LOG_PQ: 3}) == {}
    assert organisations(policy("quorum none")) == {}


def test_the_sample_policy() -> None:
    """Two of four public bodies, and one from outside government; a choice between two outsiders is no organisation."""
    sample = parse_policy((Path(__file__).parents[2] / "examples" / "policies" / "kota.policy").read_bytes())
    assert list(organisations(sample)) == ["kpk", "bpkp", "inspektorat", "ombudsman", "universitas", "redaksi"]
    enough = {frozenset(some) for n in range(7) for some in combinations(organisations(sample), n) if sample.is_quorum(some)}
    public, outside = {"kpk", "bpkp", "inspektorat", "ombudsman"}, {"universitas", "redaksi"}
    every = [frozenset(some) for n in range(7) for some in combinations(public | outside, n)]
    assert enough == {some for some in every if len(some & public) >= 2 and some & outside}
