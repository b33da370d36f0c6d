# Commands for developers and CI. Needs only Python 3.11 or later (Lambda runs 3.13).

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LOCK := requirements/dev.txt
# The program redis-server. Its wheels exist up to Python 3.13, all with the same file: installed separately, for any Python.
REDIS_LOCK := requirements/redis.txt
# SAM pins its dependencies: it has its own environment.
SAM_VENV := .sam-venv
SAM_STAMP := $(SAM_VENV)/.installed
SAM := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=ap-northeast-2 PYTHON313="$(abspath $(PY))" $(SAM_VENV)/bin/sam

# checkov pins its dependencies, too.
CHECKOV_VENV := .checkov-venv
CHECKOV_STAMP := $(CHECKOV_VENV)/.installed

# Alarms and the dashboard are built from a list, not committed. pytest builds them itself (tests/conftest.py).
OBSERVE := infra/observe.yaml

# Python 3.13 if it is found, else another version from 3.11 on.
PYTHON ?= $(shell for v in 3.13 3.14 3.12 3.11; do \
	for p in "$$(command -v python$$v)" "$$HOME"/.pyenv/versions/$$v*/bin/python$$v "$$(command -v python3)"; do \
		[ -x "$$p" ] && "$$p" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$v')" 2>/dev/null && echo "$$p" && exit; \
	done; done)

# A proxy's certificate is in the system's store, which uv reads only with this option; the option needs an existing store.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif

# Without a writable home (`docker run --user 1234`), pip and uv run without caches.
CACHE_HOME := $(or $(UV_CACHE_DIR),$(XDG_CACHE_HOME),$(HOME))
ifneq ($(CACHE_HOME),)
ifneq ($(shell [ -w "$(CACHE_HOME)" ] && echo yes),yes)
export UV_NO_CACHE := true
export PIP_NO_CACHE_DIR := 1
endif
endif

# A misspelt variable, or a template parameter in its place, would be ignored without a word.
TAKEN := ARCHITECTURE ARGS EVENT FILES FUNCTION MINUTES PYTHON SET STAGE WORKERS
UNKNOWN := $(strip $(foreach name,$(filter-out $(TAKEN),$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name))))
ifneq ($(UNKNOWN),)
$(error no target takes $(UNKNOWN). Variables are: $(TAKEN). A template parameter: make up ARGS="--parameter-overrides $(firstword $(UNKNOWN))=$($(firstword $(UNKNOWN)))")
endif

.DEFAULT_GOAL := help
.PHONY: generate alarms attack help invoke up down status logs demo reset test test-unit lint types lock emulator format validate build bench-endpoint bench-events test-apache

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

up: $(STAMP) ## Start everything on this machine; returns when the API answers (ARGS="--parameter-overrides HoldSeconds=5")
	@$(PY) -m emulator up $(ARGS)

down: $(STAMP) ## Stop everything; the data stays
	@$(PY) -m emulator down $(ARGS)

status: $(STAMP) ## What is running: services, functions, Kafka lag, schedules
	@$(PY) -m emulator status $(ARGS)

logs: $(STAMP) ## What the functions logged (ARGS="-f --function QueueEnterFunction")
	@$(PY) -m emulator logs $(ARGS)

invoke: $(STAMP) ## Invoke one function with one event (FUNCTION=QueueEnterFunction EVENT=events/enter_queue.json)
	@[ -n "$(FUNCTION)" ] || { echo 'usage: make invoke FUNCTION=QueueEnterFunction EVENT=events/enter_queue.json'; exit 2; }
	@$(PY) -m emulator invoke $(FUNCTION) $(if $(EVENT),-e $(EVENT))

demo: $(STAMP) ## Buy a ticket over HTTP, step by step
	@$(PY) -m tools.demo

reset: $(STAMP) ## Stop everything and delete all data
	@$(PY) -m emulator reset $(ARGS)

emulator: $(STAMP) ## The emulator itself (ARGS="up --project PATH --port 3100")
	@$(PY) -m emulator $(ARGS)

# Bytecode is always kept: all workers and every cold start share it.
PYTEST := PYTHONDONTWRITEBYTECODE= $(PY) -m pytest
WORKERS ?= 3 # one more than processors: many tests wait

test: $(STAMP) ## Every test that needs no Docker, against real Postgres, Redis and Kafka (WORKERS=3)
	@$(PYTEST) -n $(WORKERS) $(ARGS)

test-unit: $(STAMP) ## The tests that start no services and no other processes
	@$(PYTEST) -n $(WORKERS) -m "not starts_processes" tests/unit tests/sandbox $(ARGS)

test-apache: $(STAMP) ## The tests that use Kafka, on Apache Kafka (jars from Maven Central, needs Java 17 and mvn)
	@EMULATOR_KAFKA=apache $(PY) -m pytest tests/integration/test_outbox_relay.py tests/integration/test_outbox_relay_processes.py \
		tests/integration/test_redrive.py tests/integration/test_kafka_security.py tests/chaos \
		tests/e2e/test_purchase.py tests/e2e/test_logs.py $(ARGS) # the rest of e2e uses no broker

.PHONY: deploy
deploy: $(STAMP) build ## Deploy to AWS (STAGE=prod, SET="HoldSeconds=240" over samconfig.toml's parameters; docs/runbook.md)
	@$(PY) -m infra.deploy $(or $(STAGE),dev) $(SET)

.PHONY: test-deploy test-sam-local
test-deploy: $(STAMP) $(SAM_STAMP) .ministack-venv/.installed ## `sam deploy` onto MiniStack, the e2e suite there, update, rollback (docs/deploy.md)
	@DEPLOY=ministack $(PY) -m pytest tests/deploy/test_ministack.py -q -s -p no:randomly $(ARGS)

test-sam-local: $(STAMP) $(SAM_STAMP) ## Every sample event and a purchase in the containers of `sam local`; skipped without Docker
	@DEPLOY=sam-local $(PY) -m pytest tests/deploy/test_sam_local.py -q -s -p no:randomly $(ARGS)

.PHONY: chaos model stampede invariants redrive bench-relay bench-holds
chaos: $(STAMP) ## Kill relays, consumers, one of three brokers and Postgres under load; then check the data (MINUTES=10; needs Java and mvn)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.simulation.chaos $(or $(MINUTES),10) $(ARGS)

model: $(STAMP) ## Buy, cancel and refund in any order, with crashes at every call; then check every seat and payment (MINUTES=60)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.simulation.model $(or $(MINUTES),60)

stampede: $(STAMP) ## 2,000 buyers for 200 seats over HTTP, on a separate stack (ARGS="200 20")
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.simulation.crowd_sale $(ARGS)

invariants: $(STAMP) ## Check every seat and payment of the running stack (ARGS="PATH/stack.json --within 60")
	@$(PY) -m tools.invariants $(ARGS)

.PHONY: faults
faults: $(STAMP) ## Plant known faults, one at a time, and count how many the tests find (ARGS="--checkout COMMIT --kind sql")
	@$(PY) -m tools.bench.faults $(ARGS)

bench-holds: $(STAMP) ## Holds per second compared with a bare INSERT, round trips, and seconds from PortOne's confirm to CONFIRMED and SOLD
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.holds

redrive: $(STAMP) ## Dead letters of the local stack (ARGS="list", "show ID", "put-back ID… --dry-run", "put-back --all")
	@$(PY) -m tools.redrive --local $(or $(ARGS),list)

bench-relay: $(STAMP) ## The relay: rows per second and commit-to-consumed latency, compared with a bare producer and a simple poller
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.relay

lint: $(STAMP) ## Check style and import rules
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@report=$$(PYTHONPATH=.:layers/common/python $(VENV)/bin/lint-imports --no-cache 2>&1) || { echo "$$report"; exit 1; }

format: $(STAMP) ## Correct style and import order
	@$(PY) -m ruff check --fix . && $(PY) -m ruff format .

types: $(STAMP) ## Check types (mypy strict)
	@$(PY) -m mypy

