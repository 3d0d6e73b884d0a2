"""The state of a ledger elsewhere: the roster is replayed here, acts are read from their bytes, and questions go together."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import FetchError, LedgerError, ProofError, VerificationError
from ledger.publisher.state import open_state
from ledger.records.envelope import dump_envelope
from ledger.records.refs import draw_ref
from ledger.remote.client import Client
from ledger.remote.state import RemoteActs, RemoteState, Trust, placed_roster
from tests.publisher.town import Town
from tests.remote.site import Answer, Request, Site


def test_the_same_as_the_home_itself(town: Town, client: Client, trust: Trust) -> None:
    """Roster, size and every question give what the index in the home gives."""
    first = town.published(b"%PDF one", number="138/1 Tahun 2026")
    town.published(b"%PDF two", number=None, unnumbered_reason="tanpa nomor", relations=[{"type": "amends", "ref": first.ref}])
    there = RemoteState(client, trust)
    with open_state(town.home) as here:
        assert there.size == here.size
        assert (there.roster.hash, there.roster.offices, there.roster.forms) == (here.roster.hash, here.roster.offices, here.roster.forms)
        assert placed_roster(there) == here.roster
        act = here.index.by_ref(str(first.ref))
        assert act is not None
        sha256 = here.index.body(act.ref)["documents"][0]["sha256"]  # type: ignore[index]
        for index in (here.index, there.index):
            assert index.by_ref(act.ref) == act
            assert index.by_id(act.id) == act
            assert index.by_number(act.number_key) == [act]  # type: ignore[arg-type]
            assert index.by_office_number("hukum", " No. 138 / 1 tahun 2026 ") == [act]
            assert index.by_office_number("tani", "138/1 Tahun 2026") == []
            assert index.by_document(sha256) == [act]
            assert index.body(act.ref) == here.index.body(act.ref)
            assert index.by_ref(draw_ref()) is None
            assert index.body(draw_ref()) is None
        assert list(there.index.relating_to(act.ref)) == list(here.index.relating_to(act.ref)) != []


def test_a_question_is_asked_once(town: Town, site: Site, client: Client) -> None:
    """What is known is not asked again; what was noted is asked together, and then known."""
    acts, ref = RemoteActs(client), draw_ref()
    for _ in range(3):
        assert acts.by_ref(ref) is None
        assert acts.body(ref) is None
    assert site.count("GET", "/api/v1/find") == 1
    noting = RemoteActs(client, noting=True)
    refs = [draw_ref() for _ in range(250)]
    for one in refs:
        assert noting.by_ref(one) is None
        assert noting.by_office_number("hukum", f"{one} – Ä/ü") == []
    acts.prefetch(noting.noted)
    asked = [one for one in site.asked[1:] if one.path == "/api/v1/find"]
    assert sum(len(one.query) for one in asked) == 500
    assert max(len(one.query) for one in asked) <= 100
    assert len(asked) < 12
    before = len(site.asked)
    assert [acts.by_ref(one) for one in refs] == [None] * 250
    assert acts.by_office_number("hukum", f"{refs[0]} – Ä/ü") == []
    assert len(site.asked) == before


@pytest.mark.parametrize("number", ["No no:5", ".5", "no. NO 7/8", "No.", "ﬃ Ⅷ – 5", "ẞ/5", "5"])
def test_every_number_is_found_under_its_own_folding(town: Town, client: Client, number: str) -> None:
    """Folding twice is not folding once; what is asked leads to the same acts as in the index of the home."""
    town.published(b"%PDF one", number=number)
    town.published(b"%PDF two", number="5", title="Lain") if number != "5" else None
    acts = RemoteActs(client)
    with open_state(town.home) as here:
        for act in here.index.all():
            found = acts.by_number(act.number_key)  # type: ignore[arg-type]
            assert found == ([] if number == "No." and act.number == number else here.index.by_number(act.number_key))  # type: ignore[arg-type]
            assert acts.by_office_number("hukum", str(act.number)) == found


def test_an_answer_that_would_be_too_large_is_asked_for_in_parts(town: Town, site: Site, client: Client) -> None:
    """One question that is too much alone is told."""
    refs = [str(town.published(b"%%PDF %d" % n).ref) for n in range(5)]

    def small(request: Request) -> Answer | None:
        too_much = request.path == "/api/v1/find" and len(request.query) > 2
        return Answer.json(400, {"error": "find-too-much", "sentence": "S"}) if too_much else None

    site.lies.append(small)
    acts = RemoteActs(client)
    acts.prefetch([("ref", ref) for ref in refs])
    asked = len(site.asked)
    assert all(acts.by_ref(ref) for ref in refs)
    assert len(site.asked) == asked
    site.once(Answer(414), "GET", "/api/v1/find")
    with pytest.raises(FetchError):
        acts.by_ref(draw_ref())


def lie(site: Site, path: str, change: Any) -> None:
    """Change the true JSON answer at ``path``."""

    def changed(request: Request) -> Answer | None:
        if request.path != path:
            return None
        value = site.truth(request).value
        change(value)
        return Answer.json(200, value)

    site.lies.append(changed)


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for rows in value["acts"].values() for row in rows]


@pytest.mark.parametrize("change", [
    lambda value: value.pop("acts"),
    lambda value: value.update(acts=[]),
    lambda value: value["acts"].update(dict.fromkeys(value["acts"], 7)),
    lambda value: value["acts"].update({key: [7] for key in value["acts"]}),
    lambda value: [row.update(id="0" * 64) for row in _rows(value)],
    lambda value: [row.update(index=-1) for row in _rows(value)],
    lambda value: [row.update(index=True) for row in _rows(value)],
    lambda value: [row.update(time="yesterday") for row in _rows(value)],
    lambda value: [row.update(time=None) for row in _rows(value)],
    lambda value: [row.update(payload="!") for row in _rows(value)],
    lambda value: [row.update(payload=base64.b64encode(b"{}").decode()) for row in _rows(value)],
    lambda value: [row.update(payload=base64.b64encode(b"[" * 5000).decode()) for row in _rows(value)],
    lambda value: [row.pop("payload") for row in _rows(value)],
])  # fmt: skip
def test_hostile_answers_are_not_understood(town: Town, site: Site, client: Client, change: Any) -> None:
    """Wrong shapes, ids that are not the bytes', records that are none: never an act, and never a refusal of ours."""
    ref = str(town.published(b"%PDF one").ref)
    lie(site, "/api/v1/find", change)
    with pytest.raises(FetchError) as failed:
        RemoteActs(client).by_ref(ref)
    assert failed.value.code == "site-nonsense"


