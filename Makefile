# Both commands set everything up by themselves: a virtual environment in .venv with pinned packages.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs lint test

demo: .venv/ready
	$(BIN)/python -m examples.digits.demo

test: .venv/ready
	$(BIN)/python -m pytest -n 2

lint: .venv/ready
	$(BIN)/ruff check .

docs: .venv/ready
	$(BIN)/python -m docs.catalogue

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,test]'
	touch $@
