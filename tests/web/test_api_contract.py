"""The OpenAPI document is true: every address is described, every description is answered, and no request ends in a 5xx."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks as kept

from tests.web.api_ledger import Served, ServedTown, described, holds

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    town = ServedTown(tmp_path_factory.mktemp("town"))
    first = town.contract(b"%PDF-1.4 first", number="1/SPK/2026")
    town.published(b"%PDF-1.4 second", title="Keputusan")
    reference = _ref(town, first.index)
    fields = {"changes": [{"field": "value", "was": "187500000", "becomes": "190000000"}], "value": "190000000"}
    town.contract(b"%PDF-1.4 third", number="1/ADD/2026", fields=fields, relations=[{"type": "amends", "ref": reference}])
    town.published(b"%PDF-1.4 fourth", relations=[{"type": "revokes", "outside": {"number": "12 Tahun 1999", "year": 1999}}])
    return town.serve()


def _ref(town: ServedTown, index: int | None) -> str:
    from ledger.publisher.store import Store

    with Store(town.home, read_only=True) as store:
        act = store.index.by_index(index or 0)
        assert act is not None
        return act.ref


def test_every_address_is_described_and_every_description_is_an_address(served: Served):
    """The routes of the application and of the document are the same, methods too."""
    routes = {str(one.rule).replace("<index>", "{index}").replace("<act_id>", "{id}"): one.methods for one in served.app.url_map.iter_rules()
              if str(one.rule).startswith(("/api/", "/feed"))}  # fmt: skip
    paths = {path: {method.upper() for method in found.keys() & METHODS} for path, found in described()["paths"].items()}
    assert paths == {path: methods - {"HEAD", "OPTIONS"} for path, methods in routes.items()}


def test_the_document_is_well_formed():
    """Every schema is one, every reference leads somewhere, every path parameter is declared, every example fits."""
    document = described()
    assert document["openapi"].startswith("3.1")
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        holds({"not": {"$ref": f"#/components/schemas/{name}"}}, "no object")
    for reference in _found(document, "$ref"):
        assert reference.startswith("#/")
        at = document
        for part in reference[2:].split("/"):
            at = at[part]
    for path, found in document["paths"].items():
        declared = {one.get("name") or one["$ref"].rpartition("/")[2] for method in found.values() for one in method["parameters"]}
        assert {part[1:-1] for part in path.split("/") if part.startswith("{")} <= declared
    for one in _objects(document):
        if "example" in one and "schema" in one:
            holds(one["schema"], one["example"])


def test_every_answer_is_described(served: Served):
    """Each address answers as its description says, for acts of every standing (``Served.get`` compares)."""
    for path in ("/ledger", "/roster", "/records", "/records.json", "/records.jsonl", "/records.csv", "/records.xlsx", "/openapi.json"):
        served.get(path)
    size = served.json("/ledger")["size"]
    states = set()
    for index in range(3, size):
        states.add(served.json(f"/records/{index}")["status"]["state"])
        for suffix in ("/entry", "/proof", "/bundle"):
            served.get(f"/records/{index}{suffix}")
    assert states == {"unchanged", "amended"}
    served.get("/records/3/bundle", related=1)
    reference = served.json("/records/3")["ref"]
    served.get("/find", ref=reference, names=reference, number="1/SPK/2026")
    for query in ({"ref": reference}, {"number": "1/spk/2026", "supplier": "x", "value": "1"}, {"number": "none"}):
        served.check(**query)
    end = json.loads(served.get("/records.jsonl").data.splitlines()[-1])
    holds({"$ref": "#/components/schemas/ExportEnd"}, end)
    assert served.client.get("/feed.atom").mimetype == "application/atom+xml"


def test_a_wrong_answer_would_be_noticed():
    """The comparison itself can fail: a property more, one less, another type."""
    good = {"code": "a", "path": "b", "sentence": "c"}
    schema = {"$ref": "#/components/schemas/Reason"}
    holds(schema, good)
    for bad in ({**good, "more": 1}, {"code": "a", "path": "b"}, {**good, "code": 1}):
        with pytest.raises(jsonschema_rs.ValidationError):
            holds(schema, bad)


def test_generated_requests_never_end_in_a_5xx_and_fit_the_description(served: Served):
    """Schemathesis, from the document, against the application in this process; also with what must be refused."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", served.app)
    wanted = (
        kept.not_a_server_error, schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance, schemathesis.specs.openapi.checks.response_schema_conformance,
        schemathesis.specs.openapi.checks.negative_data_rejection,
    )  # fmt: skip
    for result in schema.exclude(path="/api/v1/acts").get_all_operations():
        operation = result.ok()
        for mode in schemathesis.GenerationMode:
            _try_operation(operation, mode, wanted)


def _try_operation(operation: Any, mode: Any, wanted: Any) -> None:
    cases = operation.as_strategy(generation_mode=mode)

    @settings(max_examples=25, database=None, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @_given(cases)
    def one(case: Any) -> None:
        response = case.call(headers={"Accept-Encoding": "identity"})  # the client in this process does not unpack
        case.validate_response(response, checks=list(wanted))

    one()


def _given(strategy: Any) -> Any:
    from hypothesis import given

    return given(case=strategy)


def _objects(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _found(value: Any, key: str) -> list[str]:
    return [one[key] for one in _objects(value) if isinstance(one.get(key), str)]
