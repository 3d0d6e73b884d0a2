"""Commands under other users of this machine, as two system users run them: for tests that are root.

Nothing of the machine is changed. Each command runs in a mount namespace of its own, in which two groups stand in
``/etc/group`` and Python is reachable for everybody, wherever it is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["SEQUENCER", "WEB", "WEB_GROUP", "Apart", "why_not"]

ROOT = Path(__file__).parents[1]
SEQUENCER, WEB = 61001, 61002  # uids, and gids of the groups of the same name
WEB_GROUP = "bening-web"

_SCRIPT = """
set -e
mount --make-rprivate /
mount --bind "$SCRATCH/group" /etc/group
if [ -n "$CLOSED" ]; then
  mount --bind "$BASE" "$SCRATCH/python"
  mount -t tmpfs -o mode=755 none "$CLOSED"
  mkdir -p "$BASE"
  mount --bind "$SCRATCH/python" "$BASE"
fi
user=$1 groups=$2; shift 2
exec setpriv --reuid "$user" --regid "$user" --groups "$groups" --no-new-privs --bounding-set=-all "$@"
"""


def why_not() -> str | None:
    """Return why commands cannot run under other users here; None where they can."""
    if os.geteuid() != 0:
        return "needs root: two users are tested for real"
    if not all(shutil.which(one) for one in ("unshare", "setpriv", "mount")):
        return "needs unshare, setpriv and mount"
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        return "needs mount namespaces"
    return "the project lies in a folder that other users cannot enter" if _closed(ROOT) else None


def _closed(path: Path) -> str:
    """Return the outermost folder above ``path`` that others may not enter, or nothing."""
    return next((str(one) for one in reversed([path, *path.parents]) if not one.stat().st_mode & 0o001), "")


class Apart:
    """Runs commands as the sequencer's or the web's user; ``scratch`` is a folder that both can enter."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        (scratch / "python").mkdir()
        groups = Path("/etc/group").read_text("utf-8")
        (scratch / "group").write_text(f"{groups}bening:x:{SEQUENCER}:\n{WEB_GROUP}:x:{WEB}:\n", "utf-8")
        base = Path(sys.base_prefix)
        self.environment = {
            **{key: value for key, value in os.environ.items() if key in ("PATH", "LANG")},
            "SCRATCH": str(scratch), "BASE": str(base), "CLOSED": _closed(base), "PYTHONPATH": str(ROOT),
            "HOME": str(scratch), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def start(self, user: int, *words: str, umask: int = 0o022, **options: object) -> subprocess.Popen[str]:
        """Start a command; the sequencer's user is in the web's group, and not the other way round."""
        groups = f"{SEQUENCER},{WEB}" if user == SEQUENCER else str(WEB)
        wrapped = ["unshare", "-m", "sh", "-c", _SCRIPT, "sh", str(user), groups, *words]
        return subprocess.Popen(wrapped, env=self.environment, cwd=ROOT, text=True, umask=umask, **options)  # type: ignore[call-overload, no-any-return]

    def bening(self, user: int, *words: str, umask: int = 0o022, log: Path) -> subprocess.Popen[str]:
        """Start one of our commands, its standard error into ``log``."""
        with open(log, "a") as file:
            return self.start(user, sys.executable, "-m", "cli", "--lang", "en", *words, umask=umask, stderr=file)

    def run(self, user: int, *words: str) -> tuple[int, str]:
        """Run a command to its end; return its status and what it said."""
        process = self.start(user, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def python(self, user: int, text: str) -> str:
        """Run a piece of Python and return what it printed."""
        return self.run(user, sys.executable, "-c", text)[1]
