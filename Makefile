# One way in for people and for CI. Needs Python 3.11 or later (3.13 is what runs in Lambda) and nothing else.

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LOCK := requirements/dev.txt
# The program redis-server, in wheels for each Python up to 3.13 that hold the same file: apart, to be taken for any.
REDIS_LOCK := requirements/redis.txt
# SAM pins what it depends on, hard: an environment of its own.
SAM_VENV := .sam-venv
SAM_STAMP := $(SAM_VENV)/.installed
SAM := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=ap-northeast-2 PYTHON313="$(abspath $(PY))" $(SAM_VENV)/bin/sam

# checkov pins what it depends on, too.
CHECKOV_VENV := .checkov-venv
CHECKOV_STAMP := $(CHECKOV_VENV)/.installed

# Alarms and the dashboard are built from a list and not committed. pytest builds them itself (tests/conftest.py).
OBSERVE := infra/observe.yaml

# Python 3.13 wherever it is, else the newest of 3.11 or later.
PYTHON ?= $(shell for v in 3.13 3.14 3.12 3.11; do \
	for p in "$$(command -v python$$v)" "$$HOME"/.pyenv/versions/$$v*/bin/python$$v "$$(command -v python3)"; do \
		[ -x "$$p" ] && "$$p" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$v')" 2>/dev/null && echo "$$p" && exit; \
	done; done)

# A proxy's own certificate is in the system's store, which uv does not read by itself; told to, it needs one to be there.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif

# Who may not write to a home (`docker run --user 1234`) goes without the caches of pip and uv.
CACHE_HOME := $(or $(UV_CACHE_DIR),$(XDG_CACHE_HOME),$(HOME))
ifneq ($(CACHE_HOME),)
ifneq ($(shell [ -w "$(CACHE_HOME)" ] && echo yes),yes)
export UV_NO_CACHE := true
export PIP_NO_CACHE_DIR := 1
endif
endif

.DEFAULT_GOAL := help
.PHONY: generate alarms attack help invoke up down status logs demo reset test test-unit lint types lock emulator format validate build bench-edge bench-events test-apache

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

up: $(STAMP) ## Start everything on this machine; returns when the API answers (ARGS="--parameter-overrides HoldSeconds=5")
	@$(PY) -m emulator up $(ARGS)

down: $(STAMP) ## Stop all of it; the data stays
	@$(PY) -m emulator down

status: $(STAMP) ## What runs: services, functions, Kafka lag, schedules
	@$(PY) -m emulator status

logs: $(STAMP) ## What the functions logged (ARGS="-f --function QueueEnterFunction")
	@$(PY) -m emulator logs $(ARGS)

invoke: $(STAMP) ## One function with one event (FUNCTION=QueueEnterFunction EVENT=events/enter_queue.json)
	@$(PY) -m emulator invoke $(FUNCTION) $(if $(EVENT),-e $(EVENT))

demo: $(STAMP) ## Buy a ticket over HTTP, step by step
	@$(PY) -m tools.demo

reset: $(STAMP) ## Stop everything and forget all data
	@$(PY) -m emulator reset

emulator: $(STAMP) ## The emulator itself (ARGS="up --project PATH --port 3100")
	@$(PY) -m emulator $(ARGS)

# Compiled once and kept, whatever this shell says: both workers and every function that starts cold read the same.
PYTEST := PYTHONDONTWRITEBYTECODE= $(PY) -m pytest
WORKERS ?= 3 # one more than processors: many a test waits

test: $(STAMP) ## Every test that needs no Docker, against real Postgres, Redis and Kafka (WORKERS=3)
	@$(PYTEST) -n $(WORKERS) $(ARGS)

test-unit: $(STAMP) ## The tests that start no service and no other process
	@$(PYTEST) -n $(WORKERS) -m "not starts_processes" tests/unit tests/sandbox $(ARGS)

test-apache: $(STAMP) ## What speaks Kafka, again on Apache Kafka (jars from Maven Central, needs Java 17 and mvn)
	@EMULATOR_KAFKA=apache $(PY) -m pytest tests/integration/test_outbox_relay.py tests/integration/test_outbox_relay_processes.py \
		tests/integration/test_redrive.py tests/integration/test_kafka_security.py tests/chaos \
		tests/e2e/test_purchase.py tests/e2e/test_logs.py $(ARGS) # what the rest of e2e asks no broker sees

.PHONY: deploy
deploy: $(STAMP) build ## To AWS (STAGE=prod, SET="HoldSeconds=240" over samconfig.toml's parameters; docs/runbook.md)
	@$(PY) -m infra.deploy $(or $(STAGE),dev) $(SET)

.PHONY: test-deploy test-sam-local
test-deploy: $(STAMP) $(SAM_STAMP) .ministack-venv/.installed ## `sam deploy` onto MiniStack, the e2e suite there, update, rollback (docs/deploy.md)
	@DEPLOY=ministack $(PY) -m pytest tests/deploy/test_ministack.py -q -s -p no:randomly $(ARGS)

test-sam-local: $(STAMP) $(SAM_STAMP) ## Every sample event and the purchase in `sam local`'s containers; skipped without Docker
	@DEPLOY=sam-local $(PY) -m pytest tests/deploy/test_sam_local.py -q -s -p no:randomly $(ARGS)

.PHONY: chaos model stampede invariants redrive bench-relay bench-holds
chaos: $(STAMP) ## Kill relays, consumers, brokers of three, Postgres, under load; then compare (MINUTES=10; needs Java and mvn)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.simulation.chaos $(or $(MINUTES),10) $(ARGS)

model: $(STAMP) ## Buy, cancel, refund in any order, with crashes at every exchange; then look at every seat and won (MINUTES=60)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.simulation.model $(or $(MINUTES),60)

stampede: $(STAMP) ## 2,000 buyers on 200 seats of a stack of their own, over HTTP (ARGS="200 20")
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.simulation.crowd_sale $(ARGS)

invariants: $(STAMP) ## Every seat and every won of the stack that runs (ARGS="PATH/stack.json --within 60")
	@$(PY) -m tools.invariants $(ARGS)

.PHONY: faults
faults: $(STAMP) ## Plant known faults, one at a time; count how many the tests notice (ARGS="--checkout COMMIT --kind sql")
	@$(PY) -m tools.bench.faults $(ARGS)

bench-holds: $(STAMP) ## Holds a second beside a bare INSERT, round trips, and seconds from PortOne's yes to CONFIRMED and SOLD
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.holds

redrive: $(STAMP) ## Dead letters of the local stack (ARGS="list", "show ID", "put-back ID… --dry-run", "put-back --all")
	@$(PY) -m tools.redrive --local $(or $(ARGS),list)

bench-relay: $(STAMP) ## The relay: rows a second and commit-to-consumed latency, beside a bare producer and a plain poller
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.relay

lint: $(STAMP) ## Style and import rules
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@PYTHONPATH=.:layers/common/python $(VENV)/bin/lint-imports --no-cache > .lint-imports.log || { cat .lint-imports.log; exit 1; }

format: $(STAMP) ## Corrects style and the order of imports
	@$(PY) -m ruff check --fix . && $(PY) -m ruff format .

types: $(STAMP) ## Types, strictly
	@$(PY) -m mypy

validate: $(SAM_STAMP) $(CHECKOV_STAMP) $(OBSERVE) ## template.yaml and infra/, by SAM, cfn-lint and checkov
	@$(SAM) validate --lint
	@$(SAM_VENV)/bin/cfn-lint --regions ap-northeast-2 --template infra/*.yaml
	@$(CHECKOV_VENV)/bin/checkov --config-file .checkov.yaml

alarms: $(OBSERVE) ## infra/observe.yaml, alarms and dashboard, built from infra/alarms.toml

$(OBSERVE): infra/alarms.toml infra/alarms.py template.yaml layers/common/python/common/runtime/metrics.py | $(STAMP)
	@PYTHONPATH=.:layers/common/python $(PY) -m infra.alarms

# What the layer is built for: arm64 as deployed, or x86_64 for emulators on such a machine.
ARCHITECTURE ?= arm64
BUILD := .aws-sam$(if $(filter arm64,$(ARCHITECTURE)),,/$(ARCHITECTURE))
build: $(SAM_STAMP) $(OBSERVE) ## What would be deployed, into .aws-sam/
	@ARCHITECTURE=$(ARCHITECTURE) $(SAM) build --cached --parallel --build-dir $(BUILD)/build --cache-dir $(BUILD)/cache \
		--parameter-overrides Architecture=$(ARCHITECTURE) > .aws-sam.log 2>&1 && echo "built $$(ls $(BUILD)/build | grep -c Function) functions and the layer" || { tail -20 .aws-sam.log; exit 1; }

.PHONY: sizes bench-init budget cost cost-measure
cost: $(STAMP) $(OBSERVE) ## What an on-sale costs on AWS (ARGS="--crowd 50000 --seats 20000 --minutes 30 --poll 3 --edge-counter")
	@$(PY) -m tools.cost $(ARGS)

cost-measure: $(STAMP) ## What the steps of an on-sale take, on a stack of its own, for `make cost`
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.cost.measure

sizes: $(STAMP) ## What `make build` would deploy: how large, and nothing in it that should not be
	@$(PY) -m tools.bench.sizes

bench-init: $(STAMP) ## Each function's start from the built artifact, with bytecode and without, and its first call
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.init

budget: $(STAMP) ## What each function loads before its first event, beside what it may (tools/bench/init_budget.toml)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.budget

bench-queue: $(STAMP) ## The waiting room with 50,000 waiting, beside bare Redis and a naive version
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.queue

bench-events: $(STAMP) ## Reads of a 50,000-seat event: warm, cold and without Redis, beside bare Redis and SQL
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.events

generate: $(STAMP) ## Sample events that are missing and the OpenAPI document, from template.yaml and the handlers; then what is left to write
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.generate

attack: $(STAMP) ## schemathesis on a stack of its own, as nobody, user and admin (ARGS="--seed 7 --examples 50")
	@$(PY) -m tools.attack $(ARGS)

.PHONY: bench-login
bench-login: $(STAMP) ## A sign-in: how much of it is bcrypt, the authorizer, cold starts, and what its time tells a stranger
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.login

.PHONY: cloud-ranges
cloud-ranges: $(STAMP) ## Which addresses are clouds', from the providers' published lists (FILES="ip-ranges.json cloud.json"; docs/bots.md)
	@PYTHONPATH=layers/common/python $(PY) -m common.protection.cloud_ranges $(FILES)

bench-edge: $(STAMP) ## Three ways to write a handler's edge, measured
	@$(PY) -m tools.bench.edge

lock: $(STAMP) ## Write the lock files anew from pyproject.toml
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --group dev pyproject.toml -o requirements/dev.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url \
		--constraint requirements/dev.txt pyproject.toml -o layers/common/requirements.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url \
		--constraint requirements/dev.txt --group docs -o layers/docs/requirements.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url \
		--constraint requirements/dev.txt --group migrations -o migrations/requirements.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade requirements/redis.in -o requirements/redis.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade requirements/sam.in -o requirements/sam.txt
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade requirements/checkov.in -o requirements/checkov.txt

$(STAMP): $(LOCK) $(REDIS_LOCK)
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or later is needed and was not found; name it with PYTHON=/path/to/python3.13"; exit 1; }
	@"$(PYTHON)" requirements/preflight.py
	@echo "Making .venv with $$("$(PYTHON)" -V) …"
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check uv==0.13.9
	@$(VENV)/bin/uv pip install -q --python $(PY) --require-hashes -r $(LOCK)
	@$(VENV)/bin/uv pip install -q --python $(PY) --python-version 3.13 --no-deps --require-hashes -r $(REDIS_LOCK)
	@touch $@

$(SAM_STAMP): requirements/sam.txt $(STAMP)
	@$(VENV)/bin/uv venv -q --clear --python $(PY) $(SAM_VENV)
	@$(VENV)/bin/uv pip install -q --python $(SAM_VENV)/bin/python --require-hashes -r requirements/sam.txt
	@touch $@

$(CHECKOV_STAMP): requirements/checkov.txt $(STAMP)
	@$(VENV)/bin/uv venv -q --clear --python $(PY) $(CHECKOV_VENV)
	@$(VENV)/bin/uv pip install -q --python $(CHECKOV_VENV)/bin/python --require-hashes -r requirements/checkov.txt
	@touch $@

.PHONY: conformance bench-emulator
conformance: $(STAMP) $(SAM_STAMP) .ministack-venv/.installed ## Our emulator, sam local and MiniStack against AWS's documentation: writes docs/conformance.md (ARGS="-k ours" prints it)
	@$(PYTEST) -n $(WORKERS) -o timeout=600 tests/conformance --compare $(ARGS)

bench-emulator: $(STAMP) $(SAM_STAMP) .ministack-venv/.installed ## Our emulator, sam local and MiniStack: calls a second, latency, cold start
	@$(PY) -m tools.bench.emulator

.PHONY: bench-purchase bench-peers
bench-purchase: $(STAMP) ## What one warm purchase and the idle stack cost, by process and function (ARGS=".local/stack.json --at-once 1")
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.purchase_cost $(ARGS)

bench-peers: $(STAMP) .pretix-venv/.installed ## Us and pretix' web checkout in turns: 1, 8, 32 buyers at once, 400 on 50 seats (docs/peers.md)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.peers $(ARGS)

.pretix-venv/.installed: $(STAMP)
	@$(VENV)/bin/uv venv -q --clear --python $(PY) .pretix-venv
	@$(VENV)/bin/uv pip install -q --python .pretix-venv/bin/python 'pretix==2026.8.0' 'gunicorn==27.0.1'
	@touch $@

.ministack-venv/.installed: $(STAMP)
	@$(VENV)/bin/uv venv -q --clear --python $(PY) .ministack-venv
	@$(VENV)/bin/uv pip install -q --python .ministack-venv/bin/python 'ministack[full]==1.5.33'
	@touch $@
