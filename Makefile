# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

export OMP_WAIT_POLICY := PASSIVE

.PHONY: setup demo test lint soak bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ozfig needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev,bench]'
	touch $@

demo: setup
	$(BIN)/ozfig run recipes/demo.yaml

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# two workers with one thread each: small models gain nothing from more, and waiting threads would only spin
test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not soak" -n 2 --dist loadfile

soak: setup
	$(BIN)/pytest -m soak --timeout=3600

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) runs build dist
