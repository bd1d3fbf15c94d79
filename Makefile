# Everything runs in .venv, which this file makes from the locked, hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
SHOTS ?= screenshots
TIMES ?= 20

# Where Python is told to keep no bytecode, each of the many processes that tests start would compile all of Umbra again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run  ## Start the server at http://127.0.0.1:8000, on SQLite, in ./data
	UMBRA_DATA_DIR="$${UMBRA_DATA_DIR:-$(DATA)}" $(BIN)/umbra serve

test: $(VENV)/dev  ## Run the tests, on SQLite and on a PostgreSQL of their own
	@echo "Not run here: the pages in a real browser (make browse), races without their guards (make sabotage), make bench;"
	@echo "what type checkers say about the documents' code, and whether the site is built (make check)."
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not checks"

check: $(VENV)/dev  ## Formatting, lint, types, imports, the types of the documents' code, the site
	$(BIN)/ruff format --check src tests bench examples docs/site
	$(BIN)/ruff check src tests bench examples docs/site
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto -m checks

browse: $(VENV)/dev  ## Walk through every page in a real browser, and keep pictures (wants chromium, zbarimg, oathtool)
	PYTHONPATH=tests $(BIN)/python -m walk $(SHOTS)

examples: $(VENV)/dev  ## Use the single-page example in a headless browser (wants chromium, zbarimg, oathtool)
	PYTHONPATH=tests:examples $(BIN)/python -m examples.browser $(SHOTS)

docs: $(VENV)/dev  ## Build the documentation site into build/site; a warning is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet -c docs/site -d build/doctrees . build/site

words: $(VENV)/dev  ## Bring the catalogues of what pages and mails say up to date, and compile them
	$(BIN)/python tests/pages/catalogue.py

proof: $(VENV)/dev  ## Try TIMES as much as the tests do (20), and report it on a page
	UMBRA_PROOF_TIMES=$(TIMES) PYTHONPATH=tests $(BIN)/python -m proof

matrix: $(VENV)/dev  ## Write down anew what every call answers in every state (docs/reference/state-matrix.md)
	PYTHONPATH=tests $(BIN)/python -m proof.matrix

faults: $(VENV)/dev  ## Write down anew what comes of each fault that is injected (docs/reference/faults.md)
	PYTHONPATH=tests $(BIN)/python -m faults

bench: $(VENV)/dev  ## Compare with a bare endpoint that runs the same statements (wants wrk); QUICK=1 is short
	PYTHONPATH=tests $(BIN)/python -m bench $(if $(QUICK),--quick)

sabotage: $(VENV)/dev  ## Take each guard away, and see its race test turn red on PostgreSQL
	$(BIN)/python tests/races/sabotage.py

lock: $(VENV)/dev  ## Compile the requirements anew, with hashes and without addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 --group build pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 --group dev pyproject.toml --output-file requirements-dev.txt

clean:  ## Remove what was made, but not the data
	rm -rf $(VENV) build .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Umbra needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/run

.PHONY: help run test check browse examples docs words matrix faults proof bench sabotage lock clean
