"""A witness's folder: ``witness.db``, what it has seen, and ``witness.toml``.

name = "pemeriksa.example/w1"           in every cosignature, for ever
key = "/srv/keys/witness.pem"           Ed25519; ML-DSA-44 lies beside it
listen = "127.0.0.1:8100"
contact = "tlog@pemeriksa.example"      stands on the witness's page
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import FormatError, StoreError, UsageError
from ledger.keyfile import LogKeys
from ledger.tlog.note import COSIGNATURE_ED25519, make_vkey
from ledger.witness.state import create_state
from ledger.witness.witness import vkeys_of

__all__ = ["WitnessHome", "create_home", "open_home"]

SETTINGS = "witness.toml"
LISTEN = "127.0.0.1:8100"
_KEYS = {"name", "key", "listen", "contact"}


@dataclass(frozen=True, slots=True)
class WitnessHome:
    """A witness's folder and what its settings say."""

    path: Path
    name: str
    key: Path
    listen: str
    contact: str


def create_home(folder: Path, name: str, key: Path, keys: LogKeys, contact: str = "") -> WitnessHome:
    """Begin a witness in ``folder``.

    Raises:
        UsageError: ``bad-witness-name``: cosignatures cannot carry that name.
        StoreError: there is a witness already, or the folder cannot be written.
    """
    try:
        make_vkey(name, COSIGNATURE_ED25519, keys.ed25519.public.raw)
        vkeys_of(name, keys)
    except FormatError:
        raise UsageError(f"{name!r} is no name of a key", code="bad-witness-name", name=name[:80]) from None
    home = WitnessHome(folder, name, key.absolute(), LISTEN, contact)
    values = {"name": name, "key": str(home.key), "listen": LISTEN, "contact": contact}
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())  # a TOML string too
    try:
        folder.mkdir(parents=True, exist_ok=True)
        create_state(folder)
        (folder / SETTINGS).write_text(text, "utf-8")
    except OSError as error:
        raise StoreError(f"{folder}: {error}", code="cannot-write", path=str(folder), problem=str(error)) from None
    return home


def open_home(folder: Path) -> WitnessHome:
    """Return the witness in ``folder``.

    Raises:
        StoreError: there is none (``not-a-witness``), or its settings make no sense (``bad-settings``).
    """
    path = folder / SETTINGS
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder} is no witness", code="not-a-witness", folder=str(folder)) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: {error}", code="bad-settings", path=str(path), problem=str(error)) from None
    are_texts = all(type(value) is str for value in found.values())
    if not {"name", "key"} <= found.keys() <= _KEYS or not are_texts:
        problem = f"keys: {', '.join(sorted(_KEYS))}; texts"
        raise StoreError(f"{path}: {problem}", code="bad-settings", path=str(path), problem=problem)
    return WitnessHome(folder, found["name"], Path(found["key"]), found.get("listen", LISTEN), found.get("contact", ""))
