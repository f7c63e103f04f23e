# Everything starts from a fresh clone with Python >= 3.11 and make. The first target that needs it sets up .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
DATA   ?= ../shared/datasets
MNIST  ?= $(DATA)/mnist
# Where make bench can write some gigabytes.
SCRATCH ?= .

# So that the tools that build the package are the pinned ones too.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check lint types soak bench bench-quick study real-checkpoints real-models pictures samples samples-check clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test,lint]'
	touch $@

demo: $(READY) ## prune the sample, and compare it with what it was
	rm -rf demo && mkdir demo
	cp sample_checkpoints/lenet-300-100-mnist.safetensors demo/
	cd demo && ../$(BIN)/topoimp prune lenet-300-100-mnist.safetensors --rounds 10
	cd demo && ../$(BIN)/topoimp compare lenet-300-100-mnist.safetensors lenet-300-100-mnist.pruned.safetensors

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n 2

check: lint types test ## all that must hold before a commit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

soak: $(READY) ## run the tests that take minutes and gigabytes
	$(BIN)/python -m pytest -m soak

bench: $(READY) ## measure beside peers and the limit; writes docs/performance.md
	$(BIN)/pip install --quiet --editable '.[bench]'
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/processes.py --scratch $(SCRATCH)
	$(BIN)/python benchmarks/rounds.py
	$(BIN)/python benchmarks/paths.py
	$(BIN)/python benchmarks/cluster.py
	-$(BIN)/python benchmarks/hosts.py # needs root

bench-quick: $(READY) ## the same in two minutes, writing nothing
	$(BIN)/python benchmarks/run.py --quick

study: $(READY) ## run the studies of docs/study.md and docs/methods-study.md, days long, from where they stopped; DATA=folder of the data sets
	$(BIN)/pip install --quiet --editable '.[bench,plot]'
	TOPOIMP_DATA_DIR=$(DATA) $(BIN)/python benchmarks/study.py --work $(SCRATCH)/study
	TOPOIMP_DATA_DIR=$(DATA) $(BIN)/python benchmarks/methods_study.py --work $(SCRATCH)/methods-study
	TOPOIMP_DATA_DIR=$(DATA) $(BIN)/python benchmarks/methods_one_shot.py --work $(SCRATCH)/methods-study
	$(BIN)/python benchmarks/methods_crepe.py --work $(SCRATCH)/real-checkpoints
	$(BIN)/python benchmarks/methods_picture.py

pictures: $(READY) ## draw the pictures of docs/pictures.md anew, by its commands
	$(BIN)/python tests/gallery.py

real-checkpoints: $(READY) ## prune published checkpoints and load them in their owners' code; writes docs/real-checkpoints.md
	$(BIN)/python benchmarks/real_checkpoints.py --work $(SCRATCH)/real-checkpoints

real-models: $(READY) ## measure what pruning costs three published models, in about 20 minutes; writes docs/real-models.md
	$(BIN)/python benchmarks/real_models.py --work $(SCRATCH)/real-models

samples: $(READY) ## train sample_checkpoints/ anew; MNIST=folder of its four .gz files
	$(BIN)/python sample_checkpoints/make_samples.py make --mnist $(MNIST)

samples-check: $(READY) ## train the digits sample anew and compare it with the one that is kept
	$(BIN)/python sample_checkpoints/make_samples.py check

clean: ## remove what make made
	rm -rf $(VENV) demo build
