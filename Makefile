# make demo [VIDEO=path|index|url] · make test · make check · make clean; everything lives in .venv.
# make PYTHON=python3.12 … takes another Python; make test ARGS='-k crop' hands arguments to pytest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install -c constraints.txt
INPUTS := pyproject.toml constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# as it was typed: a URL may hold a $
export override VIDEO := $(value VIDEO)

# $(call need,shared libraries,Debian packages): stop before the long part if OpenCV could not be loaded
need = @test "$$(uname)" != Linux || \
	$(PYTHON) -c 'import ctypes, sys; [ctypes.CDLL(name) for name in sys.argv[1:]]' $(1) 2>/dev/null || \
	{ echo "startrack: one of $(1) is missing; on Debian: apt install $(2)" >&2; exit 1; }

.DELETE_ON_ERROR:
.PHONY: help demo test fuzz lint check docs clean

help:
	@echo 'make demo    track the demo clip, or VIDEO=path|index|url; results in demo/'
	@echo 'make test    run the tests (installs torch)'
	@echo 'make fuzz    changed files and random commands (minutes); ARGS=--inputs=2000 --commands=100'
	@echo 'make check   format, lint, types, tests'
	@echo 'make docs    build the documentation site in site/'
	@echo 'make clean   remove .venv, demo/ and all caches'

demo: $(VENV)/.demo
	@mkdir -p demo
ifeq ($(strip $(VIDEO)),)
	$(BIN)/startrack demo --out demo
else
	$(BIN)/startrack track --save-video demo/video.mp4 --jsonl demo/video.jsonl --overwrite -- "$$VIDEO"
endif

test: $(VENV)/.test
	$(BIN)/python -m pytest $(ARGS)

fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz.run $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python docs/plain_english.py

check: lint test

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo site build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "startrack: no $(PYTHON) here; expected Python 3.11 or newer; on Debian: apt install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "startrack: found $$($(PYTHON) --version), expected 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "startrack: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	$(call need,libGL.so.1 libgthread-2.0.so.0,libgl1 libglib2.0-0)
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made $(INPUTS)
	$(INSTALL) -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.made $(INPUTS)
	$(INSTALL) -e '.[test]'
	@# NVIDIA's bindings of TensorRT and its compiler for RTX cards, to test against; without them those tests skip
	-$(VENV)/bin/python -m tests.engines.bindings $(VENV)/bindings
	@touch $@

$(VENV)/.docs: $(VENV)/.made $(INPUTS)
	$(INSTALL) -e '.[docs]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(INPUTS)
	$(INSTALL) -e '.[dev]'
	@touch $@
