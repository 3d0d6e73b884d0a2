"""How the site runs: the ``[web]`` table of ``bening.toml``; everything has a usual value.

[web]
listen = "127.0.0.1:8000"     # or unix:/run/bening/web.sock
proxies = ["127.0.0.1"]       # whose X-Forwarded-For and X-Forwarded-Proto are believed
most_upload = 268435456       # bytes of one submission with its documents
contact = "ppid@kota.example" # shown on the page about this ledger
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ledger.errors import StoreError
from ledger.publisher.home import Home

__all__ = ["WebSettings"]


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Sizes in bytes, rates in requests a second for one address, ``…_at_once`` in requests of all addresses."""

    listen: str = "127.0.0.1:8000"
    proxies: tuple[str, ...] = ()
    contact: str = ""
    most_upload: int = 256 * 1024**2
    staging_quota: int = 4 * 1024**3
    pages_rate: float = 30.0
    pages_burst: float = 300.0
    refusals_rate: float = 1.0
    refusals_burst: float = 60.0
    submissions_at_once: int = 128
    pages_at_once: int = 256
    exports_at_once: int = 4
    threads: int = 8

    @classmethod
    def of(cls, home: Home) -> WebSettings:
        """Return the settings of a home.

        Raises:
            StoreError: ``bad-settings``: a value of another kind, or a name that is not known.
        """
        path = home.path / "bening.toml"
        try:
            found = tomllib.loads(path.read_text("utf-8")).get("web", {})
        except (OSError, ValueError, RecursionError) as error:
            raise _bad(home, str(error)) from None
        if not isinstance(found, dict):
            raise _bad(home, "[web]")
        return cls(**{name: _value(home, name, value) for name, value in found.items()})


def _value(home: Home, name: str, value: Any) -> Any:
    usual: Mapping[str, Any] = {one.name: one.default for one in fields(WebSettings)}
    if name not in usual:
        raise _bad(home, f"[web] {name}")
    if isinstance(usual[name], tuple) and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    kinds = (int, float) if isinstance(usual[name], float) else type(usual[name])
    if not isinstance(value, kinds) or isinstance(value, bool) or (isinstance(value, (int, float)) and value <= 0):
        raise _bad(home, f"[web] {name} = {value!r}")
    return value


def _bad(home: Home, problem: str) -> StoreError:
    path = str(home.path / "bening.toml")
    return StoreError(f"{path}: {problem}", code="bad-settings", path=path, problem=problem)
