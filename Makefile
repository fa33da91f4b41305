# What can be done here. Everything but a Python of 3.11 or newer is installed into .venv, from hashed locks.
#
#   make serve    start the gateway on examples/quickstart.yaml (no key, no database needed)
#   make test     run every test            make quick    only the fast ones; WORKERS=1 for one process
#   make check    ruff, pyright, the import floors, the architecture tests
#   make bench    print the table of figures; ARGS=--peers adds LiteLLM from the package index
#   make simulate every routing strategy through bad days; writes the tables of docs/routing.md
#   make soak     the fuzzers and the long-running tests at full length
#   make lock     write requirements/*.txt again from requirements/*.in and pyproject.toml
#   make clean    remove .venv and every cache

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
LOCK := $(BIN)/uv pip compile --quiet pyproject.toml --extra proxy --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-header $(UPGRADE)

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

CONFIG ?= examples/quickstart.yaml
ARGS ?=
# One process per core (up to four), each with test files of its own, in the order of tests/support/turns.py.
WORKERS ?= auto
SPREAD := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help serve test quick check bench simulate soak lock clean

help:
	@sed -n '3,10s/^# *//p' Makefile

serve: $(VENV)/.proxy
	@exec $(BIN)/litellm --config $(CONFIG) $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

quick: $(VENV)/.dev
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/architecture

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

simulate: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

soak: $(VENV)/.dev
	SOAK=1 $(BIN)/python -m pytest -m soak $(ARGS)

lock: $(VENV)/.dev
	$(LOCK) requirements/proxy.in -o requirements/proxy.txt
	$(LOCK) requirements/dev.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) build src/*.egg-info bench/.peers
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# The stamps: an environment is made again only when its lock or the project file has changed.

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.proxy: requirements/proxy.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/proxy.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.proxy
