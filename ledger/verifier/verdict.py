"""The verdict: what was checked about one act, what was not, and the plain sentences that say so.

A verdict is a value. Each ``Check`` has one of four states: it passed, it failed, it is disputed, or it was not checked.
Its ``code`` names a sentence in the glossary under ``[check.<code>]``. What no check here can ever tell (whether the act
is lawful; the certified signature inside a PDF) is said wherever an act is shown.

Trouble of an online copy is no trouble of a file whose proof holds without it: such a check carries the copy's place under
``copy`` in its values, stands as a notice, and never makes the headline.

The exit status follows design section 7: 1 if anything failed or is disputed, 3 if something required was not checked,
else 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ledger.errors import FetchError, LedgerError, NewerFormatError, StoreError
from ledger.records.refs import format_ref, is_ref
from ledger.words import escape

__all__ = ["REQUIRED", "Check", "Facts", "Say", "State", "Verdict", "check_of", "combined_status", "copy_check",
           "render"]  # fmt: skip

State = Literal["passed", "failed", "disputed", "not_checked"]
Say = Callable[..., str]

REQUIRED = ("checkpoint", "inclusion", "founding", "signature", "authority")
_REQUIRED_IF_THERE = ("document", "pinned", "bag", "roster")
_MARKS: dict[State, str] = {"passed": "+", "failed": "x", "disputed": "!", "not_checked": "?"}
_NEVER_CHECKED = ("lawful", "certified-signature")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its ``name``, how it ended, the ``code`` of its sentence and the sentence's values."""

    name: str
    state: State
    code: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record of entry ``index`` says about the act; every line is a claim of the office that published it."""

    index: int
    time: str
    local_date: str
    ref: str
    id: str
    kind: str
    form: str
    number: str | None
    title: str
    office: str
    city: str
    money: str | None
    supplier: str | None
    dates: tuple[tuple[str, str], ...]
    lag_days: int
    signed_on_paper: tuple[str, ...]
    published_by: tuple[str, ...]
    documents: tuple[dict[str, Any], ...]
    witnessed: str | None = None
    withheld: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about ``subject``: the ``checks`` in the order of the plan, the act's ``facts``, later ``notices``.

    ``required`` names the checks without which nothing is concluded (an audit has others than one act).
    """

    subject: str
    checks: tuple[Check, ...]
    facts: Facts | None = None
    notices: tuple[Check, ...] = ()
    origin: str = ""
    founding: str = ""
    required: tuple[str, ...] = REQUIRED

    def check(self, name: str) -> Check | None:
        """Return the first check of that name."""
        return next((one for one in self.checks if one.name == name), None)

    def exit_status(self) -> int:
        """Return 0, 1 or 3 as the design's section 7 has it."""
        if any(one.state in ("failed", "disputed") for one in self.checks):
            return 1
        return 3 if self.unchecked() else 0

    def unchecked(self) -> list[str]:
        """Return the names of the required checks that nobody made."""
        missing = [name for name in self.required if self.check(name) is None]
        required = (*self.required, *_REQUIRED_IF_THERE)
        return missing + [one.name for one in self.checks if one.state == "not_checked" and one.name in required]

    def to_json(self, say: Say) -> dict[str, Any]:
        """Return the verdict as JSON values, each check with its code and its sentence."""
        return {
            "subject": self.subject,
            "status": self.exit_status(),
            "headline": headline(self, say),
            "origin": self.origin,
            "founding": self.founding,
            "facts": _facts_json(self.facts),
            "notices": [_check_json(one, say) for one in self.notices],
            "checks": [_check_json(one, say) for one in self.checks],
            "never_checked": [{"code": code, "sentence": say(f"check.{code}")} for code in _NEVER_CHECKED if self.facts],
        }


def combined_status(verdicts: list[Verdict]) -> int:
    """Return the exit status of several verdicts: false before not checked before done."""
    statuses = {one.exit_status() for one in verdicts}
    return next((status for status in (1, 3) if status in statuses), 0 if statuses else 3)


def check_of(name: str, error: LedgerError) -> Check:
    """Return the check that ``error`` ended: what could not be read or is newer is not checked, the rest failed."""
    unknown = isinstance(error, (FetchError, NewerFormatError, StoreError))
    values = {"detail": error.detail, **error.values}
    return Check(name, "not_checked" if unknown else "failed", error.code, values)


def copy_check(check: Check, location: str) -> Check:
    """Return what ``check``, made while reading an online copy, says about that copy alone.

    An older copy is not checked, a damaged one failed; a fork stays what it is: two signed histories of the ledger.
    """
    if check.code == "ledger-rolled-back":
        return Check(check.name, "not_checked", "copy-behind", {**check.values, "copy": location})
    if check.state != "failed" or check.code == "ledger-forked":
        return check
    return replace(check, values={**check.values, "copy": location})


def render(verdict: Verdict, say: Say) -> list[str]:
    """Return the verdict as lines for people: the headline, what must not be missed, the facts, the checks; each once."""
    first = headline(verdict, say)
    copies = [one for one in verdict.checks if "copy" in one.values]
    lines = [first, *(f"  ! {one}" for one in dict.fromkeys(_sentence(one, say) for one in (*verdict.notices, *copies)))]
    if verdict.facts is not None:
        document = verdict.check("document")
        heading = [say("verify.facts-of-proof")] if document is not None and document.state == "failed" else []
        lines += ["", *heading, *_fact_lines(verdict.facts, say)]
    told = {mark: list[str]() for mark in _MARKS.values()}
    for one in verdict.checks:
        sentence, mark = _sentence(one, say), _MARKS[one.state]
        if one not in copies and sentence not in first and sentence not in told[mark]:
            told[mark].append(sentence)
    if verdict.facts is not None:
        told["?"] += [say(f"check.{code}") for code in _NEVER_CHECKED]
    made = [f"  {mark} {sentence}" for mark in ("+", "x", "!") for sentence in told[mark]]
    return [*lines, *_under(say("verify.checked"), made), *_under(say("verify.not-checked"), [f"  ? {one}" for one in told["?"]])]


