"""Security headers, by what is answered: A+ on the Mozilla Observatory's scale, and no more rights than a page needs."""

from __future__ import annotations

__all__ = ["DOCUMENT", "LOG", "PAGE", "VIEW", "headers_for"]

PAGE = "page"
LOG = "log"
DOCUMENT = "document"
VIEW = "view"

_CSP = {
    PAGE: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    LOG: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    VIEW: "default-src 'none'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox",
    DOCUMENT: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
}
_ALL = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), interest-cohort=()",
}
_HSTS = "max-age=63072000; includeSubDomains"


def headers_for(kind: str, *, secure: bool) -> dict[str, str]:
    """Return the headers for a page, a file of the log, or a document; ``secure``: it is answered over TLS."""
    shared = "same-origin" if kind in (PAGE, VIEW) else "cross-origin"
    found = {**_ALL, "Content-Security-Policy": _CSP[kind], "Cross-Origin-Resource-Policy": shared}
    if kind == VIEW:
        found["X-Frame-Options"] = "SAMEORIGIN"
    if kind == LOG:
        found["Access-Control-Allow-Origin"] = "*"
    if secure:
        found["Strict-Transport-Security"] = _HSTS
    return found
