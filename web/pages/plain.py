"""``/about``, ``/witnesses``, ``/robots.txt``: what a verdict proves and what it does not, and who co-records the ledger."""

from __future__ import annotations

from flask import Blueprint, Response

from web.app import reading
from web.pages.corecording import co_recorders
from web.pages.frame import page
from web.settings import WebSettings

__all__ = ["blueprint"]

blueprint = Blueprint("plain", __name__)

_ROBOTS = """User-agent: *
Disallow: /api/
Disallow: /records?
Disallow: /view/
"""


@blueprint.get("/about")
def about() -> str:
    """Say what this ledger is, how to check it, and who runs it."""
    return page("about.html", contact=WebSettings.of(reading.home).contact, witnesses=co_recorders(reading))


@blueprint.get("/witnesses")
def witnesses() -> str:
    """Say who co-records that the ledger only grows, or that nobody does yet."""
    return page("witnesses.html", witnesses=co_recorders(reading))


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Let search engines read acts, but not walk through every filter and export (RFC 9309)."""
    return Response(_ROBOTS, mimetype="text/plain")
