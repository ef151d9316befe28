# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
PY := .venv/bin/python
ROOMS := marquee sources scoring release report steps cli local_stack scrapy_imdb spark_apps serving exports broker streams \
	spark_connect documents replica plugins
ARGS ?=
WORKERS ?= 2
# DATA as a command's flag, whatever is in the folder's name.
quote = '$(subst ','\'',$(1))'
WORLD = $(if $(DATA),--data $(call quote,$(DATA)))

.DEFAULT_GOAL := help
.PHONY: help setup installed setup-dev setup-exports setup-kafka run up up-and-wait down status doctor test check drill bench format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## the environment, Java, jars, and the command .venv/bin/marquee
	@$(PYTHON) -m local_stack.bootstrap run

installed:
	@test -x $(PY) || { echo "error: nothing is set up here yet — make setup" >&2; exit 1; }

setup-dev:
	@$(PYTHON) -m local_stack.bootstrap dev

setup-exports: ## what writes ONNX, and the stock engines that `marquee export --check` asks
	@$(PYTHON) -m local_stack.bootstrap exports

setup-kafka: ## the client of Kafka, and the jars of a broker: feedback and questions over topics
	@$(PYTHON) -m local_stack.bootstrap kafka

run: setup ## the whole weekly run on real parts; DATA=<folder|ml-latest-small>, ONCE=1 ends by itself
	@$(PY) -m cli run $(WORLD) $(if $(ONCE),--once) $(ARGS)

up: setup ## start the local stack and leave it running
	@$(PY) -m cli up $(WORLD) $(ARGS)

up-and-wait: setup ## the same in the foreground, until Ctrl-C
	@$(PY) -m cli up --wait $(WORLD) $(ARGS)

down: installed ## stop the local stack, from any terminal
	@$(PY) -m cli down $(WORLD) $(ARGS)

status: installed ## what runs, where, since when
	@$(PY) -m cli status $(WORLD) $(ARGS)

doctor: setup ## can this machine run it? ports, memory, disk, Java
	@$(PY) -m cli doctor $(WORLD) $(ARGS)

test: setup-dev ## every path once, on real parts (WORKERS=0: in one process)
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

check: setup-dev ## format, lint, types, doors, golden files, arm64's wheels (about a minute; offline: ARM64=no)
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy $(ROOMS)
	@$(PY) -m pytest -q tests/test_architecture.py tests/test_house_size.py tests/test_golden.py \
		tests/test_documents.py tests/test_reference.py
	@$(if $(filter no,$(ARM64)),echo "arm64: not checked",$(PY) -m local_stack.lock_wheels)
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yaml
	@.venv/bin/hadolint docker/Dockerfile tests/drill/compose/*.Dockerfile
	@if docker compose version >/dev/null 2>&1; then docker compose --profile '*' config --quiet; \
		else echo "no docker compose here: docker-compose.yaml was held against its schema alone"; fi

drill: setup-dev ## long fault drills, by hand
	@$(PY) -m tests.drill $(ARGS)

bench: setup-dev ## the short benchmarks
	@$(PY) -m bench $(ARGS)

format: setup-dev ## let ruff rewrite
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

lock: ## compile the hash-pinned locks anew
	@$(PYTHON) -m local_stack.bootstrap lock

clean: ## forget every world: all state, not the environment; asks (CLEAN=yes: does not)
	@CLEAN=$(CLEAN) $(PYTHON) -m local_stack.bootstrap clean
