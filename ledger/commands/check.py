"""``verify``, ``bundle`` and ``audit``: reading a published ledger and judging what it says."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.common import FALSE, Session, founding_option, json_option, ledger_option, session
from ledger.errors import FetchError, FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.settings import Settings
    from ledger.verifier.audit import AuditReport
    from ledger.verifier.case import Trusted
    from ledger.verifier.choice import Choice
    from ledger.verifier.client import Source
    from ledger.verifier.verdict import Check, Verdict

__all__ = ["audit", "bundle", "verify"]

_FILE = click.Path(path_type=Path)
_policy = click.option("--policy", type=_FILE, help="Check by this policy file instead of a pinned ledger.")


@click.command()
@click.argument("files", nargs=-1, type=_FILE, metavar="FILE...")
@click.option("--proof", type=_FILE, help="The proof of this document. Default: FILE.tlog-proof, if it is there.")
@_policy
@founding_option
@click.option("--roster", type=_FILE, help="A roster.jsonl, to check signers without the ledger.")
@click.option("--salt", type=_FILE, help="The salt of a withheld document. Default: any FILE.<ref>.salt beside it.")
@click.option("--ref", help="Look up a reference from a paper, to compare.")
@click.option("--number", help="Look up a number from a paper, to compare.")
@click.option("--offline", is_flag=True, help="Ask no ledger; use what is pinned and what lies beside the file.")
@ledger_option
@json_option
@session
def verify(here: Session, files: tuple[Path, ...], proof: Path | None, policy: Path | None, founding: str | None,
           roster: Path | None, salt: Path | None, ref: str | None, number: str | None, offline: bool) -> int:  # fmt: skip
    """Check documents, proofs, evidence bundles and convictions; or look up what a paper says.

    0: published, unchanged, signer checked; or a conviction of a pinned ledger holds. 1: false or disputed. 3: something
    needed could not be checked.
    """
    from ledger.records.numbers import fold_number
    from ledger.verifier.verdict import combined_status

    nothing = (not files and ref is None and number is None) or (number is not None and not fold_number(number))
    if nothing or ((proof is not None or salt is not None) and len(files) != 1):
        raise UsageError("verify needs files, --ref or --number", code="missing-options", options="FILE, --ref, --number")
    given = _Given(proof, policy, founding, roster, offline=offline, salt=salt)
    verdicts = [one for path in files for one in _verify_one(here, path, given)]
    if ref is not None or number is not None:
        verdicts += _verify_typed(here, given, ref, number)
    _report(here, verdicts)
    return combined_status(verdicts)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--with-related", is_flag=True, help="Also the acts that these name or that name these, and so on.")
@click.option("-o", "--out", type=_FILE, required=True, metavar="FILE.zip")
@ledger_option
@json_option
@session
def bundle(here: Session, refs: tuple[str, ...], with_related: bool, out: Path) -> int:
    """Put everything that proves some acts into one file that can be checked without Bening."""
    from ledger.records.refs import parse_ref
    from ledger.verifier.acts import index_of_ref
    from ledger.verifier.bundle import make_bundle, related
    from ledger.verifier.reader import open_ledger

    trusted, source = _named(here)
    if source is None:
        raise FetchError("no ledger to read from", code="fetch-missing", where=trusted.policy.logs[0].name, path="checkpoint")
    view = open_ledger(source, trusted.policy, trusted.founding or "")
    _warn(here, trusted, source.location)
    indexes = [index_of_ref(view, parse_ref(ref)) for ref in refs]
    chosen = make_bundle(view, related(view, indexes) if with_related else indexes, out)
    here.report({"path": str(out), "indexes": chosen}, [here.say("bundle.done", count=len(chosen), path=str(out))])
    return 0


@click.command()
@click.argument("where", required=False)
@_policy
@founding_option
@click.option("--state", type=_FILE, metavar="DIR", help="Keep what was checked here, and next time read only what is new.")
@click.option("--strict-findings", is_flag=True, help="Exit 1 if there are findings, though everything holds.")
@click.option("--no-documents", is_flag=True, help="Do not fetch and hash the documents.")
@click.option("--again", is_flag=True, help="Check the state folder whole, and read all documents and look-ups again.")
@ledger_option
@json_option
@session
def audit(here: Session, where: str | None, policy: Path | None, founding: str | None, state: Path | None,
          strict_findings: bool, no_documents: bool, again: bool) -> int:  # fmt: skip
    """Check a whole ledger: every entry, signature, document and rule.

    With --state, later runs read what is new, what was not in order, and some of the older documents and look-ups in turn.
    """
    import tempfile

    from ledger.verifier.audit import audit as run

    here.ledger = where or here.ledger
    trusted, source = _named(here, _Given(None, policy, founding, None, offline=False))
    if source is None or trusted.founding is None:
        raise UsageError("an audit needs a ledger and its founding", code="founding-unknown")
    _warn(here, trusted, source.location)
    with contextlib.ExitStack() as stack:
        kept = state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bening-audit-")))
        found = run(
            source, trusted.policy, trusted.founding, state_dir=kept, documents=not no_documents,
            progress=_progress(here), kept=state is not None, again=again,
        )  # fmt: skip
    check = _against_pin(trusted, source, found.note)
    if check is not None and check.code.startswith("ledger-"):
        contradiction = here.say(f"check.{check.code}", **check.values)
        here.report(found.to_json(here.say) | {"status": FALSE, "contradiction": contradiction}, [contradiction])
        return FALSE
    if check is not None:
        found = replace(found, verdict=replace(found.verdict, checks=(*found.verdict.checks, check)))
    return _report_audit(here, found, strict_findings, pinned=trusted.pinned)


def _against_pin(trusted: Trusted, source: Source, note: bytes | None) -> Check | None:
    """Hold the checkpoint that was audited, and no other, against what was seen of the pinned ledger; then remember it.

    Return None if it continues that, else what is wrong, or what kept it from being compared.
    """
    from ledger.errors import LedgerError, StoreError
    from ledger.verifier.reader import view_of
    from ledger.verifier.trust import follow
    from ledger.verifier.verdict import check_of

    if trusted.pin is None or note is None:
        return None
    try:
        follow(trusted.pin, view_of(source, trusted.policy, trusted.founding or "", note))
    except StoreError:
        return None  # it does continue; only remembering it failed
    except LedgerError as error:
        return check_of("history", error)
    return None


def _report_audit(here: Session, found: AuditReport, strict: bool, *, pinned: bool) -> int:
    """A ledger that holds by its own policy only has not been checked against anything that somebody pinned."""
    from ledger.verifier import audit, findings

    status = found.exit_status(strict_findings=strict)
    status = 3 if status == 0 and not pinned else status
    lines = [*audit.render(found, here.say), "", *findings.render(found, here.say)]
    here.report(found.to_json(here.say) | {"status": status, "pinned": pinned}, _fitted(lines))
    return status


class _Given:
    """What the options of one run name."""

    def __init__(self, proof: Path | None, policy: Path | None, founding: str | None, roster: Path | None, *,
                 offline: bool, salt: Path | None = None) -> None:  # fmt: skip
        from ledger.verifier.client import roster_lines
        from ledger.verifier.trust import read_policy_file

        self.proof = None if proof is None else _bytes_of(proof)
        self.policy = None if policy is None else read_policy_file(policy)
        self.founding, self.offline, self.salt = founding, offline, salt
        self.roster = () if roster is None else tuple(roster_lines(_bytes_of(roster)))


def _choices(here: Session, given: _Given, path: Path | None) -> list[Choice]:
    from ledger.verifier.choice import choose
    from ledger.verifier.trust import load_pins
    from ledger.verifier.verify import read_given

    settings, found = _settings(), None if path is None else read_given(path, given.proof)
    location = _location(settings, here.ledger)
    if location is None and given.policy is None and (path is None or not load_pins(settings.trust_dir)):
        location = _location(settings, settings.default)
    return choose(settings.trust_dir, found, policy=given.policy, founding=given.founding, location=location,
                  roster=given.roster, offline=given.offline)  # fmt: skip


def _named(here: Session, given: _Given | None = None) -> Choice:
    return _choices(here, given or _Given(None, None, None, None, offline=False), None)[0]


def _warn(here: Session, trusted: Trusted, location: str) -> None:
    if not trusted.pinned:
        here.note(here.say("verify.not-pinned-loud", location=location))


def _verify_one(here: Session, path: Path, given: _Given) -> list[Verdict]:
    from ledger.verifier.choice import readers, verify_choices
    from ledger.verifier.convict import is_conviction, judge_conviction, read_conviction

    if is_conviction(path):
        settings = _settings()
        known = readers(settings.trust_dir, policy=given.policy, founding=given.founding,
                        location=_location(settings, here.ledger), roster=given.roster)  # fmt: skip
        return [judge_conviction(read_conviction(path), path.name, known)]
    choices = _choices(here, given, path)
    for trusted, source in choices:
        _warn(here, trusted, source.location if source else str(path))
    return verify_choices(path, choices, given.proof, given.salt)


def _verify_typed(here: Session, given: _Given, ref: str | None, number: str | None) -> list[Verdict]:
    from ledger.records.refs import parse_ref
    from ledger.verifier.reader import open_ledger
    from ledger.verifier.verify import verify_typed

    try:
        stored = None if ref is None else parse_ref(ref)
    except FormatError as error:  # mistyped: the request's fault, not a false paper
        raise UsageError(error.detail, code=error.code, **error.values) from None
    trusted, source = _named(here, given)
    if source is None:
        raise UsageError("no ledger to ask", code="nothing-pinned")
    _warn(here, trusted, source.location)
    view = open_ledger(source, trusted.policy, trusted.founding or "")
    return verify_typed(view, trusted, ref=stored, number=number)


def _report(here: Session, verdicts: list[Verdict]) -> None:
    from ledger.verifier.verdict import combined_status, render

    lines: list[str] = []
    for one in verdicts:
        head = [here.say("verify.subject", subject=one.subject)] if len(verdicts) > 1 else []
        typed = one.check("document") is None and one.facts is not None
        lines += [*head, *render(one, here.say), *([here.say("verify.compare")] if typed else []), ""]
    found = [one.to_json(here.say) for one in verdicts]
    here.report({"status": combined_status(verdicts), "verdicts": found}, _fitted(lines[:-1]))


def _fitted(lines: list[str]) -> list[str]:
    """Return ``lines`` no wider than the terminal, what is left of one under its own text; in a pipe as they are."""
    import textwrap

    width, fitted = _width(), list[str]()
    if width is None:
        return lines
    for line in lines:
        hang = " " * (4 if line.startswith("  ") else 0)
        wrapped = textwrap.wrap(line, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)
        fitted += wrapped or [""]
    return fitted


def _width() -> int | None:
    """Return the terminal's width; None where the answer goes elsewhere."""
    import shutil

    return max(shutil.get_terminal_size().columns, 40) if sys.stdout.isatty() else None


def _settings() -> Settings:
    from ledger.settings import Settings

    return Settings.load(os.environ)


def _location(settings: Settings, named: str | None) -> str | None:
    """Return where ``named`` is: a pin's name as it stands, otherwise as the settings have it; None is None."""
    if named is None or (settings.trust_dir / named / "policy").is_file():
        return named
    return str(settings.locate(named).value)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None


def _progress(here: Session) -> Callable[[str, int, int], None] | None:
    """Count on a terminal, quietly in a pipe."""
    if here.json or not sys.stderr.isatty():
        return None
    return lambda what, done, total: click.echo(f"\r{what} {done}/{total}", err=True, nl=done == total)
