# The two commands that matter: `make run` and `make test`. Both set the machine up first (scripts/setup); neither needs
# anything but Swift, git and make to begin with. `make` alone lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup archives build run test test-llm lint check bench risk torture stage install uninstall clean

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man/man1
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

# debug builds faster; release runs faster.
CONFIG ?= release
# The folder of the toolchain's programs, for the shell to find.
TOOLCHAIN := $$(dirname "$$(readlink -f "$$(command -v swift)")")
# The Swift runtime goes into the binary: it starts in about half the time, and runs where no toolchain is installed.
# Its debug sections stay out (-S): 30 MB that nobody reads, while crash traces keep their names.
# Nothing looks its symbols up by name (dlsym), so none is exported: 43,000 of them would be searched at each start.
# libstdc++ and libgcc, which only that runtime uses, go into the binary too, where the archive of the first is found: 1,600
# symbols fewer to look up. No library is looked for beside the binary, which has none of its own, before the system's.
# Types such as Dictionary<String, Job> are made from what the compiler knows, and not from their names: for each name the
# runtime searches 10,000 conformances (docs/performance.md).
# Each function has a section of its own, so that the linker leaves out those that nothing calls.
RELEASE_FLAGS = --static-swift-stdlib --disable-local-rpath -Xlinker -S -Xlinker --no-export-dynamic \
	-Xswiftc -Xclang-linker -Xswiftc -static-libgcc -Xswiftc -L -Xswiftc "$(ARCHIVES)" \
	-Xswiftc -Xfrontend -Xswiftc -disable-concrete-type-metadata-mangled-name-accessors \
	-Xswiftc -Xfrontend -Xswiftc -function-sections $(if $(CAN_LINK_PACKED),$(PACKED_FLAGS))
# The toolchain's lld lays what a short command runs side by side, and packs the 131,000 relocations into 26 KB (RELR): together a tenth
# of such a command's time. Packed ones need glibc 2.36 where the binary runs, so they are made where that is.
STARTUP_SYMBOLS := $(CURDIR)/scripts/startup-symbols.txt
PACKED_FLAGS = -Xswiftc -use-ld=lld -Xlinker -z -Xlinker pack-relative-relocs \
	-Xlinker --symbol-ordering-file -Xlinker "$(STARTUP_SYMBOLS)" -Xlinker --no-warn-symbol-ordering
CAN_LINK_PACKED := $(shell test -x "$(TOOLCHAIN)/ld.lld" && \
	printf 'glibc 2.36\n%s\n' "$$(getconf GNU_LIBC_VERSION)" | sort -VC && echo yes)
# Holds a link to that archive, and no library that could be chosen in its place.
ARCHIVES := $(CURDIR)/.build/archives
BUILD_FLAGS = --configuration $(CONFIG) $(if $(filter release,$(CONFIG)),$(RELEASE_FLAGS))
BINARY = .build/$(CONFIG)/flowspool
# What `make run` adds to `flowspool watch --spool spool`, such as RUN_FLAGS='--profile poc --jobs 2'.
RUN_FLAGS ?=
# Flags of `swift test` for `make test`, such as TEST_FLAGS='--filter Watcher'.
TEST_FLAGS ?=
# Labelled blocks for `make risk`, one JSON object a line: id, block, expect, why.
RISK ?= ../shared/risk/dev.jsonl
# What `make bench` adds to Benchmarks/bench.py, such as BENCH_FLAGS='--quick --only drain'.
BENCH_FLAGS ?=

# The names that the binary answers to, beside its own (docs/getting-started.md).
NAMES := prompt-preflight prompt-exec prompt-pipeline prompt-flow-profile
STAGE := .build/stage

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-18s%s\n", $$1, $$2 }'

setup: ## install the Debian packages that building needs
	@scripts/setup build

build: setup archives ## build the binary (CONFIG=release or debug)
	swift build $(BUILD_FLAGS) --product flowspool

archives:
	@mkdir -p "$(ARCHIVES)"
	@bin=$(TOOLCHAIN); archive=$$(PATH="$$bin:$$PATH" clang -print-file-name=libstdc++.a || true); \
	if [ -f "$$archive" ]; then ln -sf "$$archive" "$(ARCHIVES)/"; fi

