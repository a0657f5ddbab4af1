# Everything a checkout needs installs itself into target/ and .tools/, which git ignores.
#   make demo   real calls to the demo agent on a private LiveKit server, reported and judged
#   make test   formatting, lints, unit, property, snapshot and live tests
#   make soak   one call of ten minutes, watched for memory that grows
#   make bench-calls [N="10 50 100 200"] [REPEATS=3] [WINDOW=20] [LK=path]
#               CPU time and memory of a call, beside the bare cost of its packets and, with LK, the official tester
#   make conformance   the livekit crate's own end-to-end tests on the media engine
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .tools/venv/bin/python
AGENT := $(PYTHON) demo/agent.py

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

.PHONY: tools
tools: .tools/ready

# livekit-server and a Python environment with the agent framework; what is there is kept.
.tools/ready: demo/requirements.txt tools/server.sh demo/setup.sh
	@tools/server.sh >/dev/null
	@demo/setup.sh >/dev/null
	@touch $@

.PHONY: rust
rust:
	@command -v cargo >/dev/null || { echo "error: there is no cargo: install Rust 1.89 or newer (https://rustup.rs)"; exit 1; }
	@command -v cmake >/dev/null || { echo "error: there is no cmake, which builds the Opus codec: install cmake and a C compiler"; exit 1; }

.PHONY: demo
demo: rust tools
	cargo build --release
	cargo run --quiet --release -- run scenarios/greeting.yaml --dev --agent-command "$(AGENT)"

.PHONY: test
test: rust tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(PYTHON) -m unittest discover --start-directory demo
	cargo test --workspace --doc
	LOADCALL_REQUIRE_LIVE=1 cargo test --workspace --all-targets

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
	cargo build --release --package bench-calls
	target/release/bench-calls --calls $(subst $(space),$(comma),$(strip $(N))) --repeats $(REPEATS) --window $(WINDOW) $(if $(LK),--lk $(LK))

# About two minutes, after a build of five the first time.
.PHONY: conformance
conformance: rust tools
	tools/conformance.sh build
	tools/conformance.sh run

# Licences, sources and duplicate versions of the dependencies (deny.toml). Not part of `make test`:
# building the checker takes longer than everything else.
.PHONY: deny
deny: rust
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
	cargo deny --offline check bans licenses sources
