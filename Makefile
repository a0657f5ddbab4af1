# Everything a checkout needs installs itself into target/ and .tools/, which git ignores.
#   make demo   real calls to the demo agent on a private LiveKit server, reported and judged
#               (the first time about ten minutes of CPU time and two gigabytes of disk; then it starts at once)
#   make test   formatting, lints, unit, property, snapshot and live tests
#   make lint   formatting and lints alone
#   make agents [KINDS="bare node-1.9"]
#               calls to agents of every kind (other SDK versions, Node, Pipecat, none), compared with what each of
#               them knows of itself; their environments are installed the first time (three gigabytes)
#   make soak   one call of ten minutes, watched for memory that grows
#   make bench-calls [N="10 50 100 200"] [REPEATS=3] [WINDOW=20] [LK=path]
#               CPU time and memory of a call, beside the least it can cost and, with LK, the official tester
#   make conformance   the livekit crate's own end-to-end tests on the media engine
#   make collector   a recorded run, and a call with the agent's own spans, through a real OpenTelemetry Collector (five
#               minutes of CPU time the first time)
#   make judging   how often verdicts are right, in every simulated world: docs/judging-table.md (ten minutes of CPU time)
#   make size   time and memory of judging seven runs of 10,000 calls (2.5 gigabytes in the folder for temporary files)
#   make docs   the book, in target/book
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .tools/venv/bin/python
AGENT := $(PYTHON) demo/agent.py
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Clippy as the compiler of the workspace's own crates: one pass lints and builds what cargo then runs. These two
# variables are what `cargo clippy -- -D warnings` sets, and CLIPPY_ARGS is between it and clippy alone, so `linting`
# checks first that a warning is still an error. What is built so lies beside what a plain `cargo test` builds.
LINTED := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__

# Runs its goals beside each other: what is downloaded and what is compiled. Cargo would take the two jobs for all
# that it may start, so make's flags are kept from it.
BESIDE := $(MAKE) --no-print-directory --jobs=2

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

.PHONY: tools
tools: .tools/ready

# livekit-server, a Python environment with the agent framework and one that validates formats; what is there is kept.
.tools/ready: demo/requirements.txt tools/server.sh demo/setup.sh tests/formats/requirements.txt tests/formats/setup.sh
	@tools/server.sh >/dev/null
	@demo/setup.sh >/dev/null
	@tests/formats/setup.sh >/dev/null
	@touch $@

# The browser that the HTML report is tested in, as packages of npm (110 megabytes; needs Node 20 or newer).
.PHONY: browser
browser: .tools/page/ready

.tools/page/ready: tests/page/package-lock.json
	@command -v npm >/dev/null || { echo "error: there is no npm, which installs the browser for the tests of the page: install Node 20 or newer"; exit 1; }
	@mkdir -p $(@D)
	@cp tests/page/package.json tests/page/package-lock.json $(@D)
	@cd $(@D) && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

.PHONY: rust
rust:
	@command -v cargo >/dev/null || { echo "error: there is no cargo: install Rust 1.89 or newer (https://rustup.rs)"; exit 1; }
	@command -v cmake >/dev/null || { echo "error: there is no cmake, which builds the Opus codec: install cmake and a C compiler"; exit 1; }

# A debug build: what a call passes through is optimised in it too (Cargo.toml), and most of it serves the tests.
.PHONY: program
program: rust
	MAKEFLAGS= cargo build

.PHONY: demo
demo:
	@$(BESIDE) tools program
	$(TARGET)/debug/loadcall run scenarios/greeting.yaml --dev --agent-command "$(AGENT)"

.PHONY: linting
linting: rust
	@command -v clippy-driver >/dev/null || { echo "error: there is no clippy: rustup component add clippy"; exit 1; }
	@echo 'pub fn f() { todo!() }' | { $(LINTED) clippy-driver --crate-type lib --emit metadata -o /dev/null -W clippy::todo - 2>&1 || true; } | \
		grep -q '^error: .todo' || { echo "error: this clippy-driver does not make errors of warnings: run 'make lint', and mend LINTED"; exit 1; }

.PHONY: tests
tests: linting
	MAKEFLAGS= $(LINTED) cargo test --workspace --all-targets --no-run

.PHONY: test
test: rust
	cargo fmt --all --check
	@$(BESIDE) tools browser tests
	$(PYTHON) -m unittest discover --start-directory demo
	$(LINTED) LOADCALL_REQUIRE_LIVE=1 cargo test --workspace --all-targets
	$(LINTED) cargo test --workspace --doc

.PHONY: lint
lint: rust
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

KINDS ?=

# About two minutes a kind.
.PHONY: agents
agents:
	@$(BESIDE) tools program
	$(PYTHON) tests/agents/check.py $(KINDS)

.PHONY: soak
soak: rust tools
	cargo build --release
	tests/soak.sh

N ?= 10 50 100 200
REPEATS ?= 3
WINDOW ?= 20
LK ?=
comma := ,
space := $(subst ,, )

.PHONY: bench-calls
bench-calls: rust tools
	cargo build --profile dist --package bench-calls
	$(TARGET)/dist/bench-calls --calls $(subst $(space),$(comma),$(strip $(N))) --repeats $(REPEATS) --window $(WINDOW) $(if $(LK),--lk $(LK))

# About two minutes; the build takes one, after `make test`.
.PHONY: conformance
conformance: linting tools
	$(LINTED) tools/conformance.sh build
	tools/conformance.sh run

# What loadcall exports, and what it passes on of the agent's, understood by OpenTelemetry's own receiver. Not part of `conformance`: the collector takes longer to
# build than all of that.
.PHONY: collector
collector: linting tools
	@tools/collector.sh >/dev/null
	$(LINTED) LOADCALL_REQUIRE_COLLECTOR=1 cargo test --test export collector

# The book of docs/, by a builder that is compiled the first time.
.PHONY: docs
docs: .tools/bin/mdbook
	$< build docs

.tools/bin/mdbook: | rust
	cargo install --locked --quiet --root .tools --no-default-features --features search mdbook@0.5.4

# Licences, sources and duplicate versions of the dependencies (deny.toml). Not part of `make test`:
# building the checker takes longer than everything else.
.PHONY: deny
deny: rust
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
	cargo deny --offline check bans licenses sources

# Recordings first, then each command by itself.
.PHONY: size
size: rust
	cargo test --lib large_recordings -- --ignored
	MAKEFLAGS= cargo build --release
	tests/size.sh $(TARGET)/release/loadcall

.PHONY: judging
judging: rust
	cargo test --workspace --lib verdict::tests::table -- --ignored --nocapture | sed -n '/^# How often/,/^<!-- the end -->/p' >$(TARGET)/judging.md
	sed '$$d' $(TARGET)/judging.md >docs/judging-table.md
