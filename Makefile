# Two commands set up everything: `make demo` shows what it does, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: dev check test golden soak fuzz bench run demo
dev: .venv/ready

demo: dev
	$(BIN)/tallystick demo $(ARGS)

test: dev
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --cov --cov-report=term -m "not slow" $(ARGS)

check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: dev
	$(BIN)/pytest -m slow $(ARGS)

fuzz: dev
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/fuzz_receive.py -max_total_time=300 $(ARGS)

golden: dev
	$(BIN)/pytest --update-golden tests/pricing $(ARGS)

bench: dev
	$(BIN)/python -m bench $(ARGS)

run: dev
	$(BIN)/tallystick serve $(ARGS)

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/tallystick compile
	touch .venv/ready
