"""One target under libFuzzer: ``python -m fuzz.one TARGET [libFuzzer's options and folders]``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run until libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["ledger", "web", "fuzz", "python_multipart"]):
        from fuzz.targets import run

    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], lambda data: (run(name, data), None)[1])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
