"""``bening import``: many rows of a table at once, judged first, published with ``--yes``."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.commands.clerk import load_settings, now, printed
from ledger.commands.common import REFUSED, Session, json_option, ledger_option, passphrase_option, printable, session
from ledger.commands.ledgers import ledger_of
from ledger.commands.signing import private_key, usual_key
from ledger.errors import UsageError
from ledger.words import say_reason

if TYPE_CHECKING:
    from ledger.commands.ledgers import Ledger, Outcome, State
    from ledger.desk.importing import Importer, Planned
    from ledger.desk.journal import Journal
    from ledger.desk.refusals import Refusals
    from ledger.desk.sources import SourceRow, Table
    from ledger.records.envelope import Envelope

__all__ = ["import_"]

BATCH = 2000
_MOST_SHOWN = 20
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--map", "map_file", type=_FILE, help="How columns become records. --guess writes a first one.")
@click.option("--key", "key_files", type=_FILE, multiple=True, help="Key that signs; repeat. Default: your settings'.")
@click.option("--yes", is_flag=True, help="Publish. Without it nothing is published.")
@click.option("--guess", is_flag=True, help="Write a first map from the columns of FILE, to --map or to the terminal.")
@ledger_option
@passphrase_option
@json_option
@session
def import_(here: Session, file: Path, map_file: Path | None, key_files: tuple[Path, ...], yes: bool, guess: bool) -> int:
    """Publish the rows of FILE (JSONL, CSV, XLSX). A dry run unless --yes; a run that was cut off goes on."""
    from ledger.desk.importing import Importer
    from ledger.desk.journal import Journal
    from ledger.desk.mapping import load_map
    from ledger.desk.refusals import Refusals
    from ledger.desk.sources import open_table

    if guess:
        return _guess(here, file, map_file)
    if map_file is None:
        raise UsageError("no map", code="missing-options", options="--map")
    chart, table, ledger = load_map(map_file), open_table(file), ledger_of(here)
    run = _Run(here, Refusals(file, table.columns, here.lang))
    signers = [private_key(here, one) for one in key_files or usual_key(load_settings())]
    with Journal(file, ledger.founding, write=yes) as journal:

        def new_importer() -> Importer:
            return Importer(chart, signers, journal, file.absolute().parent, lang=here.lang)

        run.all_rows(ledger, table, new_importer, journal, publish=yes)
    return run.report(published=yes)


class _Run:
    """One import: what became of its rows so far."""

    def __init__(self, here: Session, refusals: Refusals) -> None:
        self.here, self.refusals = here, refusals
        self.counts: Counter[str] = Counter()
        self.shown: dict[str, list[dict[str, Any]]] = {"already": [], "twins": [], "refused": [], "warnings": [], "published": []}

    def all_rows(
        self, ledger: Ledger, table: Table, new_importer: Callable[[], Importer], journal: Journal, *, publish: bool
    ) -> None:
        """Plan all rows, batch by batch; with ``publish`` hand over each batch before the next is judged."""
        if publish:  # a run that was cut off may have left acts half-way
            ledger.take_up()
        with tempfile.TemporaryDirectory(prefix="bening-import-") as folder, contextlib.closing(new_importer()) as importer:
            for number, batch in enumerate(_batches(table.rows)):
                with ledger.read(functools.partial(_rehearse, new_importer, batch)) as state:
                    if publish or number == 0:
                        importer.renew(state.roster, state.index, state.size, now())
                    else:
                        importer.go_on(state.index)
                    planned = [importer.plan(row) for row in batch]
                if publish:
                    planned = _publish(ledger, planned, journal, Path(folder))
                for one in planned:
                    self._count(one)
                self._progress()
        if publish:  # what readers search is fed now
            ledger.take_up()

    def report(self, *, published: bool) -> int:
        """Tell what was, or would be, published, and what was refused and why."""
        here, counts = self.here, {key: self.counts[key] for key in ("publish", "already", "refused")}
        where = self.refusals.save()
        lines = [here.say("import.done" if published else "import.dry-head", **counts)]
        for key in ("warnings", "already", "twins", "refused"):
            lines += self._lines(self.shown[key], f"import.{key}")
        if where is not None:
            lines.append(here.say("import.refused-file", path=str(where)))
        found = {"published": published, "counts": counts, "refused_file": None if where is None else str(where)}
        here.report({**found, **{f"rows_{key}": rows for key, rows in self.shown.items()}}, lines)
        return REFUSED if counts["refused"] else 0

    def _lines(self, rows: list[dict[str, Any]], line: str) -> list[str]:
        lines = []
        for one in rows[:_MOST_SHOWN]:
            lines.append(self.here.say(line, **{key: value for key, value in one.items() if key != "reasons"}))
            lines += [self.here.say("import.reason", text=reason["sentence"]) for reason in one.get("reasons", ())]
        more = len(rows) - _MOST_SHOWN
        return [*lines, self.here.say("import.more", count=more)] if more > 0 else lines

    def _count(self, one: Planned) -> None:
        row = one.row.number
        if one.reasons:
            self.counts["refused"] += 1
            self.refusals.add(one)
            reasons = [{"code": r.code, "path": r.path, "sentence": say_reason(r, self.here.lang)} for r in one.reasons]
            self.shown["refused"].append({"row": row, "reasons": reasons})
            return
        act = one.already or one.act
        place = {} if act is None else {"ref": printed(act.ref), "id": act.id, "index": act.index}
        self.counts["already" if one.already else "publish"] += 1
        if one.twin is not None:
            self.shown["twins"].append({"row": row, "first": one.twin, **place})
        else:
            self.shown["already" if one.already else "published"].append({"row": row, **place})
        for remark in one.warnings:
            text = self.here.say(f"warning.{remark.code}", **remark.values)
            self.shown["warnings"].append({"row": row, "code": remark.code, "text": text})

    def _progress(self) -> None:
        if sys.stderr.isatty() and not self.here.json:
            click.echo(f"\r{sum(self.counts.values())}", err=True, nl=False)


def _rehearse(new_importer: Callable[[], Importer], batch: Sequence[SourceRow], state: State) -> None:
    """Plan rows only to learn what will be asked of the ledger's index."""
    with contextlib.closing(new_importer()) as importer:
        importer.renew(state.roster, state.index, state.size, now())
        for row in batch:
            importer.plan(row)


