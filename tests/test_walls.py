"""The rooms and their walls (design, section 4): imports only point down, and the pure rooms touch no machine."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each room may import, itself apart. Whoever needs a new line here changes the design first.
BASE = {"errors", "words"}
PURE = BASE | {"keys", "records", "tlog", "index"}
MAY = {
    "errors": set(),
    "words": {"errors"},
    "tlog": {"errors"},
    "keys": {"errors", "tlog"},
    "records": {"errors", "keys", "tlog"},
    "index": {"errors", "keys", "records", "tlog"},
    "sqlite": {"errors"},
    "durable": {"errors"},
    "clock": {"errors", "records"},
    "supervise": set(),
    "workers": {"errors", "supervise"},
    "pkcs8": BASE,
    "keyfile": BASE | {"keys", "pkcs8", "tlog"},
    "settings": BASE | {"tlog"},
    "catalog": PURE | {"sqlite"},  # derived from entries; knows no home
    "publisher": PURE | {"keyfile", "sqlite", "durable", "clock", "catalog", "workers"},
    "verifier": PURE | {"sqlite", "workers"},  # no store of the publisher's, and no private key
    "witness": PURE | {"keyfile", "sqlite", "clock"},
    "desk": PURE | {"keyfile", "sqlite"},  # no store; an index in memory, to plan an import
    "remote": PURE | {"settings"},  # a ledger elsewhere, by its API
    "web": PURE | {"sqlite", "durable", "catalog", "publisher", "verifier", "witness", "desk", "settings"},  # no key here
    "commands": PURE | {"supervise", "keyfile", "sqlite", "durable", "clock", "settings", "catalog", "publisher", "verifier", "witness", "desk", "remote", "web"},
    "cli": BASE | {"commands"},
}
PURE_ROOMS = ("tlog", "records", "keys", "index", "errors")
MACHINE = {
    "asyncio", "ctypes", "fcntl", "glob", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "pysqlite3",
    "random", "select", "shutil", "signal", "socket", "sqlite3", "sqlite_utils", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib", "urllib3",
}  # fmt: skip
HEAVY = ("cryptography", "flask", "nacl", "openpyxl", "orjson", "pysqlite3", "segno", "sqlite3", "sqlite_utils", "urllib3")


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the project with its room."""
    for path in sorted((ROOT / "ledger").rglob("*.py")):
        inside = path.relative_to(ROOT / "ledger")
        if inside.name != "__init__.py" or len(inside.parts) > 1:
            yield inside.parts[0].removesuffix(".py"), path
    for path in sorted((ROOT / "web").rglob("*.py")):
        yield "web", path
    yield "cli", ROOT / "cli.py"


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of a module, those inside functions too: its line, and the dotted name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by relative name"
            assert node.module is not None
            for one in node.names:
                yield node.lineno, f"{node.module}.{one.name}"


def room_of(name: str) -> str | None:
    """The room that a dotted name lies in; None outside the project."""
    parts = name.split(".")
    if parts[0] == "ledger":
        return parts[1] if len(parts) > 1 else "ledger"
    return parts[0] if parts[0] in ("web", "cli", "tests") else None


def through_walls() -> Iterator[str]:
    """Every import that does not point down."""
    for room, path in modules():
        for line, name in imports(path):
            target = room_of(name)
            if target is not None and target != room and target not in MAY.get(room, set()):
                yield f"{path.relative_to(ROOT)}:{line} ({room}) imports {name}"


def test_imports_only_point_down():
    """errors, tlog, records, then index and keys, then publisher, verifier, witness, desk side by side, then the edges."""
    found = [*through_walls()]
    assert not found, "\n".join(found)


def test_the_table_has_every_room_and_no_circle():
    """A new room must be entered above, and the table itself must point down."""
    assert {room for room, _ in modules()} <= MAY.keys()
    seen: set[str] = set()
    while ready := {room for room in MAY.keys() - seen if MAY[room] <= seen}:
        seen |= ready
    assert seen == MAY.keys()


def test_the_wings_do_not_know_each_other():
    """Only the published folder passes between those who write, read, witness and draft."""
    wings = {"publisher", "verifier", "witness", "desk"}
    for wing in wings:
        assert not MAY[wing] & wings


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_pure_rooms_touch_no_machine(room):
    """Bytes in, bytes out: no files, sockets, databases, clocks, environment or chance but what is handed in."""
    found = []
    for where, path in modules():
        if where == room:
            found += [f"{path}:{line} {name}" for line, name in imports(path) if name.split(".")[0] in MACHINE]
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("open", "print", "input", "exec", "eval"):
                    found.append(f"{path}:{node.lineno} {node.func.id}()")
    assert not found, "\n".join(found)


def test_the_command_line_starts_without_heavy_imports():
    """Whoever asks for help waits for click only: keys, databases and the network are imported when they are used."""
    program = f"import sys, cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_all_names_what_is_there():
    """What a module says it exports exists in it, in order, once."""
    for _, path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        exported = next((node.value for node in tree.body if isinstance(node, ast.Assign) and _names(node) == ["__all__"]), None)
        if exported is None:
            assert path.name == "__init__.py" or not any(isinstance(node, ast.FunctionDef) for node in tree.body), path
            continue
        names = ast.literal_eval(exported)
        defined = {name for node in tree.body for name in _names(node)}
        assert len(set(names)) == len(names), path
        assert set(names) <= defined, f"{path}: {sorted(set(names) - defined)}"


def _names(node: ast.stmt) -> list[str]:
    """The names that a top-level statement binds."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [one.asname or one.name for one in node.names]
    return [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) else []
