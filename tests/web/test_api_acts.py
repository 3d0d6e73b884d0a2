"""One act over the API: the record as signed, its standing, history, documents, proof, bundle; and exact look-ups."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ledger.publisher.store import Store
from ledger.records.numbers import number_hash
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import parse_proof
from ledger.verifier.client import FolderSource
from ledger.verifier.reader import open_ledger
from ledger.verifier.unbundle import read_bundle
from tests.web.api_ledger import ServedTown
from web.api import bundling


@pytest.fixture
def town(tmp_path: Path) -> ServedTown:
    return ServedTown(tmp_path)


def act_at(town: ServedTown, index: int | None) -> Any:
    """Return the act at an index, which must be one."""
    with Store(town.home, read_only=True) as store:
        act = store.index.by_index(-1 if index is None else index)
    assert act is not None
    return act


def test_an_act_is_told_as_it_was_signed(town: ServedTown):
    """The record's value is the payload's; the entry's bytes make the leaf; the proof leads to the published root."""
    act = act_at(town, town.contract(b"%PDF-1 a", number="1/SPK/2026", signed_on="2026-11-01").index)
    served = town.serve()
    found = served.json(f"/records/{act.index}")
    with Store(town.home, read_only=True) as store:
        data, leaf = store.entry(act.index), store.leaves(act.index, act.index + 1)[0]
    assert served.get(f"/records/{act.index}/entry").data == data
    assert hashlib.sha256(b"\0" + data).digest() == leaf
    payload = base64.b64decode(json.loads(data)["envelope"]["payload"])
    assert found["record"] == json.loads(payload)
    assert (found["id"], found["ref"], found["time"]) == (hashlib.sha256(payload).hexdigest(), act.ref, act.time)
    assert found["signatures"] == [{"keyid": act.signers[0], "holder": "buyer", "position": "buyer"}]
    assert found["lag_days"] > 0
    proof = served.get(f"/records/{act.index}/proof")
    parsed = parse_proof(proof.data)
    assert (parsed.index, parsed.extra) == (act.index, data)
    assert f'filename="{act.ref[:4]}-{act.ref[4:8]}-{act.ref[8:]}.tlog-proof"' in proof.headers["Content-Disposition"]
    source = FolderSource(town.home.public)
    view = open_ledger(source, parse_policy((town.home.public / "policy").read_bytes()), town.home.founding)
    assert view.entry(act.index) == data


def test_history_runs_both_ways(town: ServedTown):
    """What an act names, here and outside, and what names it, with whether that still counts."""
    first = act_at(town, town.contract(b"%PDF-1 a", number="1/SPK/2026").index)
    outside = {"type": "implements", "outside": {"number": "7 Tahun 2020", "kind": "regulation"}, "reason": "dasar"}
    second = act_at(town, town.contract(b"%PDF-1 b", number="1/ADD", relations=[{"type": "amends", "ref": first.ref}, outside]).index)
    third = act_at(town, town.contract(b"%PDF-1 c", number="2", relations=[{"type": "annuls", "ref": second.ref}]).index)
    served = town.serve()
    histories = [served.json(f"/records/{one.index}")["history"] for one in (first, second, third)]
    assert [[(one["type"], one["direction"], one.get("ref"), one.get("undone")) for one in found] for found in histories] == [
        [("amends", "named_by", second.ref, True)],
        [("amends", "names", first.ref, None), ("implements", "names", None, None), ("annuls", "named_by", third.ref, False)],
        [("annuls", "names", second.ref, None)],
    ]
    assert histories[1][1]["outside"]["number"] == "7 Tahun 2020"
    assert [served.json(f"/records/{one.index}")["status"]["state"] for one in (first, second, third)] == ["unchanged", "annulled", "unchanged"]


