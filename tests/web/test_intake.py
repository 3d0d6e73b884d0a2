"""Submissions over HTTP: what is acknowledged is published, what is refused says why, and nobody is kept waiting by others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.publisher.inbox import Inbox
from ledger.publisher.state import fate_of
from ledger.records.envelope import dump_envelope
from ledger.tlog.merkle import check_inclusion, leaf_hash
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import parse_proof
from tests.publisher.town import Town
from tests.web.asgi import Client, Reply, form, form_of
from web.front.limits import Buckets


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.settle_in()
    return made


@pytest.fixture
def client(town: Town) -> Iterator[Client]:
    made = Client(town.home)
    yield made
    made.close()


def pending(town: Town) -> int:
    inbox = Inbox(town.home)
    try:
        return inbox.count_pending()
    finally:
        inbox.close()


def staged(town: Town) -> list[str]:
    return [path.name for path in town.home.staging.iterdir()]


def codes(reply: Reply) -> set[str]:
    return {reason["code"] for act in reply.json["acts"] for reason in act["reasons"]}


def test_a_submission_is_answered_with_a_proof_that_holds(town: Town, client: Client) -> None:
    """201, the place, and a proof under the published policy; the document is public under its hash."""
    act = town.act(b"%PDF-1.4 over http")
    reply = client.submit(act)
    assert reply.status == 201, reply.body
    found = reply.json["acts"][0]
    proof = parse_proof(found["proof"].encode())
    opened = parse_policy((town.home.public / "policy").read_bytes()).check(proof.checkpoint)
    leaf, checkpoint = leaf_hash(proof.extra or b""), opened.checkpoint
    check_inclusion(proof.hashes, index=found["index"], size=checkpoint.size, leaf=leaf, root=checkpoint.root)
    assert found["id"] == act.envelope.id
    assert found["state"] == "published"
    assert found["already"] is False
    sha256 = hashlib.sha256(b"%PDF-1.4 over http").hexdigest()
    assert client.get(f"/documents/{sha256[:2]}/{sha256}").body == b"%PDF-1.4 over http"
    assert reply.headers["location"] == f"/api/v1/records/{found['index']}"
    assert staged(town) == []


def test_the_same_act_again_is_answered_with_its_place(town: Town, client: Client) -> None:
    """An unanswered submission can be sent again: it is not doubled, also with its documents, also by JSON alone."""
    act = town.act(b"%PDF-1.4 twice")
    first = client.submit(act).json["acts"][0]
    for again in (client.submit(act), client.ask(
        "POST", "/api/v1/acts", body=dump_envelope(act.envelope), headers={"content-type": "application/json"}
    )):  # fmt: skip
        assert again.status == 201
        assert again.json["acts"][0]["index"] == first["index"]
        assert again.json["acts"][0]["already"] is True
    assert pending(town) == 0


def test_one_act_a_hundred_times_at_once_is_one_act(town: Town, client: Client) -> None:
    """All are answered with the same place, and the inbox held it once or twice, not a hundred times."""
    body, content_type = form_of([town.act(b"%PDF-1.4 flood")])
    said = {"body": body, "headers": {"content-type": content_type}}
    requests = [("POST", "/api/v1/acts", {**said, "address": f"203.0.113.{n % 4}"}) for n in range(100)]
    replies = client.ask_all(requests)
    assert {reply.status for reply in replies} == {201}
    assert len({reply.json["acts"][0]["index"] for reply in replies}) == 1
    inbox = Inbox(town.home)
    assert inbox.connection.execute("SELECT count(*) FROM submissions WHERE id = ?", (replies[0].json["acts"][0]["id"],)).fetchone()[0] <= 3
    inbox.close()


def test_a_batch_keeps_its_order(town: Town, client: Client) -> None:
    """A later act of a batch may revoke an earlier one: all are admitted, in the order given."""
    first = town.act(b"%PDF-1.4 first")
    ref = town.record(b"")["ref"]
    first = town.act(b"%PDF-1.4 first", ref=ref)
    second = town.act(b"%PDF-1.4 second", relations=[{"type": "revokes", "ref": ref}])
    reply = client.submit(first, second)
    assert reply.status == 201, reply.body
    places = [one["index"] for one in reply.json["acts"]]
    assert places == sorted(places)


def test_a_refusal_gives_every_reason_and_keeps_nothing(town: Town, client: Client) -> None:
    """422 with all reasons at once, in the asked language, before a document is taken."""
    act = town.act(b"%PDF-1.4 wrong", form="nope", office="nowhere")
    reply = client.submit(act, headers={"accept-language": "id"})
    assert reply.status == 422
    assert {"unknown-form", "unknown-office", "no-signer-for-office-and-kind"} <= codes(reply)
    assert reply.json["error"] == "admission"
    assert "tidak" in reply.json["acts"][0]["reasons"][0]["sentence"].lower()
    assert staged(town) == []
    assert pending(town) == 0
    assert fate_of(town.home, act.envelope.id).state == "unknown"


def test_a_stranger_can_stage_nothing(town: Town, client: Client) -> None:
    """Whoever is not enrolled is refused by the signature, before any document is read."""
    act = town.act(b"x" * 100_000, by=["stranger"])
    reply = client.submit(act)
    assert reply.status == 422
    assert "key-not-enrolled" in codes(reply)
    assert staged(town) == []


def test_documents_must_be_those_that_are_named(town: Town, client: Client) -> None:
    """A missing document is named; another one is refused; both leave nothing behind."""
    act = town.act(b"%PDF-1.4 named")
    envelope = ("envelope", dump_envelope(act.envelope))
    for parts, code in (([envelope], "document-missing"), ([envelope, ("document", b"%PDF-1.4 other")], "document-not-named")):
        body, content_type = form(parts)
        reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
        assert reply.status == 422, reply.body
        assert code in reply.body.decode()
    body, content_type = form([envelope, ("document", b"%PDF-1.4 named, but longer than said")])
    assert client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type}).status == 422
    assert staged(town) == []
    assert client.submit(act).status == 201


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([], 400),
        ([("envelope", b"{}")], 400),
        ([("envelope", b"not json")], 400),
        ([("document", b"first")], 400),
        ([("other", b"x")], 400),
        ([("envelope", b"[" * 60_000)], 413),
        ([("envelope", b"x" * 100_000)], 413),
    ],
)
def test_malformed_forms_are_refused_in_words(client: Client, parts: list[tuple[str, bytes]], status: int) -> None:
    """400 or 413 with a code and a sentence; never a 5xx."""
    body, content_type = form(parts)
    reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
    assert reply.status == status, reply.body
    assert reply.json["sentence"]
    assert reply.json["error"]


def test_malformed_forms_write_nothing_into_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """What a stranger sends wrong is answered; the log's lines are the site's own."""
    for body in (b"--x\r\nA\xff: b\r\n\r\nz\r\n--x--\r\n", b"--y", b"--x\r\nContent-Disposition", b"--x--"):
        reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": "multipart/form-data; boundary=x"})
        assert reply.status == 400, reply.body
    assert caplog.records == []


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300])
def test_other_content_types_are_refused(client: Client, content_type: str) -> None:
    """415 or 400, whatever the body says."""
    reply = client.ask("POST", "/api/v1/acts", body=b"x", headers={"content-type": content_type})
    assert reply.status in (400, 415)


def test_a_form_that_breaks_off_keeps_nothing(town: Town, client: Client) -> None:
    """The connection ends in the middle of a document: nothing staged, nothing waiting, and it can be sent again."""
    act = town.act(b"y" * 600_000)
    body, content_type = form_of([act])
    reply = client.ask("POST", "/api/v1/acts", body=[body[:400_000]], headers={"content-type": content_type}, breaks=True)
    assert reply.status == 400
    assert staged(town) == []
    assert pending(town) == 0
    assert client.submit(act).status == 201


def test_too_long_is_refused_before_it_is_read(town: Town, client: Client) -> None:
    """A declared length over the limit is refused at once; an undeclared one when it passes the limit."""
    limit = client.front.settings.most_upload
    reply = client.ask("POST", "/api/v1/acts", headers={"content-length": str(limit + 1), "content-type": "application/json"})
    assert reply.status == 413


def test_without_a_sequencer_the_answer_is_202_and_the_promise_comes_later(town: Town) -> None:
    """202 with a status link; once the sequencer has run, the same submission is answered with the place."""
    client = Client(town.home, sequencing=False)
    act = town.act(b"%PDF-1.4 later")
    reply = client.submit(act, headers={"prefer": "respond-async"})
    assert reply.status == 202
    assert reply.headers["location"] == f"/api/v1/acts/{act.envelope.id}"
    assert "retry-after" in reply.headers
    assert reply.json["acts"][0]["state"] == "waiting"
    assert pending(town) == 1
    client.sequencing = True
    assert client.submit(act).status == 201
    client.close()


def test_what_the_sequencer_refuses_is_told_with_its_reasons(town: Town, client: Client) -> None:
    """Of two acts with one number in one batch, the second is refused by the sequencer: 422, and the first is published."""
    first, second = town.act(b"%PDF-1.4 a", number="7"), town.act(b"%PDF-1.4 b", number="7")
    reply = client.submit(first, second)
    assert reply.status == 422
    assert [one["state"] for one in reply.json["acts"]] == ["published", "refused"]
    assert reply.json["acts"][1]["reasons"][0]["code"] == "number-used"


def test_garbage_is_limited_by_address_and_good_acts_are_not(town: Town, client: Client) -> None:
    """After a burst of refusals an address gets 429 with Retry-After; another address, and readers, go on."""
    body, content_type = form([("envelope", b"{}")])
    request = ("POST", "/api/v1/acts", {"body": body, "headers": {"content-type": content_type}})
    replies = client.ask_all([request] * 40) + client.ask_all([request] * 40)
    assert {reply.status for reply in replies} == {400}
    limited = client.ask(*request[:2], **request[2])
    assert limited.status == 429
    assert int(limited.headers["retry-after"]) >= 1
    assert client.get("/checkpoint").status == 200
    assert client.submit(town.act(b"%PDF-1.4 fine"), address="198.51.100.7").status == 201


def test_many_good_acts_from_one_address_are_not_limited(town: Town, client: Client) -> None:
    """An office that publishes a hundred acts is never told to wait."""
    for n in range(5):
        reply = client.submit(*[town.act(f"%PDF-1.4 {n} {m}".encode()) for m in range(20)])
        assert reply.status == 201


def test_the_staging_quota_answers_503_and_readers_are_served(town: Town) -> None:
    """Over the quota a submission is told to come back; nothing of it is kept."""
    client = Client(town.home)
    client.front.intake.staging.quota = 1000
    reply = client.submit(town.act(b"z" * 5000))
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) >= 1
    assert client.get("/checkpoint").status == 200
    assert staged(town) == []
    client.close()


def test_envelopes_in_memory_are_bounded(town: Town, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers cannot fill the memory with envelopes that are not judged yet; what a request held is let go with it."""
    monkeypatch.setattr("web.front.intake._MOST_HELD", 3000)
    assert client.submit(*[town.act(f"%PDF-1.4 {n}".encode()) for n in range(5)]).status == 503
    assert client.front.intake.held == 0
    assert client.submit(town.act(b"%PDF-1.4 small")).status == 201
    assert client.front.intake.held == 0


