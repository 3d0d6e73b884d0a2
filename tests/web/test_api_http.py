"""The API's manners: strict queries, caching that mistakes no query for another, any site may read, nothing unpublished shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.publisher.store import Store
from ledger.records.entry import parse_entry
from tests.web.api_ledger import Served, ServedTown

STRANGE = ["x=1", "ofice=pu", "office=", "q=%20", "lang=fr", "lang=", "page=1&page=2", "page=0", "page=+1", "page=1e3", "per_page=101",
           "page=%D9%A1", "sort=title", "since=2026-02-30", "year=26", "q=a&q=b", "sort=-value&sort=value"]  # fmt: skip


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> ServedTown:
    made = ServedTown(tmp_path_factory.mktemp("town"))
    for n in range(5):
        made.published(b"%%PDF-1.4 %d" % n, title=f"Keputusan {n}")
    return made


@pytest.fixture(scope="module")
def served(town: ServedTown) -> Served:
    return town.serve()


def test_the_ledger_says_what_it_is(served: Served, town: ServedTown):
    """Name, founding, size and root are those of the published checkpoint."""
    found = served.json("/ledger")
    with Store(town.home, read_only=True) as store:
        size = store.published_size()
        head = store.head_at(size)
        assert head is not None
        assert (found["size"], found["root"], found["time"]) == (size, head.root.hex(), head.time)
        assert found["checkpoint"].encode() == store.checkpoint_note(size)
    assert (found["name"], found["founding"], found["origin"]) == ("Kota Uji", town.home.founding, town.home.origin)


@pytest.mark.parametrize("query", STRANGE)
@pytest.mark.parametrize("path", ["/api/v1/records", "/api/v1/records.csv", "/feed.atom"])
def test_a_typing_error_never_widens_an_answer(served: Served, path: str, query: str):
    """An unknown, empty, doubled or malformed parameter is refused with a sentence, on lists, exports and feeds alike."""
    response = served.client.get(f"{path}?{query}")
    assert response.status_code == 400, query
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/ledger", "/roster", "/records/4", "/records/4/entry", "/records/4/proof", "/openapi.json"])
def test_addresses_without_parameters_take_none(served: Served, path: str):
    """Only the language may be asked for."""
    assert served.get(path).status_code == 200
    assert served.json(path, 400, q="x")["error"] == "unknown-parameter"


@pytest.mark.parametrize("index", ["-1", "999999", "01", "1.0", "٣", "9" * 16, "9" * 5000, "x", "%00", "1%0a"])
def test_an_entry_that_is_not_there_is_told_so(served: Served, index: str):
    """Whatever stands in the place of an index: 404, with the uniform error."""
    for suffix in ("", "/entry", "/proof", "/bundle"):
        response = served.client.get(f"/api/v1/records/{index}{suffix}")
        assert response.status_code == 404, index
        assert set(response.json) == {"error", "sentence", "detail", "reasons"}


def test_an_event_of_the_roster_is_an_entry_and_no_act(served: Served):
    """It has bytes and a proof; as an act it is not found."""
    assert served.json("/records/0", 404)["error"] == "not-an-act"
    assert served.json("/records/0/bundle", 404)["error"] == "not-an-act"
    assert parse_entry(served.get("/records/0/entry").data).envelope.payload_type.endswith("roster+json")
    assert served.get("/records/0/proof").text.startswith("c2sp.org/tlog-proof@v1\n")


def test_what_is_committed_and_not_published_does_not_exist(town: ServedTown, served: Served, monkeypatch: pytest.MonkeyPatch):
    """With the published size below the committed one, the newest acts show nowhere, not in any look-up, list or export."""
    town.published(b"%PDF-1.4 hidden", number="1/hidden", title="Rahasia")
    with Store(town.home, read_only=True) as store:
        size, hidden = store.published_size() - 1, parse_entry(store.entry(store.published_size() - 1)).envelope
        published = [row[0] for row in store.connection.execute("SELECT size FROM published ORDER BY size")]
    assert published[-1] == size + 1
    monkeypatch.setattr(Store, "published_size", lambda self: published[-2])
    record = json.loads(hidden.payload)
    assert served.json("/ledger")["size"] == size
    served.json(f"/records/{size}", 404)
    served.json(f"/records/{size}/entry", 404)
    assert served.json("/find", ref=record["ref"], id=hidden.id, number="1/hidden", document=record["documents"][0]["sha256"])[
        "acts"
    ] == {
        f"ref={record['ref']}": [],
        f"id={hidden.id}": [],
        "number=1/hidden": [],
        f"document={record['documents'][0]['sha256']}": [],
    }
    assert served.line(ref=record["ref"]).startswith("NOT PUBLISHED HERE")
    assert served.line(number="1/hidden").startswith("NOT PUBLISHED HERE")
    for suffix in ("json", "jsonl", "csv", "xlsx"):
        assert b"hidden" not in served.get(f"/records.{suffix}").data
    assert served.json("/records.json")["size"] == size
    state = served.json(f"/acts/{hidden.id}")
    assert state["state"] == "integrated"
    assert not {"index", "ref", "proof_url"} & state.keys()


def test_an_etag_answers_until_the_ledger_grows(town: ServedTown, served: Served):
    """The same question is 304 while nothing was published; another language, query or size has another tag."""
    for path in ("/ledger", "/roster", "/records", "/records/3", "/records/3/entry", "/records/3/proof"):
        first = served.get(path)
        tag = {"If-None-Match": first.headers["ETag"]}
        again = served.get(path, 304, tag)
        assert again.data == b""
        assert again.headers["ETag"] == first.headers["ETag"]
        assert served.client.get(f"/api/v1{path}?lang=id", headers=tag).status_code == 200
        assert served.client.get(f"/api/v1{path}", headers=tag).status_code == 200
    tags = {path: served.get(path).headers["ETag"] for path in ("/ledger", "/records", "/records/3")}
    town.published(b"%PDF-1.4 more")
    for path, tag in tags.items():
        assert served.get(path, headers={"If-None-Match": tag}).headers["ETag"] != tag
    assert served.client.get("/api/v1/records?q=a").headers["ETag"] != served.client.get("/api/v1/records?q=b").headers["ETag"]


def test_no_shared_cache_may_keep_what_depends_on_a_query(served: Served):
    """Without a query an answer is kept and asked about again; with one it is for its reader alone; exports are not kept."""
    for path in ("/api/v1/ledger", "/api/v1/records", "/api/v1/records/4", "/feed.atom"):
        assert served.client.get(path).headers["Cache-Control"] == "no-cache"
        assert served.client.get(f"{path}?lang=en").headers["Cache-Control"] == "private, no-cache"
    for path in ("records.csv", "records.json", "records.jsonl", "records.xlsx", "check?number=1", "records/4/bundle"):
        assert served.client.get(f"/api/v1/{path}").headers["Cache-Control"] == "private, no-store"
    assert "Accept-Language" in served.client.get("/api/v1/ledger").headers["Vary"]
    assert "Accept" in served.client.get("/api/v1/check?number=1").headers["Vary"].replace("Accept-Language", "").split(", ")


@pytest.mark.parametrize("path", ["/api/v1/ledger", "/api/v1/records?q=x", "/api/v1/records?typo=1", "/api/v1/nothing", "/feed.atom"])
def test_pages_of_any_site_may_read(served: Served, path: str):
    """Public data without cookies: CORS for everyone, errors too; what a browser may do with it is still nothing."""
    response = served.client.get(path)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "Set-Cookie" not in response.headers


def test_a_preflight_allows_reading_and_nothing_else(served: Served):
    """OPTIONS names GET and HEAD."""
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    response = served.client.options("/api/v1/records", headers=asked)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert response.headers["Access-Control-Allow-Headers"] == "*"


def test_head_says_what_get_would(served: Served):
    """The same status and type, and no body; an export or bundle is not made for it."""
    paths = ["ledger", "records", "records/4", "records/4/proof", "records/4/bundle", "records.json", "records.xlsx", "check?number=1"]
    for path in paths:
        head, get = served.client.head(f"/api/v1/{path}"), served.client.get(f"/api/v1/{path}")
        assert (head.status_code, head.content_type, head.data) == (200, get.content_type, b"")
        assert head.headers.get("ETag") == get.headers.get("ETag")


def test_other_methods_and_addresses_get_the_uniform_error(served: Served):
    """404 and 405 as JSON, with a sentence in the language that was asked for."""
    for method, path, status in (("get", "acts", 405), ("post", "acts", 503), ("post", "ledger", 405), ("delete", "records/4", 405), ("get", "nothing", 404), ("get", "", 404)):
        response = getattr(served.client, method)(f"/api/v1/{path}?lang=en")
        assert response.status_code == status
        assert response.json["sentence"].isprintable()
        assert set(response.json) == {"error", "sentence", "detail", "reasons"}


def test_pages_reach_ten_thousand_acts_and_say_so(served: Served):
    """What lies deeper is refused with the way to it, not answered with nothing."""
    assert served.json("/records", page=100, per_page=100)["records"] == []
    refused = served.json("/records", 400, page=101, per_page=100)
    assert refused["error"] == "page-too-deep"
    assert "records.jsonl" in refused["sentence"]


def test_pages_together_are_the_list(served: Served):
    """Every act once, in order, whatever the size of a page; the count is the same on each."""
    whole = served.json("/records", per_page=100, sort="recorded")
    pieces = []
    for page in range(1, 9):
        found = served.json("/records", per_page=1, page=page, sort="recorded")
        assert found["count"] == whole["count"]
        pieces += found["records"]
    assert pieces == whole["records"][:8]
    assert [one["index"] for one in pieces] == sorted(one["index"] for one in pieces)


def test_facets_carry_names(served: Served):
    """Offices and forms come with the names that the roster gives them."""
    facets = served.json("/records")["facets"]
    assert facets["office"][0]["value"] == "hukum"
    assert facets["office"][0]["name"] == "Bagian Hukum"
    assert facets["form"][0]["name"] == "Keputusan"
    assert sum(one["count"] for one in facets["kind"]) == served.json("/records")["count"]


def test_the_roster_is_what_the_command_shows(served: Served, town: ServedTown):
    """Offices, forms and keys as of the published size, with the time zone and languages of the founding."""
    found = served.json("/roster")
    assert {one["id"] for one in found["offices"]} == {"setda", "hukum", "tani", "pu"}
    assert found["utc_offset"] == "+07:00"
    assert found["languages"] == ["id", "en"]
    assert {one["holder"] for one in found["keys"]} == {"head", "buyer"}


def test_a_catalogue_that_is_behind_is_said_and_not_hidden(town: ServedTown, served: Served, monkeypatch: pytest.MonkeyPatch):
    """A list states the checkpoint that the catalogue covers; with no catalogue at all there is no list."""
    from ledger.catalog.catalog import Catalog

    with Store(town.home, read_only=True) as store:
        sizes = [row[0] for row in store.connection.execute("SELECT size FROM published ORDER BY size")]
    monkeypatch.setattr(Catalog, "size", sizes[-2])
    found = served.json("/records.json")
    assert found["size"] == sizes[-2]
    assert f"\n{sizes[-2]}\n" in found["checkpoint"]
    assert all(one["index"] < sizes[-2] for one in found["records"])
    monkeypatch.setattr(Catalog, "size", 0)
    refused = served.get("/records.json", 503)
    assert refused.json["error"] == "catalogue-behind"
    assert refused.headers["Retry-After"] == "5"


def test_the_state_of_a_submission(served: Served, town: ServedTown, tmp_path: Path):
    """Published with its place and proof, refused with every reason, unknown as 404; a malformed id is refused."""
    from ledger.publisher.inbox import Inbox

    outcome = town.submit(town.act(b"%PDF-1.4 state"))[0]
    with Store(town.home, read_only=True) as store:
        act = store.index.by_index(outcome.index)
    assert act is not None
    state = served.json(f"/acts/{act.id}")
    assert state == {"id": act.id, "state": "published", "index": act.index, "ref": act.ref,
                     "proof_url": f"/api/v1/records/{act.index}/proof", "reasons": []}  # fmt: skip
    inbox = Inbox(town.home)
    waiting = town.act(b"%PDF-1.4 waits").envelope
    row = inbox.submit([waiting])[0]
    found = served.get(f"/acts/{waiting.id}")
    assert found.json == {"id": waiting.id, "state": "waiting", "reasons": []}
    assert found.headers["Retry-After"] == "2"
    from ledger.errors import Reason

    inbox.settle([(row, [Reason("ref-used", "ref", {"value": "X", "index": 1, "title": "<b>\u202e"}), Reason("missing", "title")])])
    inbox.close()
    refused = served.json(f"/acts/{waiting.id}")
    assert (refused["state"], [one["code"] for one in refused["reasons"]]) == ("refused", ["ref-used", "missing"])
    assert all(one["sentence"].isprintable() for one in refused["reasons"])
    unknown = served.json(f"/acts/{'0' * 64}", 404)
    assert (unknown["state"], unknown["error"]) == ("unknown", "unknown-act")
    for bad in ("0", "A" * 64, "x" * 64):
        assert served.json(f"/acts/{bad}", 400)["error"] == "bad-digest-parameter"
