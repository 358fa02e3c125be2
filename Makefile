# Every target sets up what it needs in .venv, once: only Python >= 3.11, make and a package index are assumed.
PYTHON ?= python3
FAMILY ?= ot
ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python

# What each target installs beside the package itself (extras of setup.cfg).
demo_extras := plot,progress
test_extras := test
docs_extras := docs
bench_extras := bench
peers_extras := peers,plot
cuda_extras := cuda12

# One thread per library: workers do not fight for cores, and seconds mean the same everywhere.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo test coverage lint docs bench peers cuda-api clean
.NOTPARALLEL:
.PRECIOUS: $(VENV)/%.stamp

help:
	@echo "make demo              solve a real transport problem and show it  (ARGS=relax: of another family)"
	@echo "make test              the test suite          (ARGS='-k loop' picks tests)"
	@echo "make coverage          the same, with line and branch coverage of plain Python"
	@echo "make lint              ruff, the import graph, the house rules, types"
	@echo "make docs              docs/_build/html, warnings are errors"
	@echo "make bench             record HEAD's times with asv and compare with the last recorded commit"
	@echo "make peers FAMILY=ot   numopt beside the packages a user could pick instead"
	@echo "make cuda-api          without a GPU: CuPy has every name we use, NVRTC takes every kernel (cuda_extras=cuda13)"
	@echo "make clean             remove all that the other targets made"

# Of 8000 files most are never imported: Python compiles the others when they are.
$(VENV)/%.stamp: setup.cfg pyproject.toml
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-compile --editable ".[$($*_extras)]"
	touch $@

demo: $(VENV)/demo.stamp
	$(RUN) -m numopt demo $(ARGS)

# Compiled once and two families at a time, not once by each worker of the tests.
$(VENV)/kernels: $(VENV)/test.stamp $(wildcard numopt/_kernels/cpu/*.py)
	$(ONE_THREAD) $(RUN) -m numopt warmup
	touch $@

test: $(VENV)/kernels
	$(ONE_THREAD) $(RUN) -m pytest -n auto --maxprocesses 8 $(ARGS)

# Compiled lines cannot be traced: numba is told to run them as Python.
coverage: $(VENV)/test.stamp
	$(ONE_THREAD) NUMBA_DISABLE_JIT=1 $(RUN) -m coverage run -m pytest -m "not slow" $(ARGS)
	$(RUN) -m coverage report

lint: $(VENV)/test.stamp
	$(RUN) -m ruff check .
	$(RUN) .ci/check.py
	$(VENV)/bin/lint-imports --no-logo
	$(RUN) -m mypy

docs: $(VENV)/docs.stamp
	$(ONE_THREAD) $(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/bench.stamp
	$(ONE_THREAD) NUMBA_NUM_THREADS=1 $(RUN) -m benchmarks.record $(ARGS)

peers: $(VENV)/peers.stamp
	$(ONE_THREAD) $(RUN) -m benchmarks.peers $(FAMILY) $(ARGS)

# No device is needed: neither to import CuPy nor to compile.
cuda-api: $(VENV)/cuda.stamp
	$(RUN) .ci/cuda_api.py

clean:
	rm -rf $(VENV) build dist .asv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .coverage
	rm -rf docs/_build docs/generated docs/auto_examples docs/sg_execution_times.rst
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf *.egg-info
