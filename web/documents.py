"""Documents as pages link to them: inline in a sandbox, or the reason why one is not here (any more).

``/documents/<aa>/<sha256>`` itself is a file and is answered before Flask; only one that is not there comes here.
"""

from __future__ import annotations

from flask import Blueprint, Response

from ledger.errors import UsageError
from ledger.records import canonical
from ledger.records.record import MAX_RECORD
from web.headers import VIEW, headers_for
from web.site import Reading

__all__ = ["SHOWN", "blueprint", "media_type_of"]

# What a browser may show in place: no format that carries scripts of its own into our origin (SVG, HTML, XML do).
SHOWN = ("application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp")

blueprint = Blueprint("documents", __name__)


@blueprint.get("/documents/<prefix>/<sha256>")
def document(prefix: str, sha256: str) -> Response:
    """Answer for a document whose bytes are not here: 410 with the reason where it was withdrawn, else 404."""
    from web.app import reading

    raise _absent(reading, sha256)


@blueprint.get("/view/<sha256>")
def view(sha256: str) -> Response:
    """Name the file of a PDF or image for the front to send, to be shown in place without any right."""
    from flask import request

    from web.app import reading

    media_type = media_type_of(reading, sha256)
    place = reading.home.document(sha256)
    if media_type is None or sha256 in reading.roster.withdrawn or not place.is_file():
        raise _absent(reading, sha256)
    if media_type not in SHOWN:
        raise UsageError(media_type, code="not-shown", media_type=media_type)
    headers = headers_for(VIEW, secure=request.is_secure) | {
        "Content-Type": media_type,
        "Content-Disposition": "inline",
        "Cache-Control": "public, max-age=3600",
        "X-Bening-File": str(place),
    }
    return Response(b"", 200, headers)


def media_type_of(reading: Reading, sha256: str) -> str | None:
    """Return the media type that the first published act states for a document; None where no act names it."""
    for act in reading.acts.by_document(sha256):
        record = canonical.parse((reading.acts.payload(act.index) or b""), limit=MAX_RECORD)
        return next(str(one["media_type"]) for one in record["documents"] if one.get("sha256") == sha256)
    return None


def _absent(reading: Reading, sha256: str) -> UsageError:
    event = reading.roster.withdrawn.get(sha256)
    if event is not None:
        return UsageError("withdrawn", code="gone", law=event["law"], reason=event["reason"])
    return UsageError("no such document", code="not-found")

