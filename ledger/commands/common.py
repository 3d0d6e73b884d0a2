"""What all commands share: the language, the ledger they speak of, passphrases, output, and the table of exit statuses."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ledger.errors import (
    AdmissionError,
    ConflictError,
    FetchError,
    FormatError,
    KeyFileError,
    LedgerError,
    NewerFormatError,
    StoreError,
    UsageError,
    VerificationError,
)
from ledger.words import escape, explain, say, say_reason

__all__ = [
    "EXITS", "Session", "exit_status", "founding_option", "json_option", "ledger_option", "passphrase_option", "session",
    "trouble_of",
]  # fmt: skip

_SHORTEST_PASSPHRASE = 8  # of those typed for a new key; what guards an old one is its owner's affair
DONE, FALSE, USAGE, UNCHECKED, REFUSED = 0, 1, 2, 3, 4

EXITS: tuple[tuple[type[LedgerError], int], ...] = (
    (AdmissionError, REFUSED),
    (ConflictError, REFUSED),
    (NewerFormatError, UNCHECKED),
    (VerificationError, FALSE),
    (FetchError, UNCHECKED),
    (StoreError, REFUSED),
    (KeyFileError, REFUSED),
    (UsageError, USAGE),
    (FormatError, FALSE),
    (LedgerError, REFUSED),
)


def exit_status(error: LedgerError) -> int:
    """Return the exit status of the design's section 7 for ``error``."""
    return next(status for kind, status in EXITS if isinstance(error, kind))


class Session:
    """One run of one command: ``lang``, whether to print JSON, and the passphrases typed so far."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.json = False
        self.ledger: str | None = os.environ.get("BENING_LEDGER") or None
        self.passphrase_file: Path | None = None
        self._passphrases: list[bytes] = []

    def say(self, key: str, /, **values: object) -> str:
        """Return the glossary's sentence in this run's language."""
        return say(key, self.lang, **values)

    def out(self, text: str) -> None:
        """Print one line of the answer."""
        click.echo(text)

    def note(self, text: str) -> None:
        """Print one line beside the answer, on standard error."""
        click.echo(text, err=True)

    def report(self, value: dict[str, Any], lines: list[str]) -> None:
        """Print ``value`` under ``--json``, otherwise the ``lines`` for people."""
        if self.json:
            self.out(json.dumps(value, indent=2))
        else:
            for line in lines:
                self.out(line)

    def fail(self, error: LedgerError) -> int:
        """Tell ``error`` and return its exit status."""
        if self.json:
            reasons = [
                {"code": one.code, "path": one.path, "sentence": say_reason(one, self.lang)}
                for one in getattr(error, "reasons", ())
            ]
            found = {"error": error.code, "detail": error.detail, "sentence": explain(error, self.lang), "reasons": reasons}
            self.out(json.dumps(found, indent=2))
        else:
            self.note(explain(error, self.lang))
        return exit_status(error)

    def passphrase_of(self, path: Path) -> bytes | None:
        """Return the passphrase that opens the key file ``path``, asking once a run; None where it is not encrypted."""
        from ledger.keyfile import is_encrypted, load_any

        if not is_encrypted(path):
            return None
        refused = "key-missing-passphrase"
        for known in self._known_passphrases():
            with contextlib.suppress(KeyFileError):
                load_any(path, known)
                return known
            refused = "key-passphrase"
        if not sys.stdin.isatty():
            raise KeyFileError(f"{path} needs another passphrase", code=refused, path=str(path))
        typed = click.prompt(self.say("ask.passphrase", path=str(path)), hide_input=True, err=True).encode("utf-8")
        load_any(path, typed)
        self._passphrases.append(typed)
        return bytes(typed)

    def new_passphrase(self, path: Path) -> bytes | None:
        """Return the passphrase for a new key file: from the file or the environment, else asked for twice."""
        for known in self._known_passphrases():
            return known
        if not sys.stdin.isatty():
            raise KeyFileError(f"{path} needs a passphrase", code="key-missing-passphrase", path=str(path))
        asked = self.say("ask.new-passphrase", path=str(path))
        typed = click.prompt(asked, hide_input=True, confirmation_prompt=True, err=True).encode("utf-8")
        if len(typed.decode("utf-8")) < _SHORTEST_PASSPHRASE:
            raise KeyFileError(f"{path}: short", code="passphrase-short", path=str(path), least=_SHORTEST_PASSPHRASE)
        self._passphrases.append(typed)
        return bytes(typed)

    def _known_passphrases(self) -> Iterator[bytes]:
        yield from self._passphrases
        if self.passphrase_file is not None:
            try:
                yield self.passphrase_file.read_bytes().rstrip(b"\r\n")
            except OSError as error:
                raise KeyFileError(str(error), code="key-not-found", path=str(self.passphrase_file)) from None
        elif os.environ.get("BENING_PASSPHRASE"):
            yield os.environ["BENING_PASSPHRASE"].encode("utf-8")


session = click.make_pass_decorator(Session)


def trouble_of(error: Exception) -> LedgerError | None:
    """Return what an error of the disk or of a database means here: an operator is told it, not shown a stack."""
    from ledger.durable import disk_trouble
    from ledger.sqlite import database_trouble, driver

    if isinstance(error, OSError):
        return disk_trouble(error, ".")
    return database_trouble(error) if isinstance(error, driver().Error) else None


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def store(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value:
            setattr(ctx.ensure_object(Session), name, value)
        return value

    return store


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_set("json"), help="Answer in JSON."
)
ledger_option = click.option(
    "-L", "--ledger", metavar="NAME|DIR|URL", expose_value=False, callback=_set("ledger"),
    help="The ledger: a name from your settings, a folder, or a URL. Default: $BENING_LEDGER, then your settings.",
)  # fmt: skip
founding_option = click.option("--founding", metavar="HEX", help="The ledger's founding, as the city has announced it.")
passphrase_option = click.option(
    "--passphrase-file", type=click.Path(path_type=Path), expose_value=False, callback=_set("passphrase_file"),
    help="Read the passphrase of key files from this file.",
)  # fmt: skip


def printable(text: object) -> str:
    """Return ``text`` safe for a terminal."""
    return escape(str(text))