def test_a_paper_that_many_follow_is_told_in_bounds(town: ServedTown, monkeypatch: pytest.MonkeyPatch):
    """What decides its standing is always there; of those that merely name it the first are shown, and the rest counted."""
    from web.api import standing

    first = act_at(town, town.published(b"%PDF-1 a").index)
    town.submit(*(town.act(b"%%PDF-1 %d" % n, relations=[{"type": "implements", "ref": first.ref}]) for n in range(5)))
    undone = act_at(town, town.published(b"%PDF-1 r", relations=[{"type": "revokes", "ref": first.ref}]).index)
    last = act_at(town, town.published(b"%PDF-1 b", relations=[{"type": "annuls", "ref": undone.ref}]).index)
    monkeypatch.setattr(standing, "MOST_NAMING", 2)
    served = town.serve()
    found = served.json(f"/records/{first.index}")
    assert [one["type"] for one in found["history"]] == ["implements", "implements", "revokes"]
    assert (found["history_more"], found["status"]["state"], found["history"][2]["undone"]) == (3, "unchanged", True)
    town.published(b"%PDF-1 c", relations=[{"type": "annuls", "ref": last.ref}])
    assert served.json(f"/records/{first.index}")["status"]["state"] == "revoked"


def test_a_disputed_act_and_a_disputed_change(town: ServedTown):
    """A key revoked from entry n on disputes what it signed since, and what it did to others is marked."""
    first = act_at(town, town.contract(b"%PDF-1 a", number="1").index)
    town.contract(b"%PDF-1 b", number="2", relations=[{"type": "revokes", "ref": first.ref}])
    town.roster({"event": "revoke", "key": town.key("buyer").public.keyid, "suspect_from": first.index + 1})
    served = town.serve()
    one, two = served.json(f"/records/{first.index}"), served.json(f"/records/{first.index + 1}")
    assert (one["status"]["state"], one["history"][0]["disputed"]) == ("revoked", True)
    assert (two["status"]["state"], two["status"]["suspects"][0]["suspect_from"]) == ("disputed", first.index + 1)


def test_documents_have_an_address_unless_withheld_or_withdrawn(town: ServedTown):
    """A published one has its URL; a withdrawn one has law and reason instead; a withheld one its commitment."""
    file = town.file(b"%PDF-1 open")
    documents = [
        {**file, "media_type": "application/pdf", "name": "a.pdf", "role": "signed"},
        {"withheld": "ab" * 32, "media_type": "application/pdf", "role": "annex", "reason": "data pribadi", "law": "UU 27/2022"},
    ]
    act = act_at(town, town.published(b"", documents=documents).index)
    served = town.serve()
    opened, withheld = served.json(f"/records/{act.index}")["documents"]
    assert opened["url"] == f"/documents/{file['sha256'][:2]}/{file['sha256']}"
    assert (withheld["url"], withheld["withheld"]) == (None, "ab" * 32)
    town.roster({"event": "withdraw", "sha256": file["sha256"], "law": "UU 27/2022", "reason": "putusan"})
    opened = served.json(f"/records/{act.index}")["documents"][0]
    assert (opened["url"], opened["withdrawn"]) == (None, {"law": "UU 27/2022", "reason": "putusan"})