def test_an_act_that_was_not_asked_for_is_refused(town: Town, site: Site, client: Client) -> None:
    """A true act under another question's name answers nothing."""
    ref = str(town.published(b"%PDF one").ref)
    rows = site.truth(Request("GET", "/api/v1/find", (("ref", ref),), {})).value["acts"][f"ref={ref}"]
    lie(site, "/api/v1/find", lambda value: value["acts"].update(dict.fromkeys(value["acts"], rows)))
    acts = RemoteActs(client)
    for ask in (
        lambda: acts.by_ref(draw_ref()), lambda: acts.by_id("0" * 64), lambda: acts.by_document("0" * 64),
        lambda: acts.relating_to(draw_ref()), lambda: acts.body(draw_ref()),
    ):  # fmt: skip
        with pytest.raises(FetchError) as failed:
            ask()
        assert failed.value.code == "site-nonsense"
    assert acts.by_office_number("hukum", "99") == []


def _serve_roster(site: Site, lines: list[bytes]) -> None:
    site.once(Answer(200, b"".join(one + b"\n" for one in lines)), "GET", "/roster.jsonl", 99)


def test_another_founding_is_refused(town: Town, site: Site, client: Client, trust: Trust, tmp_path: Path) -> None:
    """A roster of another ledger, however well signed."""
    (tmp_path / "other").mkdir()
    other = Town(tmp_path / "other")
    _serve_roster(site, (other.home.public / "roster.jsonl").read_bytes().splitlines())
    with pytest.raises(VerificationError) as failed:
        _ = RemoteState(client, trust).roster
    assert failed.value.code == "other-founding"


def test_a_changed_roster_is_refused(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """An event left out, exchanged, repeated, or added by somebody who is not the authority."""
    town.roster({"event": "office", "id": "pu", "name": "PU"})
    lines = (town.home.public / "roster.jsonl").read_bytes().splitlines()
    stranger = town.roster_envelopes({"event": "office", "id": "x", "name": "X"}, signers=[town.key("stranger")])
    for changed in (lines[:1] + lines[2:], [lines[0], *reversed(lines[1:])], [*lines, lines[-1]],
                    [*lines, dump_envelope(stranger[0])]):  # fmt: skip
        site.lies.clear()
        _serve_roster(site, changed)
        with pytest.raises(VerificationError):
            _ = RemoteState(client, trust).roster


def test_a_roster_that_is_shorter_than_the_one_seen_is_refused(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """Whoever drops the event that revoked a key must not have its signatures taken."""
    town.roster({"event": "office", "id": "pu", "name": "PU"})
    seen = Trust(trust.founding, trust.check, tuple(RemoteState(client, trust).chain))
    assert RemoteState(client, seen).roster.n == 2
    _serve_roster(site, (town.home.public / "roster.jsonl").read_bytes().splitlines()[:-1])
    assert RemoteState(client, trust).roster.n == 1
    with pytest.raises(ProofError) as failed:
        _ = RemoteState(client, seen).roster
    assert failed.value.code == "roster-differs"


@pytest.mark.parametrize("data", [b"", b"{}\n", b"\n", b"x" * 60_000 + b"\n", b"\xff\n", b"[]\n"])
def test_a_roster_that_is_none(site: Site, client: Client, trust: Trust, data: bytes) -> None:
    """Not understood, or another founding: never an exception of somebody else's."""
    site.once(Answer(200, data), "GET", "/roster.jsonl")
    with pytest.raises(LedgerError):
        _ = RemoteState(client, trust).roster


def test_a_forged_checkpoint_has_no_size(site: Site, town: Town, client: Client, trust: Trust) -> None:
    """The size comes from signed bytes only."""
    note = (town.home.public / "checkpoint").read_bytes()
    site.once(Answer(200, note.replace(b"\n2\n", b"\n9\n")), "GET", "/checkpoint")
    with pytest.raises(VerificationError):
        _ = RemoteState(client, trust).size


def test_places_of_another_roster_are_not_taken(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """They are only believed beside the signed roster: same hash, same keys, ended where that ended them."""
    for change in (
        lambda value: value.update(hash="0" * 64), lambda value: value.pop("keys"), lambda value: value.update(keys=[]),
        lambda value: value["keys"][0].update(retired_at=4), lambda value: value["keys"][0].update(enrolled_at="x"),
    ):  # fmt: skip
        site.lies.clear()
        lie(site, "/api/v1/roster", change)
        with pytest.raises(FetchError):
            placed_roster(RemoteState(client, trust))