def test_one_address_cannot_take_every_place(town: Town, client: Client) -> None:
    """Of a hundred requests at once from one address some are told to come back, and another address is served meanwhile."""
    body, content_type = form_of([town.act(b"%PDF-1.4 crowd")])
    said = {"body": body, "headers": {"content-type": content_type}}
    other, other_type = form_of([town.act(b"%PDF-1.4 other")])
    crowd = [("POST", "/api/v1/acts", said)] * 120
    alone = ("POST", "/api/v1/acts", {"body": other, "headers": {"content-type": other_type}, "address": "198.51.100.3"})
    replies = client.ask_all([*crowd, alone])
    assert replies[-1].status == 201
    assert {reply.status for reply in replies[:-1]} == {201, 503}


def test_a_full_waiting_room_answers_503(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many acts wait already, new ones are told to come back."""
    monkeypatch.setattr("web.front.publishing.MOST_WAITING", 0)
    client = Client(town.home)
    reply = client.submit(town.act(b"%PDF-1.4 full"))
    assert reply.status == 503
    client.close()


def test_a_full_disk_answers_503(town: Town, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the watermark writes are refused with a sentence, and reading goes on."""
    monkeypatch.setattr("ledger.durable.LEAST_FREE", 2**62)
    reply = client.submit(town.act(b"%PDF-1.4 disk"))
    assert reply.status == 503
    assert reply.json["error"] == "disk-full"
    assert client.get("/checkpoint").status == 200


def test_more_than_a_hundred_acts_are_refused(town: Town, client: Client) -> None:
    """A request carries at most a hundred acts."""
    envelope = dump_envelope(town.act(b"%PDF-1.4 n").envelope)
    body, content_type = form([("envelope", envelope)] * 101)
    reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
    assert reply.status == 400
    assert reply.json["error"] == "too-many-acts"


def test_roster_events_are_taken_too(town: Town, client: Client) -> None:
    """The authority's events come in by the same door, several of them in one batch."""
    envelopes = [*town.roster_envelopes({"event": "office", "id": "kec", "name": "Kecamatan"})]
    reply = client.submit(*envelopes)
    assert reply.status == 201, reply.body
    assert reply.json["acts"][0]["ref"] is None
    forged = [town.signed(one, [town.key("stranger")]) for one in town.roster_envelopes({"event": "office", "id": "x", "name": "X"}, signers=[])]
    assert client.submit(*forged).status == 422


@given(
    st.lists(st.tuples(st.sampled_from(["envelope", "document", "other", ""]), st.binary(max_size=200)), max_size=5),
    st.binary(max_size=60),
    st.sampled_from(["multipart/form-data; boundary=b", "application/json", "multipart/form-data", "text/html", ""]),
    st.booleans(),
)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_no_body_ends_in_a_5xx(client: Client, parts: list[tuple[str, bytes]], noise: bytes, content_type: str, well: bool) -> None:
    """Whatever is sent: a described 4xx with a sentence, and nothing is kept (``Client`` compares with the description)."""
    client.front.refusals = Buckets(1000, 1000)
    body, right_type = form(parts)
    cut = len(noise) * len(body) // 60
    body, content_type = (body[:cut] + noise + body[cut:], right_type) if well else (body + noise, content_type)
    reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
    assert 400 <= reply.status < 500
    assert list(client.home.staging.iterdir()) == []


@given(st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_no_changed_envelope_is_taken(town: Town, client: Client, data: st.DataObject) -> None:
    """One byte of a signed envelope changed, put in or left out: refused, whatever it is."""
    client.front.refusals = Buckets(1000, 1000)
    envelope = bytearray(dump_envelope(town.act(b"%PDF-1.4 mutated").envelope))
    place = data.draw(st.integers(0, len(envelope) - 1))
    how, byte = data.draw(st.sampled_from(["change", "insert", "drop"])), data.draw(st.integers(0, 255))
    if how == "change":
        if envelope[place] == byte:
            return
        envelope[place] = byte
    elif how == "insert":
        envelope.insert(place, byte)
    else:
        del envelope[place]
    body, content_type = form([("envelope", bytes(envelope)), ("document", b"%PDF-1.4 mutated")])
    reply = client.ask("POST", "/api/v1/acts", body=body, headers={"content-type": content_type})
    assert 400 <= reply.status < 500, (how, place, byte)