def test_a_bundle_holds_and_leaves_nothing_behind(town: ServedTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Alone it proves one act, with ``related=1`` all that hang together; no temporary file is left."""
    first = act_at(town, town.contract(b"%PDF-1 a", number="1").index)
    second = act_at(town, town.contract(b"%PDF-1 b", number="2", relations=[{"type": "amends", "ref": first.ref}]).index)
    town.contract(b"%PDF-1 c", number="3")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    served = town.serve()
    for query, indexes in (({}, [first.index]), ({"related": 1}, [first.index, second.index])):
        response = served.get(f"/records/{first.index}/bundle", **query)
        path = tmp_path / "one.zip"
        path.write_bytes(response.data)
        assert [act.index for act in read_bundle(path).acts] == indexes
        names = zipfile.ZipFile(io.BytesIO(response.data)).namelist()
        assert sum(name.endswith("-sk.pdf") for name in names) == len(indexes)
    assert [*temporary.iterdir()] == []
    assert served.json(f"/records/{first.index}/bundle", 400, related="yes")["error"] == "bad-number-parameter"


def test_a_bundle_that_is_too_large_names_the_command(town: ServedTown, monkeypatch: pytest.MonkeyPatch):
    """More acts or bytes than the site packs: refused before any work, with the command that has no such limit."""
    first = act_at(town, town.contract(b"%PDF-1 a", number="1").index)
    town.contract(b"%PDF-1 b", number="2", relations=[{"type": "amends", "ref": first.ref}])
    served = town.serve()
    monkeypatch.setattr(bundling, "MOST_ACTS", 1)
    refused = served.json(f"/records/{first.index}/bundle", 422, related=1)
    assert refused["error"] == "bundle-too-large"
    assert f"bening bundle {first.ref[:4]}-{first.ref[4:8]}-{first.ref[8:]} --with-related" in refused["sentence"]
    assert served.get(f"/records/{first.index}/bundle").status_code == 200
    monkeypatch.setattr(bundling, "MOST_BYTES", 3)
    assert served.json(f"/records/{first.index}/bundle", 422)["error"] == "bundle-too-large"


def test_find_answers_a_hundred_keys_exactly(town: ServedTown):
    """Every kind of key, by the payloads that hold it; what nobody carries has an empty list; the number in any office."""
    acts = [act_at(town, town.contract(b"%%PDF-1 %d" % n, number=f"{n}/SPK/2026").index) for n in range(4)]
    other = act_at(town, town.published(b"%PDF-1 1", number="Nomor: 1 / SPK / 2026", relations=[{"type": "follows", "ref": acts[0].ref}]).index)
    served = town.serve()
    sha256 = hashlib.sha256(b"%PDF-1 1").hexdigest()
    query = {
        "ref": [one.ref for one in acts] + ["0000-0000-000", f"{acts[0].ref[:4]}-{acts[0].ref[4:]}".lower()],
        "id": [acts[2].id, "0" * 64], "number": ["1/spk/2026", "none"], "document": [sha256, "f" * 64], "names": [acts[0].ref, acts[1].ref],
    }  # fmt: skip
    found = served.json("/find", **query)["acts"]
    assert set(found) == {f"{kind}={key}" for kind, keys in query.items() for key in keys}
    indexes = {key: [one["index"] for one in acts_found] for key, acts_found in found.items()}
    assert indexes[f"ref={query['ref'][-1]}"] == indexes[f"ref={acts[0].ref}"] == [acts[0].index]
    assert indexes["ref=0000-0000-000"] == indexes[f"id={'0' * 64}"] == indexes["number=none"] == indexes[f"document={'f' * 64}"] == []
    assert indexes["number=1/spk/2026"] == [acts[1].index, other.index] == indexes[f"document={sha256}"]
    assert indexes[f"names={acts[0].ref}"] == [other.index]
    assert indexes[f"names={acts[1].ref}"] == []
    for one in (act for acts_found in found.values() for act in acts_found):
        payload = base64.b64decode(one["payload"])
        assert hashlib.sha256(payload).hexdigest() == one["id"]
        assert json.loads(payload)["ref"] == one["ref"]


def test_numbers_that_share_a_bucket_are_told_apart(town: ServedTown):
    """A look-up prefix holds other numbers too; only the one that was asked for is answered."""
    one = "1/A"
    other = next(f"{n}/B" for n in range(10**6) if number_hash(f"{n}/B")[:3] == number_hash(one)[:3])
    act = act_at(town, town.contract(b"%PDF-1 a", number=one).index)
    town.contract(b"%PDF-1 b", number=other)
    found = town.serve().json("/find", number=one)["acts"]
    assert [one["index"] for one in found[f"number={one}"]] == [act.index]


def test_find_is_whole_or_refused(town: ServedTown, monkeypatch: pytest.MonkeyPatch):
    """No key, more than a hundred, a malformed one, or too large an answer: refused, never shortened."""
    from web.api import finding

    for n in range(3):
        town.contract(b"%%PDF-1 %d" % n, number=f"{n}/SPK/2026")
    served = town.serve()
    assert served.json("/find", 400)["error"] == "find-nothing"
    assert served.json("/find", 400, number=[str(n) for n in range(101)])["error"] == "find-too-many-keys"
    assert len(served.json("/find", number=[str(n) for n in range(100)])["acts"]) == 100
    for kind, bad in (("ref", "0000-0000-001"), ("id", "x"), ("document", "A" * 64), ("names", "x"), ("number", "Nomor")):
        assert served.json("/find", 400, **{kind: bad})["reasons"] == []
    monkeypatch.setattr(finding, "MOST_ACTS", 2)
    keys = [f"{n}/SPK/2026" for n in range(3)]
    assert served.json("/find", 422, number=keys)["error"] == "find-too-much"
    assert len(served.json("/find", number=keys[:2])["acts"]) == 2
    monkeypatch.setattr(finding, "MOST_BYTES", 10)
    assert served.json("/find", 422, number=keys[:1])["error"] == "find-too-much"
