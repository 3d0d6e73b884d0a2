"""What an import refused, as a CSV that an official can mend and import again with the same map.

    bening_row,bening_codes,bening_reasons,<the source's own columns>          for JSON lines: one column, ``line``

Cells that a spreadsheet would run as a formula carry a leading apostrophe, which importing takes off again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from ledger.desk.importing import Planned
from ledger.desk.sources import NOTES, csv_line, guard
from ledger.errors import UsageError
from ledger.words import say_reason

__all__ = ["Refusals", "refusals_path"]


def refusals_path(source: Path) -> Path:
    """Return where the refused rows of ``source`` go."""
    return source.with_name(source.name + ".refused.csv")


class Refusals:
    """The refused rows of one run; ``save`` writes them all in one step."""

    def __init__(self, source: Path, columns: Iterable[str], lang: str) -> None:
        self.path, self.lang = refusals_path(source), lang
        self.lines = [csv_line([*NOTES, *map(guard, columns)])]

    def add(self, planned: Planned) -> None:
        """Keep one refused row with all its reasons."""
        codes = " ".join(dict.fromkeys(one.code for one in planned.reasons))
        reasons = " | ".join(say_reason(one, self.lang) for one in planned.reasons)
        cells = [str(planned.row.number), codes, guard(reasons), *map(guard, planned.row.cells)]
        self.lines.append(csv_line(cells))

    def save(self) -> Path | None:
        """Write the file and return its path, None where nothing was refused; one of an earlier run is set aside.

        Raises:
            UsageError: it cannot be written.
        """
        data = "".join(self.lines).encode("utf-8-sig")
        try:
            if self.path.exists() and self.path.read_bytes() != data:
                os.replace(self.path, self._aside())
            if len(self.lines) == 1:
                return None
            beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            beside.write_bytes(data)
            os.replace(beside, self.path)
        except OSError as error:
            values = {"path": str(self.path), "problem": str(error.strerror)}
            raise UsageError(f"{self.path}: {error}", code="file-unwritable", **values) from None
        return self.path

    def _aside(self) -> Path:
        """Return a free name: somebody may have mended the earlier file and not yet imported it."""
        names = (self.path.with_name(f"{self.path.stem}.{number}.csv") for number in itertools.count(1))
        return next(name for name in names if not name.exists())
