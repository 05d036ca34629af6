# make run     install into .venv, run the daemon with a sample dealership (state in var/)
# make test    install into .venv, run all tests
# make check   every static check, the tests with coverage, each pure module by its own test
# make bench   speed, as ratios to psql's own \copy and a hand-written merge
# make lock    pin what pyproject.toml asks for anew (needs uv)

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/installed
PYTEST := $(if $(COVERAGE),$(BIN)/coverage run -m pytest,$(BIN)/python -m pytest)

.PHONY: run test check static coverage modules bench lock clean

run: $(INSTALLED)
	@exec $(BIN)/ingestd run --sample var

# First what may share the machine, one test file to a core; then, alone, what is measured by the
# clock; last, never measured for coverage, the stories that are told to the store and to its oracle.
test: $(INSTALLED)
	$(PYTEST) -n auto --dist loadfile -m "not alone and not machine" $(ARGS) || [ $$? -eq 5 ]
	$(PYTEST) -m alone $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m machine $(ARGS) || [ $$? -eq 5 ]

check: static coverage modules

static: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

# The tests again, measured: make test COVERAGE=1 measures the first time.
coverage: $(INSTALLED)
	rm -f .coverage .coverage.*
	$(MAKE) test COVERAGE=1
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Each pure module must be covered wholly by its own test file.
modules: $(INSTALLED)
	$(BIN)/python tests/each_module.py

bench: $(INSTALLED)
	$(BIN)/python -m bench

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --all-extras pyproject.toml build-requirements.in -o requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "ingestd needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
