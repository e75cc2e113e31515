# What one does with the project. Each verb makes what it needs (.venv, from the lock) by itself.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help venv bench bench-full serve test deep long clients benchmarks stress mutants verify-real check docs commands format lock \
	schema clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(READY) ## Install everything into .venv, once

bench: $(READY) ## The main job, quick form: both engines measured and compared (about 3 minutes)
	$(BIN)/gurukul bench --quick

bench-full: $(READY) ## The main job, long form
	$(BIN)/gurukul bench

serve: $(READY) ## The reference server on http://127.0.0.1:54321 until Ctrl-C
	$(BIN)/gurukul serve

TRUTH := tests/harness/load/test_truth.py
SHORT := --ignore=tests/clients --ignore=tests/benchmarks --ignore=tests/stress --ignore=tests/documents

test: $(READY) ## All tests, save those of the next five verbs (some 10 minutes on two cores)
	$(BIN)/pytest -q -n 4 --dist worksteal --durations=20 $(SHORT) -m "not long and not deep"

deep: $(READY) ## The checkers beside an exhaustive search on 10,000 histories, and fuzzing of every HTTP operation
	$(BIN)/pytest -q -n 4 --dist worksteal $(SHORT) -m deep

long: $(READY) ## Tests that make whole runs in real time: reported times, several machines, the web page, ceilings, the action
	$(BIN)/pytest -q $(TRUTH) -m long
	$(BIN)/pytest -q -n 2 --dist worksteal --durations=20 $(SHORT) --ignore=$(TRUTH) -m long

clients: $(READY) ## The official JavaScript and Python clients, unmodified, against the reference server (needs Node)
	$(BIN)/pytest -q tests/clients

benchmarks: $(READY) ## Benchmarks of the judge, the feed and the joins
	$(BIN)/pytest -q tests/benchmarks

stress: $(READY) ## An instance killed under 500 users, and a soak (SOAK_SECONDS=600 for the long one; default 60)
	$(BIN)/pytest -q tests/stress $(STRESS)

mutants: $(READY) ## The kill matrix: the suite against servers that are wrong in one way each (under 20 minutes)
	$(BIN)/gurukul mutants --html results/mutants.html --json results/mutants.json

verify-real: $(READY) ## The conformance suite in both times on both built-in targets: equal verdicts (about 10 minutes)
	$(BIN)/pytest -q tests/stress/test_both_times.py

check: $(READY) ## Lint, format, types, import direction
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY) ## The documentation as a site, in build/site; a broken link is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/site

commands: $(READY) ## Run every command that README and docs/ show (under 10 minutes)
	$(BIN)/pytest -q -n 2 tests/documents

format: $(READY) ## Mend lint and format where a program can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(READY) ## Write requirements.lock anew from pyproject.toml
	$(BIN)/pip-compile -q --extra dev --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--no-header --no-annotate --strip-extras --allow-unsafe -o $(VENV)/lock pyproject.toml
	{ echo "# Exact versions of everything that the project is built, checked and run with. Made by: make lock"; \
		grep -v -e '^#' -e '^gurukul-harness' -e '^pip==' -e '^$$' $(VENV)/lock; } > requirements.lock

schema: $(READY) ## Write docs/run.schema.json anew from the models
	$(BIN)/python -m harness.results.schema > docs/run.schema.json

clean: ## Remove what can be made again (runs in results/ stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP) --no-compile --requirement requirements.lock
	$(BIN)/pip install $(PIP) --no-build-isolation --editable .
	@touch $@
