# The two commands of the README. Each makes its own .venv from a bare Python 3.11.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
IMAGES ?=

.PHONY: demo test check clean

# Predict without torch: the core install, the default model, sample pictures (or IMAGES="a.jpg folder").
demo: $(VENV)/core
	$(BIN)/scalepose predict $(or $(IMAGES),samples) --out out/demo --json out/demo/people.json --draw

test: $(VENV)/dev check
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

# torch first and alone: pinned, it satisfies every later range, so nothing else pulls another build in.
$(VENV)/dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) torch==2.13.0
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/core

clean:
	rm -rf $(VENV) out runs build dist
