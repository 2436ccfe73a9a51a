# Every target sets up what it needs. `make speak TEXT="…"` and `make test` work on a fresh machine with Python 3.11+.
PYTHON ?= python3
VENV ?= .venv
TEXT ?= The quick brown fox jumps over the lazy dog.
OUTPUT ?= speech.wav
BIN := $(VENV)/bin
SPEAKS := $(VENV)/.speaks
DEVELOPS := $(VENV)/.develops
BENCHES := $(VENV)/.benches
DOCUMENTS := $(VENV)/.documents
PEER := $(VENV)-coqui/.ready
# A variable for the shell as it was given: neither make nor the shell sees a meaning in its $, quotes or dashes.
quoted = '$(subst ','\'',$(value $(1)))'
# Threads spin briefly and then sleep, as `hf-vits` has it; those that spin on slow each other down on a machine that
# has other work. What the caller set is kept.
ifndef OMP_WAIT_POLICY
GOMP_SPINCOUNT ?= 20000
export GOMP_SPINCOUNT
endif
OMP_WAIT_POLICY ?= PASSIVE
export OMP_WAIT_POLICY

.PHONY: speak test docs test-thorough test-slow test-browser test-transformers test-oldest mutants lint bench clean

speak: $(SPEAKS)  ## TEXT="…" [OUTPUT=speech.wav]: speak with the default voice
	@$(BIN)/hf-vits speak --overwrite --output $(call quoted,OUTPUT) -- $(call quoted,TEXT)

# A file to each of two processes, a thread to each of those.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

test: $(DEVELOPS)  ## the tests of every day
	$(PYTEST) -m "not thorough and not slow and not hub"

test-thorough: $(DEVELOPS)  ## further cases and whole runs, seconds each: with `make test`, what must pass before anything lands
	$(PYTEST) -m "thorough and not slow and not hub"

test-slow: $(DEVELOPS)  ## the tests that take minutes each
	$(BIN)/python -m pytest -q -m slow

test-browser: $(DEVELOPS)  ## [needs Chromium] the page of the server and the demo in a browser
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,browser]"
	$(BIN)/python -m pytest -q tests/serving -k "page"

test-transformers: $(DEVELOPS)  ## SOURCE=transformers-….tar.gz: transformers' own tests of VITS, on this package and on itself
	@$(BIN)/python -m pip install --quiet parameterized
	$(BIN)/python tests/upstream/run_transformers_tests.py $(call quoted,SOURCE)

test-oldest:  ## the tests with the lowest versions of torch and transformers that are allowed
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --editable ".[dev,oldest]"
	$(VENV)-oldest/bin/python -m pytest -q

mutants: $(DEVELOPS)  ## deliberate faults, each of which the nearest test file must detect; takes half an hour
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m mutants.run

lint: $(DEVELOPS)  ## style, format and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

docs: $(DOCUMENTS)  ## the documentation as a site in site/; a dead link or an unknown name ends it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

bench: $(BENCHES) $(PEER)  ## [installs piper-tts, which is GPL-3] every benchmark that needs no voices, recordings or installing of yours, in turn; each can be run alone
	set -e; for script in $(filter-out benchmarks/finetune_quality.py benchmarks/training_cost.py benchmarks/vits2_ablation.py benchmarks/export_quality.py benchmarks/degraded_voice.py benchmarks/train_step.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python "$$script"; done
	$(BIN)/python benchmarks/train_step.py --peer-python $(VENV)-coqui/bin/python

clean:  ## remove the environment and caches
	rm -rf site $(VENV) $(VENV)-oldest $(VENV)-coqui build dist .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hf_vits needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + "; give another with PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

$(SPEAKS): setup.py constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) (once, some minutes); phonemizer and espeak-ng in it are GPL-3, Unidecode is GPL-2 or later …"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[demo]"
	@touch $@

$(DEVELOPS): setup.py constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) for development (once, some minutes); phonemizer and espeak-ng in it are GPL-3, Unidecode is GPL-2 or later …"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@ $(SPEAKS)

$(DOCUMENTS): $(DEVELOPS)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,docs]"
	@touch $@

$(BENCHES): $(DEVELOPS)
	@echo "Adding what benchmarks compare with; piper-tts is GPL-3, and sherpa-onnx holds espeak-ng, which is GPL-3 …"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,bench]"
	@touch $@

$(PEER):
	@echo "Setting up $(VENV)-coqui for coqui-tts, which is MPL-2.0 …"
	$(PYTHON) -m venv $(VENV)-coqui
	@$(VENV)-coqui/bin/python -m pip install --quiet torch==2.13.0 coqui-tts==0.28.0 six
	@touch $@
