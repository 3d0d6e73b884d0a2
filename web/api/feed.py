"""The feed of a filter (RFC 4287): its newest acts, and how many there are in all. A saved search is a feed.

Ids are tag URIs (RFC 4151) made of the ledger's own name, its first day and the act's id: they outlive host names.

    tag:ledger.kota.example,2026-11-23:kota/acts/<act id>
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr

from ledger.catalog.catalog import Row
from ledger.records import canonical
from ledger.records.entry import parse_entry
from ledger.records.record import MAX_RECORD
from ledger.records.refs import format_ref
from ledger.words import escape
from web.api.acts import document_json
from web.api.exports import Export
from web.api.rows import query_of
from web.api.spreadsheet import NOT_XML
from web.api.standing import Say
from web.site import Reading

__all__ = ["MOST_ENTRIES", "atom"]

MOST_ENTRIES = 100


def atom(reading: Reading, export: Export, lang: str, say: Say) -> bytes:
    """Return the feed of the export's filter: its ``MOST_ENTRIES`` newest acts, whatever order the filter names."""
    rows = _newest(export)
    began = parse_entry(reading.store.entry(0)).time
    tag = _Tag(export.snapshot.origin, began)
    query = query_of(replace(export.wanted, sort="-recorded"))
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{lang}">',
        *_head(reading, export, tag, rows, query, began, say),
    ]
    payloads = _records(reading, rows)
    for row in rows:
        lines += _entry(reading, export, tag, row, payloads[row.index], say)
    return "\n".join([*lines, "</feed>", ""]).encode("utf-8")


class _Tag:
    """The names of one ledger's feeds and entries."""

    def __init__(self, origin: str, began: str) -> None:
        host, _, path = origin.partition("/")
        self._start = f"tag:{host},{began[:10]}:{path + '/' if path else ''}"

    def __call__(self, *parts: str) -> str:
        return self._start + "/".join(parts)


def _newest(export: Export) -> list[Row]:
    newest = replace(export.wanted, sort="-recorded")
    return list(itertools.islice(export.catalog.each(newest, export.snapshot.size), MOST_ENTRIES))


def _head(
    reading: Reading, export: Export, tag: _Tag, rows: list[Row], query: str, began: str, say: Say
) -> Iterator[str]:
    asked = f"?{query}" if query else ""
    yield _element("id", tag("feed") + asked)
    yield _element("title", say("api.feed-title", city=reading.roster.name))
    shown = {"shown": len(rows), "count": export.count, "size": export.snapshot.size, "time": export.snapshot.head.time}
    yield _element("subtitle", say("api.feed-subtitle", **shown))
    yield _element("updated", rows[0].time if rows else began)
    yield f"<author>{_element('name', reading.roster.name)}</author>"
    yield _link("self", f"{export.url}/feed.atom{asked}", "application/atom+xml")
    yield _link("alternate", f"{export.url}/records{asked}", "text/html")
    yield _link("related", f"{export.url}/api/v1/records.jsonl{asked}", "application/x-ndjson")
    yield _element("generator", "Bening")


def _entry(reading: Reading, export: Export, tag: _Tag, row: Row, record: dict[str, Any], say: Say) -> Iterator[str]:
    names = export.names
    heading = " ".join(filter(None, [names.form(row.form), row.number]))
    yield "<entry>"
    yield _element("id", tag("acts", row.id))
    yield _element("title", f"{heading}: {row.title}")
    yield _element("updated", row.time)
    yield _element("published", row.time)
    yield f"<author>{_element('name', names.office(row.office))}</author>"
    yield f"<category term={_quoted(row.kind)}/>"
    yield _link("alternate", f"{export.url}/records/{row.index}", "text/html")
    yield _link("related", f"{export.url}/api/v1/records/{row.index}", "application/json")
    for document in record["documents"]:
        shown = document_json(reading.roster, document)
        if shown["url"]:
            yield _link("enclosure", export.url + shown["url"], shown["media_type"], length=shown["size"], title=shown["name"])
    yield _element("summary", _summary(row, names.office(row.office), say))
    yield "</entry>"


def _summary(row: Row, office: str, say: Say) -> str:
    facts = [
        f"{say('fact.office')}: {office}",
        *([f"{say('fact.money')}: {row.currency} {row.value}"] if row.value is not None else []),
        *([f"{say('fact.supplier')}: {row.supplier}"] if row.supplier is not None else []),
        f"{say('fact.date-signed_on')}: {row.signed_on}",
        f"{say('fact.published-here')}: {row.recorded_on}",
        f"{say('fact.ref')}: {format_ref(row.ref)}",
    ]
    return "; ".join(facts) + "."


def _records(reading: Reading, rows: Iterable[Row]) -> dict[int, dict[str, Any]]:
    found = {}
    for row in rows:
        found[row.index] = canonical.parse(reading.acts.payload(row.index) or b"", limit=MAX_RECORD)
    return found


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape_xml(_clean(text))}</{name}>"


def _link(rel: str, href: str, media_type: str, **others: object) -> str:
    attributes = {"rel": rel, "type": media_type, "href": href, **others}
    return "<link " + " ".join(f"{name}={_quoted(str(value))}" for name, value in attributes.items()) + "/>"


def _quoted(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return NOT_XML.sub(lambda found: escape(found[0]), text)
