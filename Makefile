# Everything a fresh machine needs is Python 3.11+, pip and make. `make help` prints what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
# Telemetry of the libraries that we bring is off; MLflow takes only the word `true`.
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
# Each MLflow server would start five processes more, for jobs that nobody here runs.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

.DEFAULT_GOAL := help
.PHONY: help dev demo test bench fuzz check format lint types imports docs lock clean

help: ## print this
	@$(PYTHON) -c "import re; [print(f'  make {n:8} {t}') for n, t in re.findall(r'(?m)^([a-z-]+):.*## (.*)', open('Makefile').read())]"

$(STAMP): requirements.lock requirements-tools.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "aims-mlops needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-tools.lock requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

dev: $(STAMP) ## set up the virtual environment from the hashed locks

demo: $(STAMP) ## the main job: a real MLflow server, an unfair model denied, a fair one promoted
	@$(BIN)/python examples/income/demo.py

test: $(STAMP) ## run the tests
	@$(PYTEST) -q -n auto --dist loadgroup

bench: $(STAMP) ## what log and promotion cost; with PostgreSQL where AIMS_TEST_POSTGRES names a server
	@$(BIN)/python benchmarks/log.py; log=$$?; $(BIN)/python benchmarks/promotion.py && exit $$log

SECONDS ?= 20
fuzz: $(STAMP) ## attack every parser of foreign bytes, for 20 seconds or SECONDS=60
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r requirements-fuzz.lock 2>/dev/null || echo "atheris has no wheel for this machine: Hypothesis alone"
	@$(BIN)/python -m fuzz --seconds $(SECONDS)

check: $(STAMP) format-check lint types imports test ## format, lint, types, import contracts, tests (docs among them)

.PHONY: format-check
format-check: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: make format"; exit 1; }

format: $(STAMP) ## format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

lint: $(STAMP) ## lint
	@$(BIN)/ruff check --quiet .

types: $(STAMP) ## mypy --strict, tests too
	@$(BIN)/mypy --no-error-summary

imports: $(STAMP) ## hold the import contracts
	@said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said"; exit 1; }

docs: $(STAMP) ## write the generated parts of the documentation
	@$(BIN)/python docs/generate.py

lock: $(STAMP) ## write the hashed locks anew
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra all --group dev $(LOCK) -o requirements.lock
	@$(BIN)/uv pip compile --quiet pyproject.toml $(LOCK) -o requirements-client.lock
	@echo 'uv>=0.9' | $(BIN)/uv pip compile --quiet - $(LOCK) -o requirements-tools.lock
	@$(BIN)/uv pip compile --quiet --group fuzz $(LOCK) -o requirements-fuzz.lock

LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"

clean: ## remove the environment and what the demo wrote
	@rm -rf $(VENV) demo-run dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
