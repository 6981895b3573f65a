# Weighbridge: from a clone to a running stack with one word.
#
#   make demo    set up, build, run the demonstration (DEMO_EXIT=1: ends by itself)
#   make check   formatting, lints and tests of the pure crates: needs Rust and nothing else, takes minutes
#   make test    formatting, lints, docs and every test, on real parts
#   make help    all of them

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

CARGO ?= cargo

# The crates without I/O, clock, randomness or async.
PURE := $(notdir $(wildcard shared/core/*))
PURE_PACKAGES := $(PURE:%=-p wb-%)

.PHONY: help setup build demo check test release torture fmt lint docs deny book figures bench fuzz

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## install what is missing: system packages, the Kafka broker, the ClickHouse engine, a font, veraPDF
	@infra/setup.sh

build: setup ## build what the demonstration runs
	@echo 'build: compiling (some minutes the first time)'
	$(CARGO) build --locked -p weighbridge

demo: build ## run the whole stack on this machine with a simulated fleet
	@target/debug/weighbridge demo

check: ## formatting, lints and tests of the pure crates; nothing but Rust is needed
	@echo 'check 1/3: formatting'
	$(CARGO) fmt --all --check
	echo 'check 2/3: lints of the pure crates'
	$(CARGO) clippy --locked $(PURE_PACKAGES) --all-targets -- -D warnings
	echo 'check 3/3: tests of the pure crates'
	$(CARGO) test --locked $(PURE_PACKAGES)

test: setup ## formatting, lints, docs, policy of dependencies, and all tests
	@echo 'test 1/5: formatting'
	$(CARGO) fmt --all --check
	echo 'test 2/5: lints'
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	echo 'test 3/5: documentation of the crates'
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --quiet
	echo 'test 4/5: dependencies: licences, bans, sources, unused ones'
	infra/dependencies.sh
	echo 'test 5/5: all tests'
	$(CARGO) test --locked --workspace --no-fail-fast

release: setup ## the optimised, stripped binary that an operator copies: all services and commands, without the demonstration
	@$(CARGO) build --locked --release -p weighbridge --no-default-features --features documents
	ls -l --block-size=M target/release/weighbridge | awk '{ print "release: target/release/weighbridge, " $$5 "iB" }'

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
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

docs: ## the documentation of the crates, in target/doc
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps

deny: ## the policy of dependencies alone
	infra/dependencies.sh

bench: setup ## benches, optimised
	$(CARGO) bench --workspace

# What of the book follows from code is written anew: the command reference and the lines of worked examples.
book: setup ## write the book's generated parts, build it into target/book and check its links
	@WEIGHBRIDGE_DOCS_WRITE=1 $(CARGO) test -q -p weighbridge --bin weighbridge reference
	WEIGHBRIDGE_DOCS_WRITE=1 WEIGHBRIDGE_BOOK_DIR=$(CURDIR)/target/book $(CARGO) test -q -p wb-docs

figures: setup ## measure, and write docs/src/figures.md; let nothing else run
	@docs/figures.sh

# The long mode of the tests. It needs the nightly toolchain, which nothing else does.
fuzz: setup ## the long mode: every decoder and the verdict fuzzed for FUZZ_SECONDS (60) each
	@command -v cargo-fuzz > /dev/null || $(CARGO) install cargo-fuzz --locked --version 0.13.2
	fuzz/run.sh
