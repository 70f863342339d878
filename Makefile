# Everything a fresh machine needs is made here: `make demo` to see the product, `make test` to check it.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= data/demo
WORKERS ?= auto

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

$(BIN)/gitopslab: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("gitopslab needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: install
install: $(BIN)/gitopslab ## Make the virtual environment

.PHONY: demo
demo: install ## Simulate a platform, land it, build, report, and say where to look
	@# Only what an earlier demo wrote is removed.
	@test ! -d $(DEMO)/truth || rm -rf $(DEMO)
	$(BIN)/gitopslab world generate --seed 7 --weeks 8 --scale small --out $(DEMO)
	set -e; cd $(DEMO); for cluster in hub dev staging ryzen; do \
	  $(abspath $(BIN))/gitopslab land files objects/$$cluster.ndjson.zst --cluster $$cluster; done
	cd $(DEMO) && $(abspath $(BIN))/gitopslab land dump postgres.sql --database benchmark --observed-at 2026-04-27
	cd $(DEMO) && $(abspath $(BIN))/gitopslab land inventory inventory/fetched.ndjson.zst --name hub
	cd $(DEMO) && $(abspath $(BIN))/gitopslab extract git
	set -e; cd $(DEMO); for cluster in hub dev staging ryzen; do \
	  $(abspath $(BIN))/gitopslab land metrics metrics/$$cluster --cluster $$cluster; done
	cd $(DEMO) && $(abspath $(BIN))/gitopslab build
	cd $(DEMO) && $(abspath $(BIN))/gitopslab report lead_time -p environment=dev -p as_of=2026-04-27
	cd $(DEMO) && $(abspath $(BIN))/gitopslab report lead_time -p since=8w -p as_of=2026-04-27
	cd $(DEMO) && $(abspath $(BIN))/gitopslab report concurrency_envelope -p cluster=dev -p concurrency=50 -p since=8w -p as_of=2026-04-27
	cd $(DEMO) && $(abspath $(BIN))/gitopslab report coverage -p since=8w -p as_of=2026-04-27
	cd $(DEMO) && $(abspath $(BIN))/gitopslab world score truth
	@echo
	@echo "Open the pages named above in a browser, or $(DEMO)/reports/index.html for all."
	@echo "Ask on:  cd $(DEMO) && $(abspath $(BIN))/gitopslab sql 'FROM syncs LIMIT 5'"

.PHONY: test
test: install lint ## Run every check and test
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: lint
lint: install ## Check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: install ## Measure landing beside DuckDB's own speed and dlt's, and memory
	$(BIN)/python tests/benchmarks/landing.py
	$(BIN)/python -m tests.benchmarks.memory
	$(BIN)/python -m tests.benchmarks.reflector
	$(BIN)/python -m tests.benchmarks.stitching
	$(BIN)/python -m tests.benchmarks.kueue_scheduler

.PHONY: lab
lab: install ## Install JupyterLab too, and open the notebooks in it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,lab]'
	$(BIN)/jupyter lab notebooks

.PHONY: constraints
constraints: ## Write the versions that are installed now to constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9_.-]+==' > constraints.txt

.PHONY: clean
clean: ## Remove what was made, but for the virtual environment
	rm -rf data/* reports/* dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	touch data/.gitkeep reports/.gitkeep
