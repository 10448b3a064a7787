# mnist-job: `make help` lists the targets.
# Recipes read the variables of a user from the environment, quoted: a value may have spaces, quotes and semicolons. Only
# ARGS and PARALLEL are words of the shell.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run extras test thorough lint words imports types format check lock bench clean \
	docker-build docker-run docker-test docker-push k8s-render k8s-submit k8s-logs cluster-test

# The value of a variable: make expands a default of this file, but not the `$` in a value that a user sets.
value_of = $(if $(filter file,$(origin $1)),$($1),$(value $1))

CONFIG ?= configs/digits.yaml
ROOT ?=
ARGS ?=
# All tests of a file run in one worker, because they share fixtures.
PARALLEL ?= --numprocesses auto --dist loadfile --no-loadscope-reorder

# The image: ACCELERATOR selects the requirements, BASE_IMAGE the base.
ACCELERATOR ?= gpu
IMAGE ?= mnist-job:$(call value_of,ACCELERATOR)
BASE_IMAGE ?= $(if $(filter cpu,$(call value_of,ACCELERATOR)),ubuntu:24.04,nvidia/cuda:12.9.2-base-ubuntu24.04)
RUNS ?= $(or $(call value_of,ROOT),output)
# Kubernetes: an overlay names an image; IMAGE replaces it only if it is set on the command line.
OVERLAY ?= $(call value_of,ACCELERATOR)
NAMED_IMAGE = $(if $(filter file,$(origin IMAGE)),,$(value IMAGE))
IN_NAMESPACE = $${NAMESPACE:+--namespace "$$NAMESPACE"}
CHECK_NAMESPACE = [ -z "$$NAMESPACE" ] || docker/check-name.sh namespace "$$NAMESPACE"
# For the labels of the image.
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' job/__init__.py)
REVISION = $(shell git describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null || echo unknown)

# The first Python in PATH with wheels of TensorFlow; `make PYTHON=/path/to/python3.12 run` selects another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## List the targets
	@echo "make TARGET [VARIABLE=value ...]"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: override export CONFIG := $(call value_of,CONFIG)
run: override export ROOT := $(call value_of,ROOT)
run: export JOB_REVISION = $(REVISION)
run: $(VENV)/.cpu ## Run the whole job: CONFIG=configs/digits.yaml ROOT=output ARGS="--set trainer.epochs=3"
	@$(BIN)/python -m job run --config "$$CONFIG" $${ROOT:+--root "$$ROOT"} $(ARGS)

extras: $(VENV)/.cpu $(VENV)/.extras ## Install the requirements of ONNX export, tracking, sweeps and Dask

# Without bytecode each of the many processes of the tests would compile our modules again.
test thorough docker-test: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.dev ## Run the everyday tests: select with ARGS="-k splits" or ARGS=FILE
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

thorough: $(VENV)/.dev ## Run the slow tests: dozens of kills, full disks, a real out-of-memory kill, the benchmarks
	@$(BIN)/python -m pytest $(PARALLEL) -m thorough $(ARGS)

lint: $(VENV)/.dev imports words ## Check style, formatting, imports and words: Python, Dockerfile, shell, documents
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/hadolint docker/Dockerfile
	@$(BIN)/shellcheck .ci/run .ci/install .ci/container-engine docker/*.sh configs/kubernetes/*.sh \
		configs/batch/slurm.sbatch

words: ## Check that code, documents and templates use none of the words of .ci/words.txt
	@git grep -nwiE -f .ci/words.txt -- '*.py' '*.md' '*.j2' Makefile; case $$? in \
		0) echo "error: the lines above use words of .ci/words.txt; replace them by standard technical terms" >&2; exit 1;; \
		1) ;; \
		*) exit 2;; esac

imports: $(VENV)/.dev ## Check the import rules of pyproject.toml: layers, independent components, no cycles
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/.dev ## Check types with mypy, strictly
	@$(BIN)/mypy

format: $(VENV)/.dev ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

check: lint types test ## Run lint, types and test: everything that must pass before a commit

docker-build docker-push docker-run: override export IMAGE := $(call value_of,IMAGE)
docker-build: override export BASE_IMAGE := $(call value_of,BASE_IMAGE)
docker-build: override export ACCELERATOR := $(call value_of,ACCELERATOR)
docker-build: override export EXTRAS := $(call value_of,EXTRAS)
docker-build docker-push: export IMAGE_VERSION = $(VERSION)
docker-build: export IMAGE_REVISION = $(REVISION)
docker-build: ## Build the image: ACCELERATOR=gpu|cpu EXTRAS=1 BASE_IMAGE=ubuntu:24.04 IMAGE=mnist-job:gpu
	@docker/check-name.sh image "$$IMAGE" && docker/check-name.sh image "$$BASE_IMAGE"
	@DOCKER_BUILDKIT=1 docker build --file docker/Dockerfile --tag "$$IMAGE" \
		--build-arg "BASE_IMAGE=$$BASE_IMAGE" --build-arg "ACCELERATOR=$$ACCELERATOR" --build-arg "EXTRAS=$${EXTRAS:-0}" \
		--build-arg "VERSION=$$IMAGE_VERSION" --build-arg "REVISION=$$IMAGE_REVISION" $(ARGS) .

docker-run: override export CONFIG := $(call value_of,CONFIG)
docker-run: override export RUNS := $(call value_of,RUNS)
docker-run: override export DATA := $(call value_of,DATA)
docker-run: override export GPU := $(call value_of,GPU)
docker-run: override export NETWORK := $(call value_of,NETWORK)
docker-run: ## Run the job in its container: CONFIG=configs/mnist.yaml RUNS=output DATA=folder GPU=0 ARGS="--set ..."
	@docker/run.sh $(ARGS)

docker-test: $(VENV)/.dev ## Build the CPU image and run the tests in containers: BASE_IMAGE=debian:12-slim
	@$(BIN)/python -m pytest -m container $(ARGS)

docker-push: ## Build the image and push it: IMAGE=registry.example.com/mnist-job:0.1.0
	@docker/check-name.sh image "$$IMAGE"
	@case $$IMAGE in */*) ;; *) echo "error: IMAGE=$$IMAGE names no registry" \
		"(make docker-push IMAGE=registry.example.com/mnist-job:$$IMAGE_VERSION)" >&2; exit 2;; esac
	@$(MAKE) --no-print-directory docker-build
	@docker push "$$IMAGE"

