# Two commands do everything: `make run` serves the example home, `make test` passes all tests.
# PYTHON names the interpreter (3.11 or newer) that the environment in .venv is made from.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check lint types long slow postgresql bench clean

run: .venv/.ready
	@$(BIN)/python examples/serve.py

test: .venv/.ready
	$(BIN)/pytest -q -m "not slow and not long" --numprocesses 2 --dist worksteal

# What make test leaves out of the acceptance suite, so that it stays under five minutes.
long: .venv/.ready
	$(BIN)/pytest -q -m "long and not slow" --numprocesses 2 --dist worksteal tests/acceptance

# The daemon's whole behaviour with its store in PostgreSQL: a server from a wheel, or the one that CAMSHAFT_TEST_POSTGRESQL names.
postgresql: .venv/.ready
	CAMSHAFT_TEST_STORE=postgresql $(BIN)/pytest -q -m "not slow" --numprocesses 2 --dist worksteal tests/acceptance

slow: .venv/.ready
	$(BIN)/pytest -q -m slow

check: lint types test

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.ready
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python -m benchmarks

# The environment is made again when the pins or the package's metadata change.
.venv/.ready: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,lint]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
