"""A ledger that the API answers for, as tests use it: a town, a Flask client, and the description that holds for both."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs

from ledger.publisher.handover import Outcome
from ledger.publisher.home import Home
from tests.publisher.town import Town
from web.api.openapi import document
from web.app import create_app

CONTRACT = {"kind": "contract", "form": "spk", "office": "pu", "by": ["buyer"]}


class Served:
    """A home and a client; every answer is held against the OpenAPI document."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.app = create_app(home)
        self.app.testing = True
        self.client = self.app.test_client()

    def get(self, path: str, status: int = 200, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Return the answer of one GET under ``/api/v1``, which must have this status and fit its description."""
        asked = urlencode({"lang": "en", **query}, doseq=True)
        response = self.client.get(f"/api/v1{path}?{asked}", headers=headers)
        assert response.status_code == status, (path, response.status_code, response.text[:500])
        conforms(f"/api/v1{path}", response)
        return response

    def json(self, path: str, status: int = 200, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Return the JSON of one GET."""
        return self.get(path, status, headers, **query).json

    def line(self, **query: Any) -> str:
        """Return the one line of ``check``."""
        text = self.get("/check", **query).text
        assert text.endswith("\n")
        assert len(text.splitlines()) == 1, text
        assert text[:-1].isprintable()
        return text[:-1]

    def check(self, **query: Any) -> Any:
        """Return the JSON of ``check``, whose line is that of the text."""
        found = self.json("/check", headers={"Accept": "application/json"}, **query)
        assert found["line"] == self.line(**query)
        return found


class ServedTown(Town):
    """A town with a legal office and a public works office that buys."""

    def __init__(self, folder: Path, **founding: Any) -> None:
        super().__init__(folder, **founding)
        self.settle_in()
        self.roster(
            {"event": "office", "id": "pu", "name": "Dinas Pekerjaan Umum", "parent": "setda"},
            {"event": "form", "id": "spk", "kind": "contract", "name": "Surat Perintah Kerja"},
            {"event": "form", "id": "bast", "kind": "handover", "name": "Berita Acara Serah Terima"},
            self.enrolment("buyer", offices=["pu"], kinds=["contract", "handover"]),
        )

    def contract(self, document: bytes, **changes: Any) -> Outcome:
        """Publish a contract of the public works office."""
        fields = {"value": "187500000", "currency": "IDR", "supplier": {"name": "CV Karya Contoh", "form": "CV"}}
        fields |= changes.pop("fields", {})
        return self.published(document, **{**CONTRACT, "title": "Perbaikan Trotoar", "fields": fields, **changes})

    def serve(self) -> Served:
        """Return the town's API as it stands now."""
        return Served(Home.open(self.home.path))


@functools.cache
def described() -> dict[str, Any]:
    """The OpenAPI document."""
    return dict(json.loads(document()))


def operation(path: str) -> dict[str, Any]:
    """Return the description of a GET by its actual path."""
    paths = described()["paths"]
    parts = path.split("/")
    alike = (shown for shown in paths if len(shown.split("/")) == len(parts) and "get" in paths[shown])
    for shown in [path, *alike]:
        pairs = zip(shown.split("/"), parts, strict=True)
        if shown in paths and all(one == actual or one.startswith("{") for one, actual in pairs):
            return dict(paths[shown]["get"])
    raise AssertionError(f"{path} is not described")


def conforms(path: str, response: Any) -> None:
    """Require that an answer's status, type and JSON are what the description says."""
    responses = operation(path)["responses"]
    found = responses.get(str(response.status_code))
    assert found is not None, f"{path}: {response.status_code} is not described"
    if "$ref" in found:
        found = described()["components"]["responses"][found["$ref"].rpartition("/")[2]]
    if response.status_code == 304:
        return
    content = found["content"]
    assert response.mimetype in content, f"{path}: {response.mimetype} is not described"
    if response.mimetype == "application/json":
        holds(content["application/json"]["schema"], response.json)


def holds(schema: dict[str, Any], value: Any) -> None:
    """Require that ``value`` fits a schema of the document."""
    _validator(json.dumps(schema)).validate(value)


@functools.cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": described()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