k8s-render k8s-submit: override export OVERLAY := $(call value_of,OVERLAY)
k8s-render k8s-submit: override export NAMED_IMAGE := $(call value_of,NAMED_IMAGE)
k8s-submit k8s-logs: override export NAMESPACE := $(call value_of,NAMESPACE)
k8s-render: ## Print the Kubernetes manifests: OVERLAY=gpu IMAGE=registry.example.com/mnist-job:0.1.0
	@configs/kubernetes/render.sh "$$OVERLAY" "$$NAMED_IMAGE"

k8s-submit: ## Submit the manifests and replace an earlier Job: OVERLAY=gpu IMAGE=... NAMESPACE=training
	@$(CHECK_NAMESPACE)
	@configs/kubernetes/submit.sh "$$OVERLAY" "$$NAMED_IMAGE" $(IN_NAMESPACE)

k8s-logs: ## Follow the log of the newest pod: NAMESPACE=training
	@$(CHECK_NAMESPACE)
	@configs/kubernetes/logs.sh $(IN_NAMESPACE)

cluster-test: export CLUSTER_TEST = 1
cluster-test: $(VENV)/.dev ## Test the manifests in the cluster of KUBECONFIG: JOB_IMAGE=registry.example.com/mnist-job:0.1.0-cpu
	@$(BIN)/python -m pytest -m cluster $(ARGS)

bench: override export BENCH := $(call value_of,BENCH)
bench: override export MNIST := $(call value_of,MNIST)
bench: override export TORCH := $(call value_of,TORCH)
bench: $(VENV)/.dev ## Measure speed, memory and accuracy: BENCH=quick MNIST=folder TORCH=python ARGS="comparison"
	@$(BIN)/python -m tests.benchmarks --extent "$${BENCH:-full}" \
		$${MNIST:+--mnist "$$MNIST"} $${TORCH:+--torch "$$TORCH"} $(ARGS)

lock: ## Resolve pyproject.toml into requirements/ again (needs uv)
	@for lock in cpu gpu dev extras; do \
		case $$lock in \
			cpu) what="--extra cpu --extra remote";; \
			gpu) what="--extra gpu --extra remote --constraint requirements/cpu.txt";; \
			dev) what="--extra cpu --extra remote --extra onnx --extra tensorboard --extra mlflow --extra sweep --extra dask --group dev --constraint requirements/cpu.txt";; \
			extras) what="--extra onnx --extra tensorboard --extra mlflow --extra sweep --extra dask --constraint requirements/dev.txt";; \
		esac; \
		uv pip compile pyproject.toml $$what --output-file requirements/$$lock.txt --upgrade --quiet \
			--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		|| exit; done

clean: ## Delete the virtual environment and all caches; output/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info

# The stamp of a lock file is touched after its installation, so that nothing is installed twice.
$(VENV)/.%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing $< into $(VENV) (the first time takes a few minutes) ..."
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/bin/python: export SELECTED_PYTHON = $(PYTHON)
$(VENV)/bin/python:
	@[ -n "$$SELECTED_PYTHON" ] || { echo "mnist-job needs Python 3.11, 3.12 or 3.13 (TensorFlow has wheels for these);" \
		"install one, or select it: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@"$$SELECTED_PYTHON" -m venv $(VENV)
