"""Handing over to a site: the same outcomes as on a folder, nothing doubled, and no promise believed that is not proven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import AdmissionError, FetchError, LedgerError, NewerFormatError, ProofError, SignatureError, StoreError
from ledger.publisher.handover import Submission as Local
from ledger.publisher.handover import hand_over as hand_over_here
from ledger.publisher.state import open_state
from ledger.records.envelope import Envelope, Signature
from ledger.remote import handover
from ledger.remote.client import Client
from ledger.remote.handover import Outcome, Submission, hand_over
from ledger.remote.promise import _check_same
from ledger.remote.state import RemoteState, Trust
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import Proof, format_proof, parse_proof
from ledger.words import explain, say_reason
from tests.publisher.town import Town, codes, no_passphrase
from tests.remote.site import CUT, Answer, Request, Site

ACTS = "/api/v1/acts"


def of(*acts: Local | Envelope) -> list[Submission]:
    return [Submission(act.envelope, act.documents) if isinstance(act, Local) else Submission(act) for act in acts]


def size_of(town: Town) -> int:
    with open_state(town.home) as state:
        return state.size


def waiting(*acts: Local) -> Answer:
    told = [{"id": one.envelope.id, "ref": "?", "state": "waiting", "status": f"{ACTS}/{one.envelope.id}"} for one in acts]
    return Answer.json(202, {"acts": told}, Location=f"{ACTS}/{acts[0].envelope.id}")


def test_the_same_outcomes_as_on_a_folder(town: Town, client: Client, trust: Trust) -> None:
    """Published with proof, already there, refused with every reason, twice in one run, a roster event: field by field."""
    first = town.act(b"%PDF one")
    number = town.record(b"%PDF one")["number"]
    batch = [first, first, town.act(b"%PDF two"), town.act(b"%PDF three", number=number, office="nowhere")]
    found = hand_over(client, trust, of(*batch))
    again = hand_over(client, trust, of(*batch))
    here = hand_over_here(town.home, batch, keys=no_passphrase)
    for remote, local in zip(again, here, strict=True):
        assert (remote.id, remote.ref, remote.index, remote.already) == (local.id, local.ref, local.index, local.already)
        assert codes(remote) == codes(local)  # type: ignore[arg-type]
        assert [say_reason(one, "en") for one in remote.reasons] == [say_reason(one, "en") for one in local.reasons]
    assert [one.already for one in found] == [False, True, False, False]
    assert [one.index for one in found] == [2, 2, 3, None]
    assert found[0].proof is not None
    event = town.roster_envelopes({"event": "office", "id": "pu", "name": "PU"})[0]
    assert (hand_over(client, trust, of(event))[0].index, hand_over(client, trust, of(event))[0].already) == (4, True)


def test_a_hundred_and_one_at_once(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """Two requests, in order."""
    acts = [town.act(b"%%PDF %d" % n) for n in range(101)]
    found = hand_over(client, trust, of(*acts))
    assert [one.index for one in found] == list(range(2, 103))
    assert [len(one.parts) for one in site.asked if one.method == "POST"] == [200, 2]
    assert hand_over(client, trust, []) == []


def test_large_documents_travel_apart(town: Town, site: Site, client: Client, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request holds some bytes only; what is larger than that goes alone."""
    monkeypatch.setattr(handover, "MOST_BYTES", 100_000)
    acts = [town.act(bytes([n]) * size) for n, size in enumerate((60_000, 30_000, 60_000, 900_000, 10))]
    assert [one.index for one in hand_over(client, trust, of(*acts))] == [2, 3, 4, 5, 6]
    assert [len(one.parts) for one in site.asked if one.method == "POST"] == [4, 2, 2, 2]


