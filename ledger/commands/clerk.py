"""Asking and drafting, as the desk's commands share them: settings, questions, the draft, and the look before publishing."""

from __future__ import annotations

import os
import sys
import time as clock
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.commands.common import Session, printable
from ledger.errors import AdmissionError

if TYPE_CHECKING:
    from ledger.commands.ledgers import State
    from ledger.desk.drafting import Draft, Request
    from ledger.settings import Settings

__all__ = [
    "ask_setup",
    "complete",
    "load_settings",
    "look",
    "make_draft",
    "now",
    "printed",
    "request_of",
    "salt_lines",
    "write_label",
]

_ASKED = {
    "--office": "office",
    "--form": "form",
    "--number": "number",
    "--title": "title",
    "--signed-on": "signed-on",
    "--signatory": "signatory",
    "--reason": "reason",
}


def request_of(documents: Sequence[str], said: dict[str, Any], signers: Sequence[str]) -> Request:
    """Return what the options of a command say about an act."""
    from ledger.desk.drafting import DATES, Request

    dates = {key: said.pop(key) for key in DATES}
    given = {key: value for key, value in said.items() if value not in (None, ())}
    return Request(
        documents=tuple(documents),
        signers=tuple(signers),
        dates={key: value for key, value in dates.items() if value is not None},
        **given,
    )


def complete(here: Session, request: Request, state: State, settings: Settings, *, ask_ref: bool = True) -> Request:
    """Add what is certain, and ask for what only the person knows; without a terminal name all of it at once.

    Raises:
        AdmissionError: what is known already speaks against it; nobody is asked for the rest.
    """
    from ledger.desk.drafting import missing_facts, with_defaults
    from ledger.desk.judging import judge_known

    request = with_defaults(request, state.roster, settings.person)
    missing = missing_facts(request)
    if not sys.stdin.isatty() or not all(option in _ASKED for option in missing):
        return request
    for option in (None, *missing):
        request = with_defaults(_asked(here, request, option), state.roster, settings.person) if option else request
        if option in (None, "--form", "--office") and (reasons := judge_known(request, state.roster)):
            raise AdmissionError(reasons)
    if ask_ref and request.ref is None and request.documents:
        from dataclasses import replace

        request = replace(request, ref=_asked_ref(here))
    return request


def _asked_ref(here: Session) -> str | None:
    """Ask for the reference on the paper's label, again until it is one; an empty answer: there is no label."""
    from ledger.errors import FormatError
    from ledger.records.refs import parse_ref
    from ledger.words import explain

    while answer := click.prompt(here.say("ask.ref"), default="", show_default=False, err=True):
        try:
            return parse_ref(answer)
        except FormatError as error:
            here.note(explain(error, here.lang))
    return None


def _asked(here: Session, request: Request, option: str) -> Request:
    from dataclasses import replace

    answer = click.prompt(here.say(f"ask.{_ASKED[option]}"), err=True)
    if option == "--signed-on":
        return replace(request, dates={**request.dates, "signed_on": answer})
    if option == "--signatory":
        return replace(request, signatories=(answer,))
    changed: dict[str, Any] = {_ASKED[option]: answer}
    return replace(request, **changed)


def make_draft(request: Request, state: State) -> Draft:
    """Return the draft, judged as far as it can be before it is signed."""
    from ledger.desk.drafting import draft as make

    return make(request, state.roster, state.index, time=now())


def look(here: Session, made: Draft, state: State, *, whole: bool) -> list[dict[str, str]]:
    """Show the preview, or only what looks odd; return the odd things for ``--json``."""
    from ledger.desk.preview import preview, warnings_about
    from ledger.records.entry import local_date

    today = local_date(now(), state.roster.utc_offset)
    remarks = warnings_about(made.data, state.roster, state.index, today=today, documents=made.documents)
    told = [{"code": one.code, "path": one.path, "sentence": here.say(f"warning.{one.code}", **one.values)} for one in remarks]
    lines = [here.say("preview.warning", text=one["sentence"]) for one in told if not here.json]
    for line in preview(made, state.roster, state.index, say=here.say, today=today) if whole else lines:
        here.note(line)
    return told


def ask_setup(here: Session, settings: Settings) -> tuple[str, str | None, dict[str, str | None]]:
    """Ask for everything that ``setup`` keeps."""
    where = click.prompt(here.say("ask.ledger"), default=settings.ledgers.get(settings.default or ""), err=True)
    name = click.prompt(here.say("ask.ledger-name"), default=Path(where.rstrip("/")).name.split(".")[0], err=True)
    person = {
        key: click.prompt(here.say(f"ask.{key}"), default=settings.person.get(key, ""), err=True)
        for key in ("key", "office", "form", "signatory")
    }
    person["key"] = person["key"] and str(Path(person["key"]).expanduser().absolute())
    return where, name, dict(person)


def salt_lines(here: Session, made: Draft) -> list[str]:
    """Return what to do with the salts of withheld documents."""
    return [here.say("desk.committed", name=one.document.path.name, file=printable(one.path)) for one in made.salts]


def write_label(address: str | None, name: str, ref: str, form: str, kind: str, out: Path) -> Path:
    """Write the label of one reference as a picture of one kind; it leads to the site at ``address``, if there is one."""
    from ledger.desk.labels import label_png, label_svg
    from ledger.durable import make_folder, write_over

    make_folder(out.absolute())
    data = label_png(ref, name, address) if kind == "png" else label_svg(ref, name, address).encode("utf-8")
    path = out / f"{form}-{printed(ref)}.{kind}"
    write_over(path.absolute(), data)
    return path


def now() -> str:
    """Return the time as entries state it."""
    from ledger.records.entry import format_time

    return format_time(int(clock.time()))


def printed(ref: str) -> str:
    """Return a reference as it is printed."""
    from ledger.records.refs import format_ref

    return format_ref(ref)


def load_settings() -> Settings:
    """Return the settings of whoever runs this."""
    from ledger.settings import Settings

    return Settings.load(os.environ)
