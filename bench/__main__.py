"""``python -m bench``: all measurements, one table. Takes a few minutes; nothing else should run beside it."""

from __future__ import annotations

from bench.reading import reading
from bench.serving import files_against_nginx, submissions
from bench.table import print_rows

if __name__ == "__main__":
    print_rows([*files_against_nginx(), *submissions(), *reading()])
