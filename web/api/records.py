"""Acts: lists, one act with its entry, proof and bundle, exports, and the feed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from flask import Blueprint, Response, g, request

from ledger.catalog.catalog import Page
from ledger.catalog.filters import FACETS
from ledger.errors import UsageError
from ledger.records.refs import format_ref
from ledger.records.replay import act_of
from web.api.acts import act_json, act_record
from web.api.answers import conditional, json_answer
from web.api.asking import allow, entry_index, filter_of, whole_number
from web.api.bundling import bundle_of
from web.api.csvfile import as_csv
from web.api.exports import Export, as_json, as_jsonl, export_of, pieces
from web.api.rows import Names, filter_json, row_json, snapshot_of
from web.api.spreadsheet import file_pieces, write_xlsx
from web.app import reading

__all__ = ["blueprint"]

MOST_PER_PAGE = 100
MOST_PAGED = 10_000
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

blueprint = Blueprint("api-records", __name__, url_prefix="/api/v1")


@blueprint.get("/records")
@conditional
def records() -> Response:
    """Return one page of the acts of a filter, with what the facets hold."""
    wanted = filter_of("page", "per_page")
    per_page = whole_number("per_page", 20, 1, MOST_PER_PAGE)
    page = whole_number("page", 1, 1, 10**9)
    if page * per_page > MOST_PAGED:
        raise UsageError(f"page {page}", code="page-too-deep", limit=MOST_PAGED)
    snapshot, names = snapshot_of(reading), Names(reading.roster)
    found = reading.catalog.search(wanted, page=page, per_page=per_page, size=snapshot.size)
    return json_answer({
        "count": found.count,
        "exact": found.exact,
        "page": page,
        "per_page": per_page,
        "size": snapshot.size,
        "checkpoint": snapshot.note.decode("utf-8"),
        "filter": filter_json(wanted),
        "facets": _facets(found, names),
        "records": [row_json(row, names) for row in found.rows],
    })  # fmt: skip


def _facets(found: Page, names: Names) -> dict[str, list[dict[str, object]]]:
    named: dict[str, Callable[[str], str]] = {"form": names.form, "office": names.office}
    return {
        facet: [
            {"value": value, "name": named.get(facet, str)(value), "count": count}
            for value, count in found.facets.get(facet, [])
        ]
        for facet in FACETS
    }


@blueprint.get("/records/<index>")
@conditional
def record(index: str) -> Response:
    """Return one act."""
    allow()
    return json_answer(act_json(reading, entry_index(index, reading.size), g.say))


@blueprint.get("/records/<index>/entry")
@conditional
def entry(index: str) -> Response:
    """Return an entry's exact bytes, those of the leaf; of acts and of roster events."""
    allow()
    return Response(reading.store.entry(entry_index(index, reading.size)), mimetype="application/json")


@blueprint.get("/records/<index>/proof")
@conditional
def proof(index: str) -> Response:
    """Return an entry's ``.tlog-proof`` under the newest checkpoint."""
    allow()
    place = entry_index(index, reading.size)
    act = reading.acts.by_index(place)
    response = Response(reading.proof(place), mimetype="text/plain")
    return _named(response, f"{format_ref(act.ref) if act else place}.tlog-proof")


@blueprint.get("/records/<index>/bundle")
@conditional
def bundle(index: str) -> Response:
    """Return the evidence for an act, alone or (``related=1``) with those that hang together with it."""
    allow(["related"])
    related = whole_number("related", 0, 0, 1) == 1
    place = entry_index(index, reading.size)
    found, signed = act_record(reading, place)
    act = act_of(signed, index=place, time=found.time)
    if request.method == "HEAD":
        response = Response(mimetype="application/zip")
    else:
        response = _file(bundle_of(reading, act, related=related), "application/zip")
    return _named(_kept_from_caches(response), f"{format_ref(act.ref)}{'-related' if related else ''}.zip")


@blueprint.get("/records.json")
def records_json() -> Response:
    """Stream every act of a filter as one JSON document."""
    return _streamed(as_json, "json", "application/json")


@blueprint.get("/records.jsonl")
def records_jsonl() -> Response:
    """Stream the payloads of every act of a filter, exactly as they were signed."""
    return _streamed(as_jsonl, "jsonl", "application/x-ndjson")


@blueprint.get("/records.csv")
def records_csv() -> Response:
    """Stream every act of a filter as CSV."""
    return _streamed(as_csv, "csv", "text/csv; charset=utf-8; header=present")


@blueprint.get("/records.xlsx")
def records_xlsx() -> Response:
    """Return every act of a filter as a spreadsheet file."""
    export = export_of(reading, filter_of())
    if request.method == "HEAD":
        return _export(Response(mimetype=_XLSX), export, "xlsx")
    return _export(_file(write_xlsx(export, g.say), _XLSX), export, "xlsx")


def _streamed(form: Callable[[Export], Iterator[bytes]], suffix: str, content_type: str) -> Response:
    export = export_of(reading, filter_of())
    return _export(Response(pieces(form(export)), content_type=content_type), export, suffix)


def _export(response: Response, export: Export, suffix: str) -> Response:
    return _named(_kept_from_caches(response), f"records-{export.snapshot.size}.{suffix}")


def _file(file: IO[bytes], content_type: str) -> Response:
    response = Response(file_pieces(file), content_type=content_type)
    response.call_on_close(file.close)
    return response


def _named(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _kept_from_caches(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-store"
    return response
