"""``/verify``: comparing a file or a paper in the reader's own browser, and the same as one file to keep.

The page carries the sentences of its language as a block of JSON, and one script joined from ``web/static/verify``. What a
reader compares never comes here: the script asks for the log's files and whole look-up buckets only.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, make_response, render_template, request

from ledger.errors import UsageError
from ledger.verifier.bag_readme import readme
from ledger.words import LANGUAGES, sentences
from web.pages.frame import page, url
from web.pages.joining import join_modules

__all__ = ["blueprint", "data_for"]

STATIC = Path(__file__).parents[1] / "static"
# The sections that the checker speaks from, and what else it needs; a test holds this against the codes in the modules.
SECTIONS = ("check", "compare", "verify", "fact", "reason", "error")
PAGE = (
    "months", "moment", "date-paper", "date-claims", "date-claims-none", "date-recorded", "date-co-recorded", "co-not-yet",
    "lag-none", "lag", "lag-before", "signed-on-paper", "signed-by-nobody", "as-recorded", "as-stated", "published-by", "compare",
    "compare-text",
)  # fmt: skip
PREFIXES = ("claim-", "role-")
ERRORS = (
    "bad-base64", "bad-checkpoint", "bad-decimal", "bad-entry", "bad-envelope", "bad-index", "bad-key", "bad-note",
    "bad-policy", "bad-proof", "bad-signature-count", "bad-sizes", "bad-vkey", "bundle-cut", "bundle-differs",
    "bundle-document-missing", "bundle-incomplete", "bundle-not-proven", "bundle-other-policy", "bundle-unknown-file",
    "bundle-unsafe", "checkpoint-extension", "consistency", "entries-reordered", "entry-differs", "fetch",
    "fetch-missing", "fetch-too-large", "format", "founding-differs", "inclusion", "keys-not-in-roster",
    "newer-format", "no-quorum", "no-such-entry", "not-one-log", "note-too-long", "other-founding", "other-origin",
    "policy", "proof", "proof-length", "roster-chain", "roster-file", "salt-damaged", "same-key-id", "signature",
    "signature-order", "tile-cut", "tile-differs", "too-deep", "too-long", "too-many-signatures", "truncated",
    "two-roots", "verification", "wrong-key",
)  # fmt: skip
_ORIGIN, _COUNT = "@ORIGIN@", 424242

blueprint = Blueprint("verify", __name__)


@blueprint.get("/verify")
def compare() -> Response:
    """Show the page."""
    data = data_for(g.lang) | {"query": url("", ())}
    return _packed(gzip.compress(page("verify.html", data=data, script=f"/verify/{_script_name()}").encode("utf-8"), mtime=0))


@blueprint.get("/verify/<name>")
def part(name: str) -> Response:
    """Give the page's script, or the file to keep."""
    if name == _script_name():
        response = _packed(_script_gzip())
        response.headers["Content-Type"] = "text/javascript; charset=utf-8"
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    for lang in LANGUAGES:
        if name == f"bening-verify-{lang}.html":
            response = make_response(_keepsake(lang))
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return response
    raise UsageError(name, code="not-found")


@functools.cache
def data_for(lang: str) -> dict[str, Any]:
    """Return what the script reads: its sentences in ``lang``, and the README of a bundle as this version writes it."""
    words = {f"{section}.{key}": text for section in SECTIONS for key, text in sentences(section, lang).items()}
    words = {key: text for key, text in words.items() if not key.startswith("error.") or key.removeprefix("error.") in ERRORS}
    pages = sentences("page", lang)
    words |= {f"page.{key}": text for key, text in pages.items() if key in PAGE or key.startswith(PREFIXES)}
    text = readme(_ORIGIN, _COUNT).decode("utf-8")
    return {"lang": lang, "words": words, "readme": {"text": text, "origin": _ORIGIN, "count": str(_COUNT)}}


@functools.cache
def _script() -> bytes:
    return join_modules(STATIC / "verify", "main").encode("utf-8")


@functools.cache
def _script_gzip() -> bytes:
    return gzip.compress(_script(), mtime=0)


@functools.cache
def _script_name() -> str:
    return f"compare-{hashlib.sha256(_script()).hexdigest()[:12]}.js"


def _packed(body: bytes) -> Response:
    """Answer with text that was packed by gzip, as it is for whoever takes it so."""
    takes = "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(body if takes else gzip.decompress(body))
    if takes:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response


@functools.cache
def _keepsake(lang: str) -> str:
    """Return the one file to keep; its policy lets in this script and these styles only, and nothing from any network."""
    script = join_modules(STATIC / "verify", "offline")
    style = "".join((STATIC / name).read_text("utf-8") for name in ("site.css", "verify/verify.css"))
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    words = sentences("compare", lang)
    return render_template(
        "verify-keep.html", lang=lang, say=lambda key: words[key], data=data_for(lang), script=script, style=style, policy=policy
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
