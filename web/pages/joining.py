"""Joining the modules of ``web/static/verify`` into one script, for one request instead of forty, and for the file to keep.

Each module becomes a function that runs once and returns what it exports; ``import`` lines become names taken from those:

    const m_bytes = (() => { … return { toHex, utf8 }; })();
    const m_sha256 = (() => { const { toHex } = m_bytes; … })();

The modules keep to one shape (named imports from ``./name.js`` at the top, one exported name a line, no circles), and what
does not is refused here rather than joined wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["join_modules"]

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z0-9]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) ([A-Za-z_0-9]+))", re.MULTILINE)


def join_modules(folder: Path, entry: str) -> str:
    """Return one script of the module ``entry`` of ``folder`` and all that it imports.

    Raises:
        ValueError: an import or export of another shape, or a circle of imports.
    """
    done: dict[str, str] = {}
    _add(folder, entry, (), done)
    script = '"use strict";\n' + "".join(done.values())
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("this cannot stand inside HTML")
    return script


def _add(folder: Path, name: str, above: tuple[str, ...], done: dict[str, str]) -> None:
    if name in above:
        raise ValueError(f"imports in a circle: {' > '.join([*above, name])}")
    if name in done:
        return
    source = (folder / f"{name}.js").read_text("utf-8")
    for _, other in _IMPORT.findall(source):
        _add(folder, other, (*above, name), done)
    done[name] = "".join(_function(name, source))


def _function(name: str, source: str) -> Iterator[str]:
    """Yield a module as a function: what it imports, its body, what it exports."""
    exported = _EXPORT.findall(source)
    body = _EXPORT.sub("", _IMPORT.sub(_taken, source))
    if re.search(r"^(?:import|export)\b", body, re.MULTILINE):
        raise ValueError(f"{name}.js: an import or export that cannot be joined")
    yield f"const m_{name} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    names = " ".join(found[1].split()).rstrip(",")
    return f"const {{ {names} }} = m_{found[2]};\n"