validate: $(SAM_STAMP) $(CHECKOV_STAMP) $(OBSERVE) ## Check template.yaml and infra/ with SAM, cfn-lint and checkov
	@$(SAM) validate --lint
	@$(SAM_VENV)/bin/cfn-lint --regions ap-northeast-2 --template infra/*.yaml
	@$(CHECKOV_VENV)/bin/checkov --config-file .checkov.yaml

alarms: $(OBSERVE) ## Build infra/observe.yaml, alarms and dashboard, from infra/alarms.toml

$(OBSERVE): infra/alarms.toml infra/alarms.py template.yaml layers/common/python/common/runtime/metrics.py | $(STAMP)
	@PYTHONPATH=.:layers/common/python $(PY) -m infra.alarms

# The architecture of the layer: arm64 as deployed, or x86_64 for emulators on an x86_64 machine.
ARCHITECTURE ?= arm64
BUILD := .aws-sam$(if $(filter arm64,$(ARCHITECTURE)),,/$(ARCHITECTURE))
build: $(SAM_STAMP) $(OBSERVE) ## Build what is deployed, into .aws-sam/
	@ARCHITECTURE=$(ARCHITECTURE) $(SAM) build --cached --parallel --build-dir $(BUILD)/build --cache-dir $(BUILD)/cache \
		--parameter-overrides Architecture=$(ARCHITECTURE) > .aws-sam.log 2>&1 && echo "built $$(ls $(BUILD)/build | grep -c Function) functions and the layer" || { tail -20 .aws-sam.log; exit 1; }

.PHONY: sizes bench-init budget cost cost-measure
cost: $(STAMP) $(OBSERVE) ## The cost of an on-sale on AWS (ARGS="--crowd 50000 --seats 20000 --minutes 30 --poll 3 --edge-counter")
	@$(PY) -m tools.cost $(ARGS)

cost-measure: $(STAMP) ## Measure the steps of an on-sale on a separate stack, for `make cost`
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.cost.measure

sizes: $(STAMP) ## Check the output of `make build`: its size, and no unwanted files
	@$(PY) -m tools.bench.sizes

bench-init: $(STAMP) ## Each function's start from the built artifact, with and without bytecode, and its first call
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.init

budget: $(STAMP) ## What each function loads before its first event, compared with its budget (tools/bench/init_budget.toml)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.budget

bench-queue: $(STAMP) ## The waiting room with 50,000 waiting, compared with bare Redis and a naive version
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.queue

bench-events: $(STAMP) ## Reads of a 50,000-seat event: warm, cold and without Redis, compared with bare Redis and SQL
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.events

generate: $(STAMP) ## Write missing sample events and the OpenAPI document, from template.yaml and the handlers; then list what is left to write
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.generate

attack: $(STAMP) ## schemathesis on a separate stack: without login, as user and as admin (ARGS="--seed 7 --examples 50")
	@$(PY) -m tools.attack $(ARGS)

.PHONY: bench-login
bench-login: $(STAMP) ## A login: the time of bcrypt, the authorizer and cold starts, and what an attacker can learn from it
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.login

.PHONY: cloud-ranges
cloud-ranges: $(STAMP) ## Write the address ranges of clouds, from the providers' published lists (FILES="ip-ranges.json cloud.json"; docs/bots.md)
	@PYTHONPATH=layers/common/python $(PY) -m common.protection.cloud_ranges $(FILES)

bench-endpoint: $(STAMP) ## Three ways to write an endpoint, compared
	@$(PY) -m tools.bench.endpoint_overhead

lock: $(STAMP) ## Write the lock files again from pyproject.toml
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
	@echo "Creating .venv with $$("$(PYTHON)" -V) …"
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

bench-emulator: $(STAMP) $(SAM_STAMP) .ministack-venv/.installed ## Our emulator, sam local and MiniStack: calls per second, latency, cold start
	@$(PY) -m tools.bench.emulator

.PHONY: bench-purchase bench-peers
bench-purchase: $(STAMP) ## Processor time of one warm purchase and of the idle stack, by process and function (ARGS=".local/stack.json --at-once 1")
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.purchase_cost $(ARGS)

bench-peers: $(STAMP) .pretix-venv/.installed ## Our purchase and pretix' web checkout by turns: 1, 8, 32 buyers at once, 400 for 50 seats (docs/peers.md)
	@PYTHONPATH=.:layers/common/python $(PY) -m tools.bench.peers $(ARGS)

.pretix-venv/.installed: $(STAMP)
	@$(VENV)/bin/uv venv -q --clear --python $(PY) .pretix-venv
	@$(VENV)/bin/uv pip install -q --python .pretix-venv/bin/python 'pretix==2026.8.0' 'gunicorn==27.0.1'
	@touch $@

.ministack-venv/.installed: $(STAMP)
	@$(VENV)/bin/uv venv -q --clear --python $(PY) .ministack-venv
	@$(VENV)/bin/uv pip install -q --python .ministack-venv/bin/python 'ministack[full]==1.5.33'
	@touch $@
