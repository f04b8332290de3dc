# `make help` lists what there is. Needs Python 3.11 or newer and make; everything else goes into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run demo test faults lint format contracts images bench audit import token status stop psql clean

# Compiled modules halve the start of every process, whatever the caller's shell thinks of them.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BUS ?= postgres
PORTS ?= 0
UV := $(shell command -v uv 2> /dev/null)
QUIET := -q --disable-pip-version-check
RUN := .venv/bin/python
LOCAL := $(RUN) -m deploy.local

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## Make .venv with everything pinned in requirements.lock

.venv/ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { echo \
	  "Python 3.11 or newer is needed: install it, or name one with \`make PYTHON=/path/to/python3.11\`." >&2; exit 1; }
	@echo "Installing what requirements.lock names into .venv; once, for a minute or less." >&2
	@if [ -z "$(UV)" ]; then test -x .venv/bin/uv || { $(PYTHON) -m venv .venv && .venv/bin/pip install $(QUIET) uv; }; \
	  else test -x .venv/bin/python || $(UV) venv -q --python $(PYTHON) .venv; fi && \
	  $(or $(UV),.venv/bin/uv) pip install -q --python .venv/bin/python -r requirements.lock || { echo \
	  "The packages could not be installed into .venv: the lines above say why." >&2; exit 1; }
	@touch $@

run: setup ## Start the suite and stay with it until Ctrl-C (BUS=kafka, KAFKA_BOOTSTRAP=host:port, PORTS=1000)
	@$(LOCAL) --bus $(BUS) --ports $(PORTS)

demo: setup ## Drive the main flow through the running suite and print what happens (JSON=FILE writes it too)
	@$(RUN) -m deploy.local.demo $(if $(JSON),--json $(JSON))

test: setup ## Run all tests (ARGS="tests/sales -k win" for some)
	@.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

faults: setup ## Do every fault to running processes and check the promise (FAULT=poison,8 TRANSPORT=kafka SEEDS=3)
	@$(RUN) -m tests.faults $(if $(FAULT),--fault $(FAULT)) $(if $(TRANSPORT),--transport $(TRANSPORT)) \
	  --seeds $(or $(SEEDS),1) $(if $(FAULT)$(TRANSPORT),,--write)
	@$(if $(FAULT)$(TRANSPORT),,$(RUN) -m tests.faults.connector && $(RUN) -m tests.faults.model)

lint: setup ## Check style, types, layers, contracts and deployment files
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(RUN) -m shared.contracts check
	@$(RUN) -m deploy.docker.check
	@$(RUN) -m deploy.k8s.check

format: setup ## Format the code
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

contracts: setup ## Write the documents that are generated from topics, schemas and examples
	@$(RUN) -m shared.contracts build
	@$(RUN) -m deploy.settings_reference
	@$(RUN) -m deploy.k8s.generated

images: setup ## Carry out every image's steps without a container engine, and start the result
	@$(RUN) -m deploy.docker.install_check $(SERVICE)

bench: setup ## Measure, beside a raw baseline, and write bench/results/latest.json
	@$(RUN) -m bench

audit: setup .venv-audit/ready ## Look for known vulnerabilities, dangerous code, secrets and licences
	@.venv-audit/bin/python -m deploy.audit

.venv-audit/ready: requirements-audit.lock
	@$(or $(UV),.venv/bin/uv) venv -q --clear --python $(RUN) .venv-audit
	@$(or $(UV),.venv/bin/uv) pip install -q --python .venv-audit/bin/python -r requirements-audit.lock
	@touch $@

import: setup ## Load a folder of CSV files through the running suite's APIs (DATA=DIR, DRY_RUN=1 keeps nothing)
	@test -n "$(DATA)" || { echo "Name the folder with the files: make import DATA=DIR" >&2; exit 1; }
	@$(RUN) -m deploy.local.import_data "$(DATA)" $(if $(DRY_RUN),--dry-run)

token: setup ## Print a bearer token of the administrator (make -s token)
	@$(LOCAL) token

status: setup ## Show the processes of the running suite
	@$(LOCAL) status

stop: setup ## Stop the suite that runs in another terminal
	@$(LOCAL) stop

psql: setup ## Open psql on a service's database (SERVICE=sales, or SERVICE=bus)
	@test -n "$(SERVICE)" || { echo "Name the service: make psql SERVICE=sales" >&2; exit 1; }
	@$(LOCAL) psql $(SERVICE)

clean: ## Delete the suite's data and the virtual environment
	@test ! -e .crm/run.json || $(LOCAL) stop
	rm -rf .crm .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis
