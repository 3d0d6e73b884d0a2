"""The API behind its server: a broken export breaks the connection, and answers to submissions are what the document says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ledger.sqlite import connect
from tests.web.api_ledger import ServedTown, described, holds
from tests.web.asgi import Client, Reply, form
from tests.web.serving import serving


@pytest.fixture
def town(tmp_path: Path) -> ServedTown:
    return ServedTown(tmp_path)


@pytest.fixture
def client(town: ServedTown) -> Iterator[Client]:
    made = Client(town.home)
    yield made
    made.close()


def test_an_export_that_fails_in_the_middle_breaks_the_connection(town: ServedTown) -> None:
    """By real HTTP: what comes is no whole answer, and says so itself; a whole one ends with its count."""
    town.submit(*(town.act(b"%%PDF-1.4 %d" % n, title="T" * 900) for n in range(120)))
    with serving(town.home) as site:
        whole = site.get("/api/v1/records.jsonl?sort=recorded")
        assert b'"bening":"export"' in whole.data.splitlines()[-1]
        assert "content-length" not in whole.headers
        database = connect(town.home.ledger_db)
        database.execute("UPDATE acts SET body = replace(body, 'TTT', 'UUU') WHERE idx = (SELECT max(idx) FROM acts)")
        database.close()
        received = bytearray()
        with pytest.raises(urllib3.exceptions.ProtocolError):  # noqa: PT012 (what came before is looked at)
            for piece in site.get("/api/v1/records.jsonl?sort=recorded", preload_content=False).stream(1024):
                received += piece
        assert len(received) > 1 << 16
        assert b'"bening":"export"' not in received
        assert b"UUU" not in received


def test_answers_to_submissions_are_described(town: ServedTown, client: Client) -> None:
    """201, 202, 400, 413, 415, 422: status, headers and JSON as the OpenAPI document has them."""
    act, again, refused = town.act(b"%PDF-1.4 a"), town.act(b"%PDF-1.4 b"), town.act(b"%PDF-1.4 c", title=" ")
    answers = [
        (201, client.submit(act)),
        (201, client.submit(act)),
        (202, client.submit(again, headers={"prefer": "respond-async"})),
        (422, client.submit(refused)),
        (422, client.submit(town.act(b"%PDF-1.4 d", office="tani"))),
        (400, client.ask("POST", "/api/v1/acts", **_form([("document", b"x")]))),
        (400, client.ask("POST", "/api/v1/acts", **_form([("envelope", b"{}")]))),
        (413, client.ask("POST", "/api/v1/acts", **_form([("envelope", b"x" * 60_000)]))),
        (415, client.ask("POST", "/api/v1/acts", body=b"x", headers={"content-type": "text/plain"})),
    ]
    for status, reply in answers:
        assert reply.status == status, reply.body
        _described(reply)
    assert answers[1][1].json["acts"][0]["already"] is True


def _form(parts: list[tuple[str, bytes]]) -> dict[str, Any]:
    body, content_type = form(parts)
    return {"body": body, "headers": {"content-type": content_type}}


def _described(reply: Reply) -> None:
    found = described()["paths"]["/api/v1/acts"]["post"]["responses"][str(reply.status)]
    holds(found["content"]["application/json"]["schema"], reply.json)
    assert {name.lower() for name in found.get("headers", {})} <= reply.headers.keys()
    assert reply.headers["content-type"] == "application/json"
