# Two commands do everything on a fresh machine with Python >= 3.11: make recover, make test.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
OUT ?= results
CODE := src tests papers examples benchmarks docs conftest.py .ci/wheels.py .ci/matrix.py

PYTHONS ?= $(PYTHON)
MATRIX ?=

DOCS := .venv-docs

.PHONY: recover test test-all lint types contract tests docs test-matrix wheel-check bench soundness clean

recover: $(STAMP)
	$(BIN)/python examples/real_world.py --out $(OUT)

# The types are checked beside the tests: one process beside two workers.
test: lint contract
	$(MAKE) --no-print-directory -j2 types tests

lint: $(STAMP)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(STAMP)
	$(BIN)/basedpyright --level error

contract: $(STAMP)
	$(BIN)/lint-imports --no-cache

tests: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

bench: $(STAMP)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/operators.py
	$(BIN)/python benchmarks/roofline.py
	$(BIN)/python benchmarks/lifted.py
	$(BIN)/python benchmarks/ipgd.py
	$(BIN)/python benchmarks/local_memory.py
	$(BIN)/python benchmarks/fig10.py
	$(BIN)/python benchmarks/pmc_success.py
	$(BIN)/python benchmarks/bad_lines.py
	$(BIN)/python benchmarks/soundness.py --seeds 4

# Families of tiny problems, 80 seeds each, against an oracle: hours.
soundness: $(STAMP)
	$(BIN)/python benchmarks/soundness.py

# Builds what would be released, and uses it in fresh environments: one for each of PYTHONS.
wheel-check: $(STAMP)
	$(BIN)/python .ci/wheels.py $(PYTHONS)

# The site, in build/docs; its pages are run, and a warning is an error.
docs: $(DOCS)/.installed
	$(DOCS)/bin/sphinx-build -W --keep-going -q -b html docs build/docs

$(DOCS)/.installed: pyproject.toml papers/pyproject.toml constraints.txt
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]' --editable papers
	touch $@

# The fast tests on the lowest and the newest JAX allowed, on Python 3.11 and 3.13 where they are, or on MATRIX.
test-matrix:
	$(PYTHON) .ci/matrix.py $(MATRIX)

# With the experiments that take minutes to compile.
test-all: lint types contract
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m ""

# The environment is made anew when what it is made from has changed.
$(STAMP): pyproject.toml papers/pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "liftless needs Python 3.11 or newer; pass PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' --editable papers
	touch $(STAMP)

clean:
	rm -rf .venv $(DOCS) results build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests papers examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
