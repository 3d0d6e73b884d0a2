"""The programming interface, ``/api/v1``, and the exports and feeds of a filter.

    ledger  records                 the addresses: read the query strictly, call one function, answer
    acts  rows  standing            what an act is, and what became of it
    exports  csvfile  spreadsheet   every row of a filter, with its count and checkpoint       feed
    finding  checking  bundling     look-ups, the treasury's question, evidence
    openapi                         all of it described; tests hold the description true

It reads what is published and nothing else. Submissions are taken in by ``web/front``; they are only described here.
"""

from __future__ import annotations

from flask import Blueprint

__all__ = ["blueprints"]


def blueprints() -> list[Blueprint]:
    """Return the blueprints of the API and of the feed."""
    from web.api import feeds, ledger, records

    return [ledger.blueprint, records.blueprint, feeds.blueprint]
