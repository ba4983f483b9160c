# `make run` from a fresh clone gives the figures; `make test` says whether they can be believed.

PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.requirements-installed
SCENARIOS ?= scenarios/host.yaml scenarios/host-fast.yaml scenarios/router.yaml
WORKERS ?= 2

.PHONY: run test long lint bench clean

run: $(READY)
	$(BIN)/python run.py run $(SCENARIOS)

# everything but the tests marked `long`, and a tenth of the examples of each property
test: $(READY)
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -n $(WORKERS) -m "not long"

# all of it; the end of its output is kept in docs/validation.md
long: $(READY)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n $(WORKERS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/bulk.py
	$(BIN)/python benchmarks/coalesce.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/peers.py

$(READY): requirements.txt
	@test -n "$(PYTHON)" || { echo "needs Python 3.11 or newer; say which with make PYTHON=..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

clean:
	rm -rf results .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
