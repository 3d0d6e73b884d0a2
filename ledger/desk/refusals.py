"""What an import refused, as a CSV that an official can mend and import again with the same map.

    bening_row,bening_codes,bening_reasons,<the source's own columns>          for JSON lines: one column, ``line``

Cells that a spreadsheet would run as a formula carry a leading apostrophe, which importing takes off again.
"""

from __future__ import annotations

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
        """Write the file and return its path; where nothing was refused, one of an earlier run is removed.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            if len(self.lines) == 1:
                self.path.unlink(missing_ok=True)
                return None
            beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            beside.write_text("".join(self.lines), "utf-8-sig", newline="")
            os.replace(beside, self.path)
        except OSError as error:
            values = {"path": str(self.path), "problem": str(error.strerror)}
            raise UsageError(f"{self.path}: {error}", code="file-unwritable", **values) from None
        return self.path