def _publish(ledger: Ledger, planned: Sequence[Planned], journal: Journal, folder: Path) -> list[Planned]:
    """Hand over what may be published: the journal first, then the acts, then what became of them."""
    waiting = [(one, one.envelope, one.act) for one in planned if one.envelope is not None and one.act is not None]
    journal.reserve((one.line, act.ref, envelope.id) for one, envelope, act in waiting)
    outcomes = _handed_over(ledger, [(envelope, _paths(one, folder)) for one, envelope, _ in waiting])
    codes = {outcome.id: [reason.code for reason in outcome.reasons] for outcome in outcomes}
    journal.settle((one.line, o.id, o.index, codes[o.id]) for (one, _, _), o in zip(waiting, outcomes, strict=True))
    by_line = {one.line: outcome for (one, _, _), outcome in zip(waiting, outcomes, strict=True)}
    return [_settled(one, by_line.get(one.line)) for one in planned]


def _handed_over(ledger: Ledger, acts: Sequence[tuple[Envelope, dict[str, Path]]]) -> Sequence[Outcome]:
    return ledger.hand_over(acts, bulk=True) if acts else []


def _settled(one: Planned, outcome: Outcome | None) -> Planned:
    """Take over the true place of an act, or the reasons that admission had after all."""
    from dataclasses import replace

    if outcome is None:
        return one
    if outcome.reasons:
        return replace(one, envelope=None, act=None, already=None, reasons=outcome.reasons)
    if outcome.index is None:
        return one
    act = one.act and replace(one.act, index=outcome.index)
    return replace(one, already=one.already and replace(one.already, index=outcome.index), act=act)


def _paths(one: Planned, folder: Path) -> dict[str, Path]:
    """Return where the documents of a row lie; the row's own bytes are written out for the moment."""
    paths: dict[str, Path] = {}
    for sha256, file in one.files.items():
        if isinstance(file, bytes):
            paths[sha256] = folder / sha256
            paths[sha256].write_bytes(file)
        else:
            paths[sha256] = file
    return paths


def _batches(rows: Iterator[SourceRow]) -> Iterator[list[SourceRow]]:
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def _guess(here: Session, file: Path, map_file: Path | None) -> int:
    from ledger.desk.guess import guess_map
    from ledger.desk.sources import open_table

    text = guess_map(open_table(file).rows, file.name)
    if map_file is None:
        here.out(text.rstrip("\n"))
        return 0
    try:
        with open(map_file, "x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        values = {"path": str(map_file), "problem": str(error.strerror)}
        raise UsageError(f"{map_file}: {error}", code="file-unwritable", **values) from None
    here.report({"map": str(map_file)}, [here.say("import.guessed", path=printable(map_file))])
    return 0
