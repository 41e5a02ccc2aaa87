# Everything starts from a machine that has only Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup setup-dev demo demo-lumbar demo-volumes demo-robustness demo-osteoarthritis test docs front-page clean

# torch comes first, so that nothing else chooses another build of it.
.venv/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[formats,readers,radiomics]'
	touch $@

.venv/.ready-dev: .venv/.ready
	$(PIP) --editable '.[dev,docs,formats,nnunet,readers,radiomics,tracking]'
	touch $@

setup: .venv/.ready

setup-dev: .venv/.ready-dev

demo: setup
	$(BIN)/vesalius experiment ventricles --preset demo --out demo/

demo-lumbar: setup
	$(BIN)/vesalius experiment lumbar --preset demo --out demo-lumbar/

demo-volumes: setup
	$(BIN)/vesalius experiment volumes --preset demo --out demo-volumes/

demo-robustness: setup
	$(BIN)/vesalius experiment robustness --preset demo --out demo-robustness/

demo-osteoarthritis: setup
	$(BIN)/vesalius experiment osteoarthritis --preset demo --out demo-osteoarthritis/

test: setup-dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadscope --durations 60 --durations-min 3

# The site, with its examples executed: docs/_build/html/index.html
docs: setup-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html

# The figures and pictures of the pages, from a finished demo: make front-page DEMO=demo-lumbar
DEMO ?= demo
front-page: setup
	$(BIN)/python -m vesalius.report.front_page $(DEMO)/ README.md docs/

clean:
	rm -rf .venv docs/_build docs/gallery demo demo-lumbar demo-volumes demo-robustness demo-osteoarthritis
