"""A person's settings: the ledgers that they name, and what is always the same in their acts.

    default = "semarang"                 # ~/.config/bening/config.toml, made by ``bening setup``

    [ledgers]
    semarang = "/srv/bening/semarang"

    [person]
    key = "/srv/keys/head.pem"
    office = "bag-hukum"

The file holds no secret, only where the key lies. It is written whole or not at all.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ledger.errors import UsageError

__all__ = ["PERSON", "Location", "Settings"]

PERSON = ("key", "office", "form", "kind", "signatory", "signatory_name", "capacity", "basis", "language")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Location:
    """Where a ledger is: a folder or a URL, and the settings' name for it, if it came by name."""

    kind: Literal["folder", "url"]
    value: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``config.toml`` says; ``person`` has keys of ``PERSON`` only."""

    path: Path
    default: str | None = None
    ledgers: Mapping[str, str] = field(default_factory=dict)
    person: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, env: Mapping[str, str]) -> Settings:
        """Return the settings of whoever runs in the environment ``env``; none yet is fine.

        Raises:
            UsageError: the file cannot be read as settings.
        """
        base = env.get("XDG_CONFIG_HOME", "")
        folder = Path(base) if Path(base).is_absolute() else Path(env.get("HOME") or Path.home()) / ".config"
        path = folder / "bening" / "config.toml"
        try:
            found = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return cls(path)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise _damaged(path, str(error)) from None
        return cls(path, *_checked(path, found))

    @property
    def trust_dir(self) -> Path:
        """Where pinned ledgers are kept."""
        return self.path.parent / "trust"

    def locate(self, named: str | None) -> Location:
        """Return the place of a ledger given as a name of these settings, a URL or a folder; None is the default one.

        Raises:
            UsageError: nothing is named and there is no default, or there is nothing of that name.
        """
        wanted = named or self.default
        if wanted is None:
            raise UsageError("no ledger is named", code="no-ledger")
        if wanted in self.ledgers:
            return _place(self.ledgers[wanted], wanted)
        found = _place(wanted, None)
        if found.kind == "folder" and not Path(found.value).exists():
            raise UsageError(f"there is no ledger {wanted}", code="no-such-ledger", ledger=wanted)
        return found

    def with_ledger(self, name: str, value: str, *, default: bool = True) -> Settings:
        """Return settings that know the ledger ``value`` (folder or URL) as ``name``.

        Raises:
            UsageError: the name is not made of letters, digits, ``_`` and ``-``.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be a name", code="bad-ledger-name", name=name)
        place = _place(value, name)
        kept = place.value if place.kind == "url" else str(Path(place.value).absolute())
        chosen = name if default or self.default is None else self.default
        return replace(self, ledgers={**self.ledgers, name: kept}, default=chosen)

    def with_person(self, **values: str | None) -> Settings:
        """Return settings with other facts about the person; None leaves a fact as it is, an empty text removes it."""
        given = {**self.person, **{key: value for key, value in values.items() if value is not None}}
        return replace(self, person={key: given[key] for key in PERSON if given.get(key)})

    def save(self) -> None:
        """Write the settings in one step, readable by their owner only.

        Raises:
            UsageError: the folder or file cannot be written.
        """
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(self.to_toml().encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        except OSError as error:
            raise UsageError(
                f"{self.path}: {error}", code="settings-unwritable", path=str(self.path), problem=str(error.strerror)
            ) from None

    def to_toml(self) -> str:
        """Return the text of the file; ``load`` reads the same settings back."""
        lines = ["# Bening: your settings. No secrets here; the key file named below is protected by its passphrase."]
        lines += [f"default = {_quoted(self.default)}"] if self.default else []
        for title, table in (("ledgers", self.ledgers), ("person", self.person)):
            lines += ["", f"[{title}]", *(f"{key} = {_quoted(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"


def _place(value: str, name: str | None) -> Location:
    if re.match(r"https?://", value):
        return Location("url", value, name)
    return Location("folder", str(Path(value).expanduser()), name)


def _checked(path: Path, found: dict[str, Any]) -> tuple[str | None, dict[str, str], dict[str, str]]:
    default, ledgers, person = found.get("default"), found.get("ledgers", {}), found.get("person", {})
    if default is not None and not isinstance(default, str):
        raise _damaged(path, "default")
    for table in (ledgers, person):
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise _damaged(path, "[ledgers], [person]")
    return default, dict(ledgers), {key: person[key] for key in PERSON if person.get(key)}


def _damaged(path: Path, problem: str) -> UsageError:
    return UsageError(f"{path}: {problem}", code="settings-damaged", path=str(path), problem=problem)


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but DEL must be escaped too, and surrogates have no place."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
