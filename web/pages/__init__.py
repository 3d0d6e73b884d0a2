"""Pages for people, Indonesian and English, complete without JavaScript."""

from __future__ import annotations

from flask import Blueprint, Flask

__all__ = ["bare_page", "blueprints", "error_page", "prepare"]


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


def bare_page(status: int, sentence: str, lang: str) -> str:
    """Return the page that tells a refusal made before Flask is asked (429, 503): it needs neither ledger nor template."""
    from html import escape

    from ledger.words import has_words, say

    key = f"page.error-{status}"
    title = escape(say(key, lang) if has_words(key) else say("page.error-other", lang, status=status))
    lines = "".join(f"<p>{escape(line)}</p>\n" for line in sentence.split("\n"))
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f'<title>{title}</title>\n<link rel="stylesheet" href="/static/site.css">\n</head>\n<body>\n<main id="main">\n'
        f'<h1>{title}</h1>\n{lines}<p><a href="/">{escape(say("page.error-home", lang))}</a></p>\n</main>\n</body>\n</html>\n'
    )
