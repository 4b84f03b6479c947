# Two commands matter: `make run` starts the demo, `make test` runs every check and test.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check format clean

run: .venv/ready
	$(BIN)/rookery demo

test: check
	$(BIN)/pytest

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# constraints.txt pins every version, so that two installs are the same.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build ./*.egg-info
