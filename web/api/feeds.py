"""``/feed.atom``: any filter as a feed."""

from __future__ import annotations

from flask import Blueprint, Response, g

from web.api.answers import conditional
from web.api.asking import filter_of
from web.api.exports import export_of
from web.api.feed import atom
from web.app import reading

__all__ = ["blueprint"]

blueprint = Blueprint("feed", __name__)


@blueprint.get("/feed.atom")
@conditional
def feed() -> Response:
    """Return the newest acts of a filter."""
    export = export_of(reading, filter_of())
    return Response(atom(reading, export, g.lang, g.say), content_type="application/atom+xml; charset=utf-8")
