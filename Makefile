# `make table1` and `make test` do everything on a machine with Python 3.11, 3.12 or 3.13; the rest is for daily work.
PYTHON ?= python3
# An active environment that has spl is used as it is; otherwise everything is installed into .venv.
ACTIVE := $(if $(VIRTUAL_ENV),$(shell $(VIRTUAL_ENV)/bin/python -P -c 'import spl' 2>/dev/null && echo $(VIRTUAL_ENV)))
VENV := $(or $(ACTIVE),.venv)
STAMP := $(if $(ACTIVE),,$(VENV)/.installed)
CODE := spl tests benchmarks tools docs
export PATH := $(if $(ACTIVE),,$(CURDIR)/)$(VENV)/bin:$(PATH)

.PHONY: table1 test check compare reference release docs rulegraph schema lock

table1: $(STAMP)  ## all tables, figures and the report of params.yaml
	python -m spl plan
	snakemake --cores all all

test: $(STAMP)  ## all tests
	python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## formatting, lint, workflow, layers, types
	ruff format --check $(CODE)
	ruff check $(CODE)
	snakefmt --check Snakefile workflow
	snakemake --lint
	lint-imports --no-logo
	basedpyright

compare: $(STAMP)  ## does this working tree give the numbers of another commit?   make compare BASE=<commit> [WHOLE=1]
	python tools/compare.py $(BASE) $(if $(WHOLE),--whole)

reference: $(STAMP)  ## docs/reference/ from results/, and the spread from other runs   make reference [WITH="../other/results"]
	python -m tools.reference $(WITH)

release: $(STAMP)  ## dist/ from this commit and its results/: wheel, weights, tables, pairs, examples
	python -m tools.release

docs: $(STAMP)  ## docs/ and the reference of spl/ as one searchable site: build/docs/index.html
	uv pip install --quiet --python $(VENV)/bin/python --requirement pyproject.toml --extra docs
	sphinx-build --quiet --fail-on-warning --keep-going --jobs 2 docs build/docs

rulegraph: $(STAMP)  ## the drawing of the rules; needs Graphviz (apt install graphviz)
	snakemake --rulegraph dot -- all > docs/rulegraph.dot
	tred docs/rulegraph.dot | dot -Grankdir=LR -Tsvg > docs/rulegraph.svg

schema: $(STAMP)  ## workflow/schemas/params.schema.json from spl/config/experiment.py
	python -m spl schema > workflow/schemas/params.schema.json

lock: $(STAMP)  ## requirements.lock from pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra dev pyproject.toml -o requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)) and "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(VENV)/bin/uv pip sync --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes requirements.lock
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	touch $@

