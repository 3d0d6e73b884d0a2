# Bening. `make run` and `make test` are all that a fresh machine needs; see README.md.

# The system's own Python where it serves: distributions build it with profile-guided optimisation, and it is a quarter faster
# here than one that was compiled with the defaults. `make PYTHON=…` names another.
SERVES := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for one in /usr/bin/python3 python3; do $$one -c '$(SERVES)' 2>/dev/null && echo $$one && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

LISTEN := 127.0.0.1:8000

.PHONY: run demo test check lint types bench soak lock clean

# BENING_PASSPHRASE opens the demonstration's own key; see docs/operating.md for a real ledger's.
# A demonstration that is there already is served as it is; `make demo` begins it afresh.
run: $(READY)
	@test -f demo/city/bening.toml || $(BIN)/python examples/demo.py
	@BENING_PASSPHRASE=contoh $(BIN)/bening serve -L demo/city --listen $(LISTEN) --url http://$(LISTEN)

demo: $(READY)
	@$(BIN)/python examples/demo.py

test: $(READY)
	@$(BIN)/python -m pytest -n auto

check: lint types test

lint: $(READY)
	@$(BIN)/ruff check .

types: $(READY)
	@$(BIN)/mypy

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bening needs Python 3.11 or later; this is %s. Name another: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

bench: $(READY)
	@$(BIN)/python -m bench

# Hours: kills, faults, bit flips, fuzzing at full length; `python -m soak --help` tells how to play a part.
soak: $(READY)
	@$(BIN)/python -m soak

# Writes requirements.txt anew from pyproject.toml: hashes, no URLs. Needs uv.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade -o requirements.txt
	sed -n '/^soak = \[/,/^]/s/^  "\(.*\)",$$/\1/p' pyproject.toml | uv pip compile - --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade -o requirements-soak.txt

clean:
	rm -rf $(VENV) build *.egg-info demo
