"""The ledger as a whole: its state and roster, exact look-ups, what became of a submission, the treasury's question."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from ledger.desk.roster_view import roster_json
from ledger.errors import StoreError, UsageError
from ledger.publisher.state import Fate, fate_of
from ledger.records.numbers import fold_number
from ledger.records.refs import parse_ref
from ledger.words import say_reason
from web.api.answers import conditional, finish, json_answer
from web.api.asking import allow, digest
from web.api.checking import Asked, answer_of
from web.api.checkline import check_json, check_line
from web.api.comparing import amount_of
from web.api.finding import KINDS, find
from web.app import error_json, reading

__all__ = ["blueprint"]

_STATES = {"pending": "waiting"}  # the site's word for it, design section 9
_CHECKED = ("ref", "number", "supplier", "value")
_LONGEST = 400

blueprint = Blueprint("api-ledger", __name__, url_prefix="/api/v1")
blueprint.after_app_request(finish)  # also of addresses that nobody has


@blueprint.get("/ledger")
@conditional
def ledger() -> Response:
    """Return what this ledger is, and the published checkpoint."""
    allow()
    roster = reading.roster
    return json_answer({
        "name": roster.name,
        "origin": reading.home.origin,
        "founding": reading.home.founding,
        "size": reading.size,
        "root": reading.head.root.hex(),
        "time": reading.head.time,
        "checkpoint": reading.checkpoint.decode("utf-8"),
        "languages": list(roster.languages),
        "utc_offset": roster.utc_offset,
        "url": reading.home.url,
    })  # fmt: skip


@blueprint.get("/roster")
@conditional
def roster() -> Response:
    """Return who may do what, as of the published size."""
    allow()
    here = reading.roster
    others = {"utc_offset": here.utc_offset, "languages": list(here.languages), "size": reading.size}
    return json_answer(roster_json(here) | others)


@blueprint.get("/find")
@conditional
def look_up() -> Response:
    """Return the acts under up to a hundred exact keys."""
    allow((), KINDS)
    keys = [(name, value) for name, value in request.args.items(multi=True) if name in KINDS]
    return json_answer({"size": reading.size, "acts": find(reading, keys)})


@blueprint.get("/acts/<act_id>")
def act_state(act_id: str) -> Response:
    """Return what became of a submission, by the act's id."""
    allow()
    fate = fate_of(g.site.home, digest("id", act_id))  # before the reading, which is then at least as new
    if fate.state == "unknown":
        error = UsageError(act_id, code="unknown-act", id=act_id)
        return json_answer(error_json(error, g.lang) | {"id": act_id, "state": "unknown"}, 404)
    state = _STATES.get(fate.state, fate.state)
    response = json_answer({"id": act_id, "state": state, **_place(fate), "reasons": _reasons(fate)})
    response.headers["Cache-Control"] = "no-store"
    if fate.state in ("pending", "integrated"):
        response.headers["Retry-After"] = "2"
    return response


def _place(fate: Fate) -> dict[str, Any]:
    """Return where a published act stands; nothing of one that is not out yet."""
    if fate.state != "published" or fate.index is None:
        return {}
    act = reading.acts.by_index(fate.index)
    return {"index": fate.index, "ref": act.ref if act else None, "proof_url": f"/api/v1/records/{fate.index}/proof"}


def _reasons(fate: Fate) -> list[dict[str, str]]:
    return [{"code": one.code, "path": one.path, "sentence": say_reason(one, g.lang)} for one in fate.reasons]


@blueprint.post("/acts")
def submit() -> Response:
    """Refuse: submissions are taken in by ``web/front``, before they come here."""
    raise StoreError("only the whole site takes submissions", code="no-intake")


@blueprint.get("/check")
def check() -> Response:
    """Answer in one line whether a published act carries what is asked."""
    answer = answer_of(reading, _asked())
    wanted = request.accept_mimetypes.best_match(["text/plain", "application/json"], "text/plain")
    if wanted == "application/json":
        response = json_answer(check_json(reading, answer, g.say))
    else:
        response = Response(check_line(reading, answer, g.say) + "\n", mimetype="text/plain")
    response.vary.add("Accept")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _asked() -> Asked:
    """Return what is asked.

    Raises:
        UsageError: neither a reference nor a number, or a value that cannot be meant.
        FormatError: ``bad-ref``.
    """
    allow(_CHECKED)
    given = {name: request.args[name].strip() if name in request.args else None for name in _CHECKED}
    for name, text in given.items():
        if text is not None and len(text) > _LONGEST:
            raise UsageError(f"{name} is too long", code="bad-filter", name=name, value=text[:60])
    ref, number, supplier, value = (given[name] for name in _CHECKED)
    if ref is None and not fold_number(number or ""):
        raise UsageError("neither ref nor number", code="check-what")
    return Asked(ref and parse_ref(ref), number, supplier, amount_of(value) if value else None)


@blueprint.get("/openapi.json")
def description() -> Response:
    """Return this interface, described."""
    from web.api.openapi import document

    allow()
    return Response(document(), mimetype="application/json")
