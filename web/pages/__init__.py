"""Pages for people, Indonesian and English, complete without JavaScript."""

from __future__ import annotations

from flask import Blueprint, Flask

__all__ = ["blueprints", "error_page", "prepare"]


def blueprints() -> list[Blueprint]:
    """Return the blueprints of all pages."""
    from web.pages import entries, home, lookups, numbers, plain, roster, search, verify

    return [one.blueprint for one in (home, search, entries, lookups, roster, numbers, plain, verify)]


def prepare(app: Flask) -> None:
    """Give the templates what they share."""
    from web.pages import kept

    kept.prepare(app)
    app.jinja_env.auto_reload = False


def error_page(status: int, sentence: str) -> str:
    """Return the page that tells a refusal; where the ledger itself cannot be read, without its name and size."""
    from ledger.errors import LedgerError
    from web.pages.frame import page

    values = {"status": status, "lines": sentence.split("\n"), "noindex": True}
    try:
        return page("error.html", unread=status >= 500, **values)
    except LedgerError:
        return page("error.html", unread=True, **values)
