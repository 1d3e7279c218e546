# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS := offline,hub,dashboard,team,dev
TEST_PROCESSES ?= 2

.PHONY: setup demo test check format torture bench screenshots bundle clean

# Set up once; again whenever the dependencies change.
setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name one with: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what ALVIN Studio needs into $(VENV) (a minute or two, about 2 GB) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@

demo: setup
	@$(BIN)/alvin demo

# Two files of tests at a time, then two tests in the browser. A browser on a busy machine can lose a click: a test that
# waited in vain is run once more, and the report tells of it with what stood on the page.
test: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not browser" -n $(TEST_PROCESSES) --dist loadfile
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m browser -n $(TEST_PROCESSES) --dist load \
	    --reruns 1 --only-rerun Timeout --rerun-show-tracebacks -rR

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Commands and people killed at random moments, 300 times instead of the 30 of `make test`.
torture: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 ALVIN_KILLS=300 $(BIN)/python -m pytest tests/crash/test_torture.py

# Every benchmark behind docs/results.md, in under 15 minutes on 2 cores; it fails where a peer's results disagree. The
# studies take hours; results.md gives their commands.
bench: setup
	$(BIN)/python benchmarks/bench.py

# The pictures of README and docs, of the dashboard as it is now.
screenshots: setup
	HF_HUB_OFFLINE=1 $(BIN)/python docs/pictures/screenshots.py docs/pictures

# The map's bundle from its TypeScript source; needs Node. The built one is committed.
bundle:
	dashboard/components/map/check.sh --write

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
