# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS := offline,hub,dashboard,team,dev
# Tests wait for processes and disks half of their time: one process more than the 2 cores of a small machine.
TEST_PROCESSES ?= 3
BROWSER_PROCESSES ?= 2

.PHONY: setup demo test check format torture determinism fuzz bench screenshots bundle audit sbom clean

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

# Three files of tests at a time, in order of their names: those with few and slow tests come first, and no process ends
# long after the others. Then two tests in the browser. A browser on a busy machine can lose a click: a test that
# waited in vain is run once more, and the report tells of it with what stood on the page.
test: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not browser" -n $(TEST_PROCESSES) --dist loadfile \
	    --no-loadscope-reorder
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m browser -n $(BROWSER_PROCESSES) --dist load \
	    --reruns 1 --only-rerun Timeout --rerun-show-tracebacks -rR

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Commands, people, the worker and the dashboard's server killed at random moments: 300 times and 300 servers instead of
# the 30 and 5 of `make test`, and 30 times while somebody labels in a browser.
torture: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 ALVIN_KILLS=300 $(BIN)/python -m pytest tests/crash/test_torture.py \
	    tests/crash/test_torture_servers.py tests/browser/test_torture_labelling.py

# Bad input to everything that reads: 100,000 made-up inputs instead of the 1,500 of `make test`, and files of the sizes
# that people speak of. Another start: make fuzz ALVIN_SEED=1
ALVIN_FUZZ ?= 100000
ALVIN_SEED ?= 0
fuzz: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 ALVIN_FUZZ=$(ALVIN_FUZZ) ALVIN_SEED=$(ALVIN_SEED) \
	    $(BIN)/python -m pytest tests/fuzz -n $(TEST_PROCESSES) --dist load --timeout 0

# Known vulnerabilities of every pinned package, as a service on the internet tells them: osv, pypi or esms. It fails too
# where the service could not be asked about each; docs/audit.toml says what is let pass, why, and until when.
AUDIT_SERVICE ?= osv
audit: $(VENV)/.audit
	$(BIN)/python benchmarks/audit.py --service $(AUDIT_SERVICE)

# What the environment consists of, as CycloneDX: the same environment gives the same bytes.
sbom: $(VENV)/.audit
	@mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
	    --output-file build/alvin-studio.cdx.json $(BIN)/python

$(VENV)/.audit: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[audit]"
	@touch $@

# Every change of surroundings by itself that a run must not notice; `make test` takes them together.
determinism: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 ALVIN_DETERMINISM=long $(BIN)/python -m pytest tests/determinism

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
