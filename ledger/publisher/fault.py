"""What ``fsck`` says of a home: one fault each, and how trouble that keeps a check from ending becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import LedgerError
from ledger.sqlite import driver

__all__ = ["Fault", "guarded"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it must be: a glossary code under ``[fsck.<code>]`` and its values.

    ``values`` has the ``path`` of the file, and the ``index`` of the entry or the ``size`` of the tree that it is about.
    """

    code: str
    values: dict[str, object]


def guarded(path: Path, faults: Iterable[Fault], code: str = "stopped") -> Iterator[Fault]:
    """Yield ``faults``; what keeps their check from ending is one fault more, about ``path``.

    A damaged row can hold anything where a number, text or JSON was written, so that is caught here as well.
    """
    try:
        yield from faults
    except LedgerError as error:
        yield Fault(code, {"path": str(error.values.get("path") or path), "problem": f"{error.code}: {error}"})
    except (driver().Error, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        yield Fault(code, {"path": str(path), "problem": f"{type(error).__name__}: {error}"})
