# Weighbridge: from a clone to a running stack with one word.
#
#   make demo    set up, build, run the demonstration (DEMO_EXIT=1: ends by itself)
#   make test    formatting, lints and every test, on real parts
#   make help    all of them

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

CARGO ?= cargo

.PHONY: help setup build demo test torture fmt lint bench fuzz

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## install what is missing: system packages, the Kafka broker, the ClickHouse engine
	@infra/setup.sh

build: setup ## build the whole workspace
	@echo 'build: compiling (minutes the first time)'
	$(CARGO) build --workspace

demo: build ## run the whole stack on this machine with a simulated fleet
	@target/debug/weighbridge demo

test: setup ## formatting, lints, all tests
	@echo 'test 1/3: formatting'
	$(CARGO) fmt --all --check
	echo 'test 2/3: lints'
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	echo 'test 3/3: all tests'
	$(CARGO) test --workspace --no-fail-fast

# The long form; `make test` runs a short one. The result is part of the repository.
TORTURE_KILLS ?= 2000
TORTURE_SEED ?= $(shell date +%s)
TORTURE_REPORT ?= tests/torture/LAST.md

torture: setup ## the crash campaign: TORTURE_KILLS (2000) kills and every system call of the commit path
	@$(CARGO) build -p weighbridge -p wb-torture
	$(CARGO) run -p wb-torture -- --kills $(TORTURE_KILLS) --seed $(TORTURE_SEED) --report $(TORTURE_REPORT)

fmt: ## format the source
	$(CARGO) fmt --all

lint: setup ## lints alone
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench: setup ## benches, optimised
	$(CARGO) bench --workspace

# The long mode of the tests. It needs the nightly toolchain, which nothing else does.
fuzz: setup ## the long mode: every decoder and the verdict fuzzed for FUZZ_SECONDS (60) each
	@command -v cargo-fuzz > /dev/null || $(CARGO) install cargo-fuzz --locked --version 0.13.2
	fuzz/run.sh