run: build ## set up, build, and watch spool/ in the foreground
	@$(BINARY) init spool >/dev/null
	@printf 'Drop prompts into %s\n' "$(CURDIR)/spool" >&2
	@printf 'Look from another terminal: %s/%s status   Stop: Ctrl-C\n' "$(CURDIR)" "$(BINARY)" >&2
	@exec $(BINARY) watch --spool spool $(RUN_FLAGS)

test: ## set up, then run every test
	@scripts/setup test
	swift build --build-tests
	scripts/run-tests $(TEST_FLAGS)
	Tests/Torture/run --quick

test-llm: ## test with a real model (sets it up once, outside of this folder)
	@scripts/setup test
	scripts/test-llm

lint: ## check the format of the Swift code, and the shell scripts
	swift format lint --strict --recursive --parallel Package.swift Sources Tests
	shellcheck scripts/setup scripts/run-tests scripts/startup-symbols scripts/test-llm .ci/run

bench: build ## measure beside the peers and the machine's limit
	@scripts/setup build bench
	python3 Benchmarks/bench.py $(BENCH_FLAGS)

risk: CONFIG := debug
risk: build ## measure preflight's warnings on a labelled file (RISK=FILE)
	@scripts/setup test
	scripts/risk-report $(BINARY) "$(RISK)"

# TORTURE_FLAGS='--seed N --only PART' repeats a part that failed; '--jobs N' says how many run at a time.
torture: build ## crash, power-loss, fault, load and fuzz proofs; 90 minutes on two cores
	@scripts/setup test
	swift build --build-tests
	fuzzer=$$(Tests/Fuzz/run --build); Tests/Torture/run --binary $(BINARY) --in-process --fuzzer "$$fuzzer" $(TORTURE_FLAGS)

# Everything that `install` copies, made without root.
stage: CONFIG := release
stage: build
	rm -rf $(STAGE) && mkdir -p $(STAGE)
	cp $(BINARY) $(STAGE)/flowspool
	for shell in bash zsh fish; do $(STAGE)/flowspool --generate-completion-script $$shell > $(STAGE)/flowspool.$$shell; done
	swift build $(BUILD_FLAGS) --product generate-manual
	mkdir $(STAGE)/man && .build/$(CONFIG)/generate-manual --multi-page -o $(STAGE)/man $(STAGE)/flowspool
	for name in $(NAMES); do printf '.so man1/flowspool.%s.1\n' "$$(sed 's/^prompt-flow-//; s/^prompt-//' <<< $$name)" > $(STAGE)/man/$$name.1; done

install: ## install the binary, its names, completions and manuals (PREFIX, DESTDIR)
	@if command -v swift >/dev/null; then $(MAKE) --no-print-directory stage; fi
	@test -x $(STAGE)/flowspool || { echo "make install: run 'make stage' first, as a user who has swift in PATH" >&2; exit 1; }
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(MANDIR)" "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)"
	install -m 755 $(STAGE)/flowspool "$(DESTDIR)$(BINDIR)/flowspool"
	for name in $(NAMES); do ln -sf flowspool "$(DESTDIR)$(BINDIR)/$$name"; done
	install -m 644 $(STAGE)/man/*.1 "$(DESTDIR)$(MANDIR)/"
	install -m 644 $(STAGE)/flowspool.bash "$(DESTDIR)$(BASHDIR)/flowspool"
	install -m 644 $(STAGE)/flowspool.zsh "$(DESTDIR)$(ZSHDIR)/_flowspool"
	install -m 644 $(STAGE)/flowspool.fish "$(DESTDIR)$(FISHDIR)/flowspool.fish"

uninstall: ## take away what install put in place
	rm -f "$(DESTDIR)$(BINDIR)/flowspool" $(foreach name,$(NAMES),"$(DESTDIR)$(BINDIR)/$(name)" "$(DESTDIR)$(MANDIR)/$(name).1")
	rm -f "$(DESTDIR)$(MANDIR)"/flowspool.1 "$(DESTDIR)$(MANDIR)"/flowspool.*.1
	rm -f "$(DESTDIR)$(BASHDIR)/flowspool" "$(DESTDIR)$(ZSHDIR)/_flowspool" "$(DESTDIR)$(FISHDIR)/flowspool.fish"

clean: ## remove what was built; spool/ is left alone
	swift package clean
	rm -rf $(STAGE) Benchmarks/build