def _under(heading: str, lines: list[str]) -> list[str]:
    return ["", heading, *lines] if lines else []


def headline(verdict: Verdict, say: Say) -> str:
    """Return the first sentence: what failed, what is disputed, what is missing, or what was found."""
    for state in ("failed", "disputed"):
        worst = next((one for one in verdict.checks if one.state == state and "copy" not in one.values), None)
        if worst is not None:
            return f"{say(f'verify.headline-{state}')} {_sentence(worst, say)}"
    conviction = verdict.check("conviction")
    if conviction is not None and conviction.state == "passed":
        code = "convicts-unknown" if verdict.unchecked() else conviction.code
        return say(f"verify.headline-{code}", **{key: _line(value) for key, value in conviction.values.items()})
    document = verdict.check("document")
    if document is not None and document.state == "not_checked" and document.code != "document-not-compared":
        return _sentence(document, say)
    newer = next((one for one in verdict.checks if one.code == "newer-format"), None)
    if newer is not None:
        return _sentence(newer, say)
    code = "" if document is None else document.code
    return _found(verdict, {"": "published", "document-committed": "committed"}.get(code, "identical"), say)


def _found(verdict: Verdict, kind: str, say: Say) -> str:
    facts = verdict.facts
    values: dict[str, object] = {"city": verdict.origin, "date": "?", "index": "?"}
    if facts is not None:
        values = {"city": _line(facts.city), "date": facts.local_date, "index": facts.index}
    held = [one for one in verdict.checks if one.name == "inclusion" and one.state == "passed"]
    if facts is None or not held:
        return say("verify.headline-unchecked")
    found = say(f"verify.headline-{kind}", **values)
    return f"{found} {say('verify.headline-partly')}" if verdict.unchecked() else found


def _sentence(check: Check, say: Say) -> str:
    """Return the check's sentence: its own, or that of the refusal or error whose code it carries."""
    shown = {key: _line(_shown(key, value)) for key, value in {"detail": check.code, **check.values}.items()}
    if check.state == "failed" and "copy" in check.values:
        values = {key: value for key, value in check.values.items() if key != "copy"}
        return say("check.copy-damaged", location=shown["copy"], cause=_sentence(replace(check, values=values), say))
    for section in ("check", "reason", "error"):
        key = f"{section}.{check.code}"
        found = say(key, **shown)
        if not found.startswith(key):
            return found
    return say("check.other", **shown)


def _shown(key: str, value: object) -> object:
    """Return a reference as it is printed on papers, and anything else as it is."""
    return format_ref(str(value)) if key in ("ref", "typed") and is_ref(value) else value


def _line(value: object) -> str:
    """Return ``value`` on one line, safe for a terminal: nobody's text may look like a line of ours."""
    return escape(str(value).replace("\n", " ").replace("\t", " "))


def _fact_lines(facts: Facts, say: Say) -> Iterator[str]:
    unnumbered = say("fact.unnumbered")
    rows: list[tuple[str, str | None]] = [
        ("form", facts.form),
        ("number", facts.number or unnumbered),
        ("title", facts.title),
        ("office", facts.office),
        ("money", None if facts.money is None else _grouped(facts.money, say)),
        ("supplier", facts.supplier),
        *((f"date-{name}", value) for name, value in facts.dates),
        ("published-here", say("fact.lag", date=facts.local_date, time=facts.time, days=facts.lag_days)),
        ("witnessed", facts.witnessed),
        ("signed-on-paper", "; ".join(facts.signed_on_paper) or None),
        ("published-by", "; ".join(facts.published_by) or None),
        ("ref", format_ref(facts.ref) if is_ref(facts.ref) else facts.ref),
        ("entry", str(facts.index)),
        ("file-code", ", ".join(one["sha256"] for one in facts.documents if "sha256" in one) or None),
        *(("withheld", say("fact.withheld-because", reason=one["reason"], law=one["law"])) for one in facts.withheld),
    ]
    for key, value in rows:
        if value is not None:
            yield f"  {say(f'fact.{key}')}: {_line(value)}"


def _grouped(money: str, say: Say) -> str:
    """Return an amount with its thousands apart, as the reader's language writes them; what is no amount stays as it is."""
    currency, _, amount = money.rpartition(" ")
    whole, point, cents = amount.partition(".")
    if not whole.isdecimal():
        return money
    thousands, decimal = say("fact.thousands"), say("fact.decimal")
    return f"{currency} " + f"{int(whole):,}".replace(",", thousands) + (decimal + cents if point else "")


def _facts_json(facts: Facts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    names = (name for name in Facts.__slots__ if name not in ("dates", "documents", "withheld"))
    found: dict[str, Any] = {name: getattr(facts, name) for name in names}
    return found | {"dates": dict(facts.dates), "documents": list(facts.documents), "withheld": list(facts.withheld)}


def _check_json(check: Check, say: Say) -> dict[str, Any]:
    return {
        "name": check.name,
        "state": check.state,
        "code": check.code,
        "values": {key: value if isinstance(value, (str, int)) else str(value) for key, value in check.values.items()},
        "sentence": _sentence(check, say),
    }
