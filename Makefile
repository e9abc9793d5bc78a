# Everything is made inside the checkout: .venv, var and the tools' caches. Written for GNU make 3.81 and later.

PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup demo test slow slow-rules slow-systems bench bench-quick lint types imports check lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: .venv/.ready ## install what requirements.lock names into .venv

.venv/.ready: requirements.lock
	@.ci/setup

demo: .venv/.ready ## run the whole thing against both APIs, simulated on this machine
	@$(PY) -m worker demo

test: .venv/.ready ## run every test but the slow ones
	@$(PY) -m pytest -q -m "not slow"

slow: slow-rules slow-systems ## run the slow tests (with -j 2 both halves at once: one computes, one waits)

slow-rules: .venv/.ready ## the slow tests of rules taken out, of any order, of many, and in a browser
	@$(PY) -m pytest -q -m slow --ignore=tests/faults --ignore=tests/walk

slow-systems: .venv/.ready ## the slow tests of whole systems: processes that die, stores that fail, rates
	@$(PY) -m pytest -q -m slow tests/faults tests/walk

bench: .venv/.ready ## measure beside what else one might use, and what waiting, lanes and others cost (about an hour)
	@$(PY) -m bench

bench-quick: .venv/.ready ## the same, smaller: quota and throughput in about a minute, after its first install
	@$(PY) -m bench --quick

lint: .venv/.ready ## style and common mistakes
	@$(PY) -m ruff check .

types: .venv/.ready ## types, strictly
	@$(PY) -m mypy

imports: .venv/.ready ## who may import whom
	@$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

check: lint types imports ## lint, types and imports

lock: ## write both requirements.lock anew from pyproject.toml (needs uv); UPGRADE=--upgrade takes newer versions
	@uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) --output-file requirements.lock
	@uv pip compile --group pyproject.toml:bench --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) --output-file bench/requirements.lock

clean: ## remove everything that was made here
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
