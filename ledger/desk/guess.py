"""A first MAP.toml from the columns of a file: what their names make likely, and the rest as comments to decide.

The guess is a text for a person to correct. It is never used without having been written out and read.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.desk.conditions import column
from ledger.desk.sources import SourceRow
from ledger.words import escape

__all__ = ["guess_map"]

_SEEN = 200
_SHOWN = 70
_NAMES: tuple[tuple[str, str], ...] = (
    ("number", r"(contract|document)?_?number|no(mor)?(_(kontrak|surat|spk|sk|dokumen))?"),
    ("title", r"title|judul|tentang|perihal|nama_(paket|pekerjaan|kegiatan)|paket|uraian"),
    ("signed_on", r"(contract|signed|decision)_?(date|on)|tanggal(_(kontrak|surat|spk|sk|penetapan))?|tgl(_.*)?"),
    ("office", r"(.*\.)?(unit(_code|_kerja)?|office|opd|skpd|satker|kode_(unit|satker))"),
    ("fields.value", r"value|nilai(_(kontrak|pekerjaan))?|harga(_kontrak)?"),
    ("fields.currency", r"currency|mata_uang"),
    ("fields.supplier.name", r"(supplier|vendor|penyedia)(\.name|_name)?|nama_penyedia|pelaksana"),
    ("fields.supplier.form", r"(supplier|vendor|penyedia)(\.form|_form)|bentuk_(usaha|badan)"),
    ("fields.method", r"method|metode(_.*)?"),
    ("fields.category", r"category|kategori|jenis_(pengadaan|pekerjaan)"),
    ("fields.ceiling", r"(budget_)?ceiling|pagu(_.*)?"),
    ("fields.owner_estimate", r"owner_estimate|hps(_.*)?"),
    ("fields.procurement_code", r"procurement_code|kode_(tender|paket|pengadaan)"),
    ("fields.plan_codes", r"plan_codes?|kode_rup|rup"),
    ("fields.start_on", r"start_(date|on)|tanggal_mulai|tgl_mulai"),
    ("fields.end_on", r"end_(date|on)|tanggal_(selesai|akhir)|tgl_selesai"),
    ("fields.place", r"place|lokasi|tempat"),
)
_POSITION = re.compile(r"signatory_position|jabatan(_.*)?|penanda_?tangan(_.*)?", re.IGNORECASE)
_LONG_DATE = re.compile(r"[0-9]{1,2}[ -][A-Za-z]{3,9}[ -][0-9]{4}")
_DMY_DATE = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}")


def guess_map(rows: Iterator[SourceRow], source: str) -> str:
    """Return a MAP.toml for the columns that the first rows show."""
    seen = _columns([dict(row.values) for row in itertools.islice(rows, _SEEN)])
    chosen = _choose(seen)
    position = next((name for name in seen if _POSITION.fullmatch(name)), None)
    used = {*chosen.values(), position}
    lines = [
        f"# A first map for {escape(source)}. Read every line: what is published stays public for ever.",
        "# A map moves and spells; it never invents. An empty cell leaves its key out.",
        "",
        "[constants]",
        'kind = "contract"        # what kind of paper the rows are',
        'form = "spk"             # its form, as the roster declares it',
        'language = "id"',
        *(['# office = "…"           # no column looks like the office'] if "office" not in chosen else []),
        "",
        "[columns]",
        *(_line(target, name, seen[name]) for target, name in chosen.items()),
        "",
        "# Columns that nothing above uses. Move what the public should find; what stays here is in the row's own document.",
        *(f"# {_key('extra.' + _ascii(name))} = {_quoted(name)}    # {_shown(seen[name])}" for name in seen if name not in used),
        "",
        "[[signatories]]          # who signed the paper",
        f"position = {{ column = {_quoted(position)} }}" if position else 'position = "…"',
        "",
        *_office_table(chosen, seen),
        "# [[refuse]]             # rows that an official must look at first",
        '# if = { column = "…", above = "…" }',
        '# id = "…"',
        '# en = "…"',
    ]
    return "\n".join(lines) + "\n"


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the examples of every column, of inner objects too, in the order in which they appear."""
    names = dict.fromkeys(name for row in rows for name in _paths(row, ""))
    return {name: [value for row in rows if (value := column(row, name)) not in (None, "")] for name in names}


def _paths(value: Mapping[str, Any], before: str) -> Iterator[str]:
    for key, part in value.items():
        if isinstance(part, Mapping):
            yield from _paths(part, f"{before}{key}.")
        else:
            yield before + key


def _choose(seen: Mapping[str, list[Any]]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for target, pattern in _NAMES:
        for name in seen:
            plain = re.sub(r"[\s-]+", "_", name.strip().lower())
            if name not in chosen.values() and re.fullmatch(pattern, plain):
                chosen[target] = name
                break
    return chosen


def _line(target: str, name: str, examples: list[Any]) -> str:
    options = ""
    texts = [one for one in examples if isinstance(one, str)]
    if target.endswith("_on") and any(_LONG_DATE.fullmatch(one) for one in texts):
        options = ', date = ["long"]'
    elif target.endswith("_on") and any(_DMY_DATE.fullmatch(one) for one in texts):
        options = ', date = ["dmy"]'
    elif target in ("fields.value", "fields.ceiling", "fields.owner_estimate") and texts:
        options = ', money = "rupiah"'
    elif target == "office":
        options = ', table = "offices"'
    source = f"{{ column = {_quoted(name)}{options} }}" if options else _quoted(name)
    return f"{_key(target)} = {source}    # {_shown(examples)}"


def _office_table(chosen: Mapping[str, str], seen: Mapping[str, list[Any]]) -> list[str]:
    if "office" not in chosen:
        return []
    values = dict.fromkeys(str(one) for one in seen[chosen["office"]])
    return ["[tables.offices]         # the roster's office ids", *(f'{_quoted(one)} = "…"' for one in values), ""]


def _key(target: str) -> str:
    return target if "." not in target else _quoted(target)


def _ascii(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.:-]+", "_", name)[:60]


def _shown(examples: list[Any]) -> str:
    shown = " ".join(str(examples[0]).split()) if examples else "(empty)"
    return "".join(one for one in shown if one.isprintable())[:_SHOWN]


def _quoted(text: str) -> str:
    """A TOML string that is safe to print: whatever is not visible is written by its number."""
    return "".join(one if one.isprintable() else f"\\U{ord(one):08X}" for one in json.dumps(text, ensure_ascii=False))
