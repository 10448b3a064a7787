# mnist-job: `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run extras test thorough lint types format check lock bench clean \
	docker-build docker-run docker-test docker-push k8s-render k8s-submit k8s-logs

CONFIG ?= configs/digits.yaml
ROOT ?=
ARGS ?=
# The tests start many processes and wait for them; the tests of a file share what they made.
PARALLEL ?= --numprocesses auto --dist loadfile --no-loadscope-reorder

# The image: which TensorFlow is in it, and what it is built on.
ACCELERATOR ?= gpu
IMAGE ?= mnist-job:$(ACCELERATOR)
BASE_IMAGE ?= $(if $(filter cpu,$(ACCELERATOR)),ubuntu:24.04,nvidia/cuda:12.9.2-base-ubuntu24.04)
RUNS ?= $(or $(ROOT),output)
# Kubernetes: an overlay names an image by itself; another one takes its place only where it was asked for.
OVERLAY ?= $(ACCELERATOR)
NAMED_IMAGE = $(if $(filter file,$(origin IMAGE)),,$(IMAGE))
IN_NAMESPACE = $(if $(NAMESPACE),--namespace '$(NAMESPACE)')
# What the image's labels say it was built from.
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' job/__init__.py)
REVISION = $(shell git describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null || echo unknown)

# The first Python here that TensorFlow has wheels for; `make PYTHON=/path/to/python3.12 run` names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## List the targets
	@echo "make TARGET [VARIABLE=value ...]"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.cpu ## Run the whole job: CONFIG=configs/digits.yaml ROOT=output ARGS="--set trainer.epochs=3"
	@JOB_REVISION='$(REVISION)' $(BIN)/python -m job run --config $(CONFIG) $(if $(ROOT),--root $(ROOT)) $(ARGS)

extras: $(VENV)/.cpu $(VENV)/.extras ## Install what exporting to ONNX and following a run in TensorBoard or MLflow need

test: $(VENV)/.dev ## Run the everyday tests: ARGS="-k splits" for some of them
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

thorough: $(VENV)/.dev ## Run the tests that take minutes: dozens of kills, full disks, a real out-of-memory kill
	@$(BIN)/python -m pytest $(PARALLEL) -m thorough $(ARGS)

lint: $(VENV)/.dev ## Check style and formatting: Python, Dockerfile and shell
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/hadolint docker/Dockerfile
	@$(BIN)/shellcheck .ci/run docker/*.sh configs/kubernetes/*.sh configs/batch/slurm.sbatch

types: $(VENV)/.dev ## Check types, strictly
	@$(BIN)/mypy

format: $(VENV)/.dev ## Put the code into shape
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

check: lint types test ## Everything that must pass before a commit

docker-build: ## Build the image: ACCELERATOR=gpu|cpu EXTRAS=1 BASE_IMAGE=ubuntu:24.04 IMAGE=mnist-job:gpu
	@DOCKER_BUILDKIT=1 docker build --file docker/Dockerfile --tag $(IMAGE) \
		--build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg ACCELERATOR=$(ACCELERATOR) --build-arg EXTRAS=$(or $(EXTRAS),0) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) $(ARGS) .

docker-run: export IMAGE := $(IMAGE)
docker-run: export CONFIG := $(CONFIG)
docker-run: export RUNS := $(RUNS)
docker-run: export DATA := $(DATA)
docker-run: export GPU := $(GPU)
docker-run: export NETWORK := $(NETWORK)
docker-run: ## Run the job in its container: CONFIG=configs/mnist.yaml RUNS=output DATA=folder GPU=0 ARGS="--set ..."
	@docker/run.sh $(ARGS)

docker-test: $(VENV)/.dev ## Build the CPU image and test it, with real containers: BASE_IMAGE=debian:12-slim
	@$(BIN)/python -m pytest -m container $(ARGS)

docker-push: ## Build the image and push it: IMAGE=registry.example.com/mnist-job:0.1.0
	@case '$(IMAGE)' in */*) ;; *) echo "error: IMAGE=$(IMAGE) names no registry" \
		"(make docker-push IMAGE=registry.example.com/mnist-job:$(VERSION))" >&2; exit 2;; esac
	@$(MAKE) --no-print-directory docker-build
	@docker push $(IMAGE)

k8s-render: ## Print the Kubernetes manifests: OVERLAY=gpu|cpu|kueue IMAGE=registry.example.com/mnist-job:0.1.0
	@configs/kubernetes/render.sh '$(OVERLAY)' '$(NAMED_IMAGE)'

k8s-submit: ## Submit them, in place of the Job before: OVERLAY=gpu IMAGE=... NAMESPACE=training
	@configs/kubernetes/submit.sh '$(OVERLAY)' '$(NAMED_IMAGE)' $(IN_NAMESPACE)

k8s-logs: ## Follow what the Job says: NAMESPACE=training
	@configs/kubernetes/logs.sh $(IN_NAMESPACE)

bench: $(VENV)/.dev ## Measure the claims on this machine: BENCH=quick MNIST=folder TORCH=python ARGS="contest"
	@$(BIN)/python -m tests.benchmarks --extent $(or $(BENCH),full) \
		$(if $(MNIST),--mnist '$(MNIST)') $(if $(TORCH),--torch '$(TORCH)') $(ARGS)

lock: ## Resolve requirements/ anew from pyproject.toml (needs uv)
	@for lock in cpu gpu dev extras; do \
		case $$lock in \
			cpu) what="--extra cpu";; \
			gpu) what="--extra gpu --constraint requirements/cpu.txt";; \
			dev) what="--extra cpu --extra onnx --extra tensorboard --extra mlflow --group dev --constraint requirements/cpu.txt";; \
			extras) what="--extra onnx --extra tensorboard --extra mlflow --constraint requirements/dev.txt";; \
		esac; \
		uv pip compile pyproject.toml $$what --output-file requirements/$$lock.txt --upgrade --quiet \
			--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		|| exit; done

clean: ## Remove the virtual environment and the tools' caches; output/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info

# A stamp is newer than its lock only when that lock is installed: nothing is installed twice.
$(VENV)/.%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing $< into $(VENV) (the first time takes a few minutes) ..."
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "mnist-job needs Python 3.11, 3.12 or 3.13 (TensorFlow has wheels for these);" \
		"install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