def test_a_site_that_takes_less_gets_less(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """413 halves a request; a single act that is too large is refused, in words."""
    acts = [town.act(b"%%PDF %d" % n) for n in range(5)]

    def small(request: Request) -> Answer | None:
        many = request.method == "POST" and len(request.parts) > 4
        return Answer.json(413, {"error": "too-long", "sentence": "S"}) if many else None

    site.lies.append(small)
    assert [one.index for one in hand_over(client, trust, of(*acts))] == [2, 3, 4, 5, 6]
    site.once(Answer(413), times=9)
    with pytest.raises(AdmissionError) as refused:
        hand_over(client, trust, of(town.act(b"%PDF big")))
    assert refused.value.reasons[0].code == "site-too-large"


def test_a_refusal_tells_all_reasons_in_the_language_that_was_asked_for(town: Town, site: Site, trust: Trust) -> None:
    """In both."""
    act = town.act(b"%PDF", office="nowhere", form="zzz")
    for lang in ("id", "en"):
        client = Client(site.url, lang=lang)
        assert codes(hand_over(client, trust, of(act))[0]) >= {"unknown-office", "unknown-form"}  # type: ignore[arg-type]
        assert {one.headers["accept-language"] for one in site.asked if one.method == "POST"} == {lang}
        site.asked.clear()


def test_what_a_refused_neighbour_kept_back_is_sent_again(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """A site may take nothing of a request of which one act is refused."""
    good, bad = town.act(b"%PDF good"), town.act(b"%PDF bad", office="nowhere")
    reasons = [{"code": "unknown-office", "path": "office", "sentence": "S"}]
    told = [{"id": good.envelope.id, "state": "not-taken", "reasons": []}, {"id": bad.envelope.id, "state": "refused", "reasons": reasons}]
    site.once(Answer.json(422, {"error": "admission", "sentence": "S", "acts": told}))
    found = hand_over(client, trust, of(good, bad))
    assert [one.index for one in found] == [2, None]
    assert say_reason(found[1].reasons[0], "id") == "S"
    never = [{"id": good.envelope.id, "state": "not-taken", "reasons": []}]
    site.once(Answer.json(422, {"error": "admission", "sentence": "S", "acts": never}), times=99)
    with pytest.raises(FetchError):
        hand_over(client, trust, of(good))


# -- no answer, or a late one


def cut_after(site: Site, times: int = 1) -> None:
    """Do what is asked, and then say nothing."""
    left = [times]

    def lie(request: Request) -> Answer | None:
        if request.method == "POST" and left[0]:
            left[0] -= 1
            site.truth(request)
            return CUT
        return None

    site.lies.append(lie)


def test_an_unanswered_submission_is_sent_again_and_not_doubled(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """The site had taken it: the answer is its place, as of something new, and the documents do not travel twice."""
    cut_after(site)
    found = hand_over(client, trust, of(town.act(b"%PDF one"), town.act(b"%PDF two")))
    assert [(one.index, one.already) for one in found] == [(2, False), (3, False)]
    assert size_of(town) == 4
    assert [len(one.parts) for one in site.asked if one.method == "POST"] == [4, 2]


def test_what_never_arrived_is_sent_whole_again(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """The site lacks the documents then, and gets them."""
    site.once(CUT, times=2)
    found = hand_over(client, trust, of(town.act(b"%PDF one")))
    assert (found[0].index, size_of(town)) == (2, 3)
    assert [len(one.parts) for one in site.asked if one.method == "POST"] == [2, 1, 1, 2]


def test_a_gateway_that_lost_its_answer_is_no_answer(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """502, 504, 500: it is not known what became of it, so it is sent again."""
    for n, status in enumerate((500, 502, 504)):
        site.once(Answer(status))
        assert hand_over(client, trust, of(town.act(b"%%PDF %d" % n)))[0].index == n + 2


def test_in_the_end_it_is_said_that_nothing_is_known(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """Exit 3, and that sending again is safe."""
    site.once(CUT, times=99)
    with pytest.raises(FetchError) as failed:
        hand_over(client, trust, of(town.act()))
    assert failed.value.code == "site-unanswered"
    assert "never recorded twice" in explain(failed.value, "en")
    assert "…" not in explain(failed.value, "id")
    assert size_of(town) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_site_is_asked_again(town: Town, site: Site, client: Client, trust: Trust, status: int) -> None:
    """As it says; then it is told as the machine's own trouble."""
    site.once(Answer.json(status, {"error": "busy", "sentence": "Full."}, Retry_After="2"))
    assert hand_over(client, trust, of(town.act()))[0].index == 2
    assert client.pauses == [2.0]  # type: ignore[attr-defined]
    site.once(Answer.json(status, {"error": "busy", "sentence": "Full."}, Retry_After="600"))
    with pytest.raises(StoreError) as failed:
        hand_over(client, trust, of(town.act(b"%PDF two")))
    assert "Full." in explain(failed.value, "en")


def test_what_waits_is_waited_for(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """202: asked for by its id, then answered with its proof as something new."""
    acts = [town.act(b"%PDF one"), town.act(b"%PDF two", office="nowhere")]
    site.once(waiting(*acts))
    polls = [0]

    def slowly(request: Request) -> Answer | None:
        if request.path != f"{ACTS}/{acts[0].envelope.id}":
            return None
        polls[0] += 1
        if polls[0] == 3:
            hand_over_here(town.home, acts, keys=no_passphrase)
        return Answer.json(200, {"id": acts[0].envelope.id, "state": "waiting"}) if polls[0] < 3 else None

    site.lies.append(slowly)
    found = hand_over(client, trust, of(*acts))
    assert (found[0].index, found[0].already, codes(found[1])) == (2, False, {"unknown-office", "no-signer-for-office-and-kind"})  # type: ignore[arg-type]
    assert found[0].proof is not None
    assert polls[0] == 3


def test_waiting_ends(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """After some time it is said that the act is kept and not published, and by which id to ask."""
    act = town.act()
    for kind, path in (("POST", ACTS), ("GET", f"{ACTS}/{act.envelope.id}")):
        answer = waiting(act) if kind == "POST" else Answer.json(200, {"id": act.envelope.id, "state": "waiting"})
        site.once(answer, kind, path, 10_000)
    with pytest.raises(StoreError) as failed:
        hand_over(client, trust, of(act), patience=0.05)
    assert failed.value.code == "sequencer-silent"
    assert act.envelope.id[:16] in explain(failed.value, "en")


def test_a_site_that_contradicts_itself_does_not_hold_anybody_for_ever(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """Waiting when it is sent, published when it is asked for, again and again."""
    act = town.act()
    site.once(waiting(act), times=10_000)
    told = {"id": act.envelope.id, "state": "published", "index": 2}
    site.once(Answer.json(200, told), "GET", f"{ACTS}/{act.envelope.id}", 10_000)
    with pytest.raises(StoreError):
        hand_over(client, trust, of(act), patience=0.1)


def test_a_document_that_changed_is_not_sent(town: Town, site: Site, client: Client, trust: Trust, tmp_path: Path) -> None:
    """As on a folder: refused, and nothing is submitted."""
    act = town.act(b"%PDF one")
    next(iter(act.documents.values())).write_bytes(b"%PDF two")
    with pytest.raises(AdmissionError) as refused:
        hand_over(client, trust, of(act))
    assert refused.value.reasons[0].code == "document-changed"
    assert size_of(town) == 2


# -- lies

Change = Callable[[dict[str, Any]], object]


def promise(site: Site, change: Change) -> None:
    """Take acts, and answer with something else than the truth about each."""

    def lie(request: Request) -> Answer | None:
        if request.method != "POST":
            return None
        truth = site.truth(request)
        value = truth.value
        for one in value["acts"]:
            change(one)
        return Answer.json(truth.status, value)

    site.lies.append(lie)


def unproven(client: Client, trust: Trust, *acts: Local | Envelope) -> str:
    """Hand over and require that nothing is told to be published; return the sentence."""
    with pytest.raises(ProofError) as failed:
        hand_over(client, trust, of(*acts))
    assert failed.value.code == "site-unproven"
    return explain(failed.value, "en")


def rewritten(text: str, **changes: Any) -> str:
    proof = parse_proof(text.encode())
    kept = {name: getattr(proof, name) for name in ("index", "hashes", "checkpoint", "extra")}
    return format_proof(Proof(**{**kept, **changes})).decode()


def test_the_proof_of_another_act_is_no_promise(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """A true proof, and not of what was sent; also with the other act's place."""
    other = town.published(b"%PDF other")
    assert other.proof is not None
    text = other.proof.decode()
    promise(site, lambda one: one.update(proof=text))
    assert "NOT" in unproven(client, trust, town.act(b"%PDF one"))
    site.lies.clear()
    promise(site, lambda one: one.update(proof=text, index=other.index))
    assert "another act" in unproven(client, trust, town.act(b"%PDF two"))


@pytest.mark.parametrize("change", [
    lambda one: one.pop("proof"),
    lambda one: one.update(proof=""),
    lambda one: one.update(proof="c2sp.org/tlog-proof@v1\nindex 2\n\n"),
    lambda one: one.pop("index"),
    lambda one: one.update(index=one["index"] + 1),
    lambda one: one.update(proof=rewritten(one["proof"], extra=None)),
    lambda one: one.update(proof=rewritten(one["proof"], index=0)),
    lambda one: one.update(proof=rewritten(one["proof"], index=1), index=1),
    lambda one: one.update(proof=rewritten(one["proof"], hashes=())),
    lambda one: one.update(proof=rewritten(one["proof"], hashes=(bytes(32),) * 2)),
    lambda one: one.update(proof=rewritten(one["proof"], checkpoint=parse_proof(one["proof"].encode()).checkpoint.replace(b"3\n", b"4\n", 1))),
    lambda one: one.update(proof=rewritten(one["proof"], checkpoint=parse_proof(one["proof"].encode()).checkpoint.replace(b"town", b"toWn"))),
    lambda one: one.update(proof="é" * 100),
])  # fmt: skip
def test_a_proof_that_does_not_hold_is_no_promise(town: Town, site: Site, client: Client, trust: Trust, change: Change) -> None:
    """None, cut, of another place, not leading to the root, under a changed or foreign checkpoint."""
    promise(site, change)
    unproven(client, trust, town.act())


@pytest.mark.parametrize("change", [
    lambda one: one.update(id="0" * 64), lambda one: one.update(state="done"), lambda one: one.pop("state"), lambda one: one.update(index="2"),
    lambda one: one.update(index=-1), lambda one: one.update(proof=7), lambda one: one.update(state="refused"), lambda one: one.clear(),
])  # fmt: skip
def test_an_answer_of_another_shape_is_none(town: Town, site: Site, client: Client, trust: Trust, change: Change) -> None:
    """Nobody's evidence, and never success."""
    promise(site, change)
    with pytest.raises(FetchError) as failed:
        hand_over(client, trust, of(town.act()))
    assert failed.value.code == "site-nonsense"


@pytest.mark.parametrize("acts", [None, [], {}, [{}] * 2, "x"])
def test_fewer_or_more_acts_than_were_sent(town: Town, site: Site, client: Client, trust: Trust, acts: Any) -> None:
    """Each act is answered, or the answer is none."""
    site.once(Answer.json(201, {"acts": acts}), times=9)
    with pytest.raises(LedgerError) as failed:
        hand_over(client, trust, of(town.act()))
    assert failed.value.code in ("site-nonsense", "site-says")


def test_another_ledger_s_promise_is_none(town: Town, site: Site, client: Client, trust: Trust, tmp_path: Path) -> None:
    """A second log of the same name, with keys of its own, that even holds this act's bytes."""
    (tmp_path / "other").mkdir()
    other = Town(tmp_path / "other")
    other.settle_in()
    theirs = Trust(other.home.founding, parse_policy((other.home.public / "policy").read_bytes()).check)
    assert hand_over(client, trust, of(town.act(b"%PDF one")))[0].index == 2
    with pytest.raises(ProofError) as failed:
        hand_over(client, theirs, of(town.act(b"%PDF two")))
    assert failed.value.code == "site-unproven"
    assert "not signed by the ledger's pinned keys" in explain(failed.value, "en")


def test_other_signatures_must_hold(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """An entry with the same payload under signatures that do not hold is not the act that was signed."""
    act = town.act()
    wrong = Envelope(act.envelope.payload_type, act.envelope.payload, (Signature(act.envelope.signatures[0].keyid, bytes(64)),))
    assert hand_over(client, trust, of(act))[0].index == 2
    found = hand_over(client, trust, of(Local(wrong, act.documents)))
    assert (found[0].index, found[0].already) == (2, True)  # what was sent now is wrong; what is published is not
    state = RemoteState(client, trust)
    _check_same(wrong, act.envelope, state)
    with pytest.raises(SignatureError):
        _check_same(act.envelope, wrong, state)
    other = Envelope(wrong.payload_type, wrong.payload, (Signature("0" * 64, act.envelope.signatures[0].sig),))
    with pytest.raises(SignatureError):
        _check_same(act.envelope, other, state)


def test_an_event_signed_by_more_is_the_same_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published with two signatures, sent again with three: the chain that is replayed vouches for it."""
    town = Town(tmp_path, authorities=3, threshold=2)
    site = Site(town.home)
    client = Client(site.url)
    trust = Trust(town.home.founding, parse_policy((town.home.public / "policy").read_bytes()).check)
    event = {"event": "office", "id": "pu", "name": "PU"}
    two = town.roster_envelopes(event, signers=town.authority[:2])[0]
    three = town.signed(two, town.authority)
    assert hand_over(client, trust, of(two))[0].index == 1
    found = hand_over(client, trust, of(three))[0]
    assert (found.index, found.already) == (1, True)
    site.close()


def test_a_newer_proof_is_not_checked(town: Town, site: Site, client: Client, trust: Trust) -> None:
    """Neither published nor a lie: it cannot be judged here."""
    promise(site, lambda one: one.update(proof=one["proof"].replace("@v1", "@v2", 1)))
    with pytest.raises(NewerFormatError):
        hand_over(client, trust, of(town.act()))


def test_outcomes_have_the_fields_of_the_folder_s() -> None:
    """Commands cannot tell them apart."""
    from dataclasses import fields

    from ledger.publisher.handover import Outcome as Here

    assert [one.name for one in fields(Outcome)] == [one.name for one in fields(Here)]
    assert [one.default for one in fields(Outcome)] == [one.default for one in fields(Here)]
