# Every target builds .venv by itself; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
# one thread for each of the two processes: more would wait for one another
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo test test-quick test-all lint format bench docs clean

help:
	@echo "make demo        train, evaluate and predict on videos the project makes itself (minutes)"
	@echo "make test        the tests (minutes)"
	@echo "make test-quick  the tests, but those of the networks and their weights"
	@echo "make test-all    the tests and the long checks"
	@echo "make lint        ruff, mypy and the storeys of the imports"
	@echo "make bench       the benchmarks"
	@echo "make docs        regenerate docs/models.md"

# bytecode is compiled once, here: tests and loaders start many processes
.venv/ready: pyproject.toml constraints.txt
	@echo "==> building .venv (PyTorch is some GB: the first time takes minutes)"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --compile-bytecode --editable '.[dev]'
	@touch $@

demo: .venv/ready
	$(BIN)/zoopraxis demo

test: .venv/ready
	$(PYTEST) -n 2 --dist worksteal

test-quick: .venv/ready
	$(PYTEST) -n 2 --dist worksteal -m 'not slow and not zoo'

test-all: .venv/ready lint
	$(PYTEST) -n 2 --dist worksteal -m 'slow or not slow'

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/ready
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

docs: .venv/ready
	$(BIN)/python docs/make_models_page.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
