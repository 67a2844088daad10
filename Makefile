# What there is to run. One profile, one target directory, one locked set of dependencies, so that RocksDB is compiled
# once: docs/decisions/0002-one-profile.md.

export PATH := $(HOME)/.cargo/bin:$(HOME)/.cache/dedup/tools/bin:$(PATH)
export CARGO_TARGET_DIR ?= $(HOME)/.cache/dedup/target
PREFIX ?= /usr/local

# With ccache the C++ of RocksDB survives a lost target directory. A change of these two compiles it anew, so they are
# looked for when a recipe runs, after setup has installed what it installs.
CARGO = $(if $(shell command -v ccache 2>/dev/null),CC='ccache cc' CXX='ccache c++' )cargo

DEDUP := $(CARGO_TARGET_DIR)/release/dedup
CARGO_FLAGS := --release --locked

.PHONY: help setup build test windows-check lvm-check fuzz torture demo bench bench-gate bench-scale bench-link bench-peers bench-churn console-shots console-speed install

help:
	@echo 'make setup              install what build and tests need (Debian, Ubuntu), or say what is missing'
	@echo 'make build              build $(DEDUP)'
	@echo 'make demo [DIR=...]     back up a copy of DIR, change it, restore it as it was, compare, prune'
	@echo 'make test               everything that CI runs'
	@echo 'make windows-check      type-check for Windows (not part of make test: see CONTRIBUTING.md)'
	@echo 'make lvm-check          snapshots on LVM, in a virtual machine (not part of make test: see CONTRIBUTING.md)'
	@echo 'make fuzz               every fuzz target for FUZZ_SECONDS each (default 20)'
	@echo 'make torture            crashes, faults, orders and kills for TORTURE_HOURS (default 8); goes on where it was'
	@echo 'make bench              measure the stages'
	@echo 'make bench-gate         whether whole runs still take no longer beside their parts (part of make test)'
	@echo 'make bench-scale        how time and memory grow: docs/benchmarks/growth.md is written anew'
	@echo 'make bench-link         how much of a long, thin wire is used: docs/benchmarks/link.md is written anew'
	@echo 'make bench-peers        compare with restic, rustic, borg, bupstash, kopia; docs/benchmarks is written anew'
	@echo 'make bench-churn        what a month of edits leaves behind, compared with them: docs/benchmarks/churn.md is written anew'
	@echo 'make console-speed      measures the console in a browser: a folder of 100,000 files, 1,000 snapshots'
	@echo 'make console-shots      walk through the console in a browser; the pictures in docs/console are taken anew'
	@echo 'make install [PREFIX=]  copy the program to $(PREFIX)/bin'

setup:
	@scripts/setup.sh

build:
	@scripts/setup.sh build
	$(CARGO) build $(CARGO_FLAGS) --package dedup

demo: build
	@DEDUP='$(DEDUP)' scripts/demo.sh $(if $(DIR),'$(DIR)')

test: setup
	@scripts/servers.sh
	@scripts/deny.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	# With as many open files as most systems give.
	ulimit -Sn 1024 && $(CARGO) test $(CARGO_FLAGS) --workspace
	@FUZZ_SEED=1 $(CARGO:cargo=) scripts/fuzz.sh
	$(CARGO) run $(CARGO_FLAGS) --package dedup-benches --bin gate
	RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' $(CARGO) doc $(CARGO_FLAGS) --workspace --no-deps --document-private-items

windows-check:
	@scripts/windows-check.sh

lvm-check: setup
	@$(CARGO:cargo=) scripts/lvm.sh

fuzz: setup
	@$(CARGO:cargo=) scripts/fuzz.sh

torture: setup
	@$(CARGO:cargo=) scripts/torture.sh

bench: setup
	$(CARGO) bench --profile release --locked --package dedup-benches

bench-gate: setup
	$(CARGO) run $(CARGO_FLAGS) --package dedup-benches --bin gate

bench-scale: build
	$(CARGO) build $(CARGO_FLAGS) --package dedup-benches --bin scale
	DEDUP='$(DEDUP)' SCALE='$(CARGO_TARGET_DIR)/release/scale' benches/growth.py docs/benchmarks

# A quiet minute or two.
bench-link: build
	@scripts/servers.sh
	$(CARGO) build $(CARGO_FLAGS) --package dedup-tests --bin link
	DEDUP='$(DEDUP)' '$(CARGO_TARGET_DIR)/release/link' docs/benchmarks/link.md

# Half an hour and more; for a quiet machine. PEERS_ROUNDS, PEERS_WORKLOADS and PEERS_DATA change what is run.
PEERS_DATA ?= $(HOME)/.cache/dedup/bench
PEERS_ROUNDS ?= 3
PEERS_WORKLOADS ?= tree,few,image,noise

bench-peers: build
	benches/peers/install.sh
	DEDUP='$(DEDUP)' benches/peers/run.py --data '$(PEERS_DATA)' --rounds $(PEERS_ROUNDS) --workloads $(PEERS_WORKLOADS) --json '$(PEERS_DATA)/figures.json'
	benches/peers/report.py '$(PEERS_DATA)/figures.json' docs/benchmarks

bench-churn: build
	benches/peers/install.sh
	mkdir -p /dev/shm/dedup-churn
	DEDUP='$(DEDUP)' benches/churn.py --tools dedup,bupstash,restic,kopia,borg,rustic --work /dev/shm/dedup-churn --write docs/benchmarks
	rm -rf /dev/shm/dedup-churn

# Chromium from the system, Playwright and axe-core into the cache.
console-shots: build
	DEDUP='$(DEDUP)' scripts/console.sh

console-speed: build
	DEDUP='$(DEDUP)' scripts/console.sh speed

install: build
	install -D -s -m 755 '$(DEDUP)' '$(DESTDIR)$(PREFIX)/bin/dedup'
