# Everything a newcomer types. Each target sets up what it needs, once; only Python 3.11 or newer is asked for.

# The first Python here that is new enough, unless one is named.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
CODE := schemas handlers streams learning serving commands deploy

# make demo DATA=directory of a bank's files; make test ARGS='-k reversal'; make kafka KAFKA_PORT=19092
DATA ?=
ARGS ?=
KAFKA_PORT ?= 9092
KAFKA_CONTROLLER_PORT ?= 9093
REDIS_PORT ?= 6379

.DELETE_ON_ERROR:
.PHONY: help setup setup-dev demo test mutants faults broken toxiproxy lint format lock bench bench-check profile kafka redis clean

help: ## what there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## a virtual environment with the tracker in it, each package as locked

setup-dev: .venv/.installed-dev ## the same with the tools of the developers

demo: .venv/.installed ## a bank day by day, with no server needed; DATA=DIR replays the files of a real bank
	$(BIN)/tracker demo $(if $(DATA),--data "$(DATA)")

test: .venv/.installed-dev ## every test; those that need Java 17, Maven or redis-server are skipped where it is missing
	$(BIN)/python -m streams
	$(BIN)/python -m pytest $(ARGS)

mutants: .venv/.installed-dev ## changes handlers/ and streams/ a little, 200 times, and says what no test notices; ARGS="--seed 7 --count 50"
	$(BIN)/python -m tests.mutants $(ARGS)

faults: .venv/.installed-dev ## what is lost and doubled under every fault; ARGS="--row kill --seed 17" is one of them
	$(BIN)/python -m streams
	$(BIN)/python -m tests.faults $(ARGS)

broken: .venv/.installed-dev ## mistakes made on purpose, each with the test that must notice it; ARGS="--only NAME" is one
	$(BIN)/python -m streams
	$(BIN)/python -m tests.broken $(ARGS)

toxiproxy: var/tools/toxiproxy-server ## the proxy that cuts lines in `make faults` (needs Go)

var/tools/toxiproxy-server:
	GOBIN="$(CURDIR)/var/tools" go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0
	mv var/tools/server $@

lint: .venv/.installed-dev ## style, types, layers, and the files of deploy/
	$(BIN)/python -m compileall -q $(CODE) tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint deploy/Dockerfile
	bash -n deploy/kafka/serve .ci/run
	@if command -v promtool; then \
		promtool check rules deploy/prometheus/rules.yml && \
		promtool check config --syntax-only deploy/prometheus/prometheus.yml && \
		promtool test rules deploy/prometheus/rules_test.yml; \
	else \
		echo "promtool is missing (on Debian it comes with prometheus): Prometheus rules are not checked"; \
		[ "$$CI" != true ]; \
	fi

bench: .venv/.installed-dev ## how fast it is, on a real Kafka and Redis, beside rulers (a quarter of an hour; ARGS=--quick: 3 minutes)
	$(BIN)/python -m tests.bench.suite $(ARGS)

bench-check: .venv/.installed-dev ## fails when an event costs more processor time than in the commit before
	$(BIN)/python -m tests.bench.check $(ARGS)

profile: .venv/.installed-dev ## a flame graph of the worker under load, var/bench/worker.svg
	$(BIN)/python -m tests.bench.profile $(ARGS)

format: .venv/.installed-dev ## rewrites the code in the one style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# What is locked stays; to take a newer version, add ARGS='--upgrade-package NAME' or ARGS=--upgrade.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
lock: .venv/.installed-dev ## writes the lock files anew from pyproject.toml
	$(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	$(LOCK) $(ARGS) --group build -o deploy/build.lock
	$(LOCK) $(ARGS) -c requirements.lock -c deploy/build.lock pyproject.toml --group build --group dev \
		-o requirements-dev.lock

kafka: ## a real Kafka on loopback, in the foreground (needs Java 17 and Maven)
	deploy/kafka/serve $(KAFKA_PORT) $(KAFKA_CONTROLLER_PORT) var/kafka/data-$(KAFKA_PORT)

redis: ## a real Redis on loopback, in the foreground (needs redis-server)
	mkdir -p var/redis-$(REDIS_PORT)
	redis-server --bind 127.0.0.1 --port $(REDIS_PORT) --dir var/redis-$(REDIS_PORT) \
		--appendonly yes --appendfsync everysec --save "" --auto-aof-rewrite-min-size 1gb --rdbcompression no

clean: ## removes the virtual environment, caches, and what kafka and redis stored
	rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CODE) tests -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; or name one: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear .venv || { echo "venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }

# The tracker itself is installed in place, with nothing fetched: setuptools is locked too.
.venv/.installed: requirements.lock deploy/build.lock pyproject.toml | .venv/bin/python
	@echo "Installing the tracker into .venv (about a minute, once)"
	$(PIP) --require-hashes -r requirements.lock -r deploy/build.lock
	$(PIP) --no-deps --no-build-isolation --no-index -e .
	@echo "Compiling its kernels (once)"
	$(BIN)/python -m streams
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
