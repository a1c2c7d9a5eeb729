# A thin front to CMake: `make help` lists the targets. One object folder per variant, build*/.
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
MODEL ?=
ARGS ?=

.DEFAULT_GOAL := all
.PHONY: all run test test-neon debug asan ubsan tsan fuzz coverage clang minimal bench layers loc lint install clean help

configure = cmake --preset $(1) >/dev/null
compile = cmake --build build$(1) -j $(JOBS) $(2)

all: ## build build/r1
	@$(call configure,release)
	@$(call compile,,--target r1)

run: ## set up, build, and chat with the small model of models/, or with MODEL=path
	@tools/install-deps.sh core
	@tools/install-deps.sh features
	@$(MAKE) --no-print-directory all
	@build/r1 chat $(ARGS) $(if $(MODEL),"$(MODEL)")

test: ## set up, build everything, run every test
	@tools/install-deps.sh core test
	@tools/install-deps.sh features
	@$(call configure,release)
	@$(call compile,)
	@tools/run_tests.sh build $(ARGS)

debug clang minimal: ## builds with assertions, with clang, without feature libraries
	@$(call configure,$@)
	@$(call compile,-$@)

asan ubsan tsan: ## the tests under a sanitizer
	@tools/install-deps.sh core test
	@$(call configure,$@)
	@$(call compile,-$@)
	@tools/run_tests.sh build-$@ $(ARGS)

test-neon: ## the op table cross-built for AArch64, its tests under qemu-user: the bytes of x86
	@tools/install-deps.sh neon
	@$(call configure,neon)
	@$(call compile,-neon)
	@tools/run_tests.sh build-neon $(ARGS)

fuzz: ## FUZZ_SECONDS=60: each parser under libFuzzer with ASan and UBSan (TARGETS=fuzz_gguf ... for some)
	@tools/install-deps.sh core test tools
	@$(call configure,fuzz)
	@$(call compile,-fuzz)
	@tools/fuzz.sh build-fuzz $(FUZZ_SECONDS) $(TARGETS)

coverage: ## line coverage of the tests, build-coverage/coverage.txt
	@tools/install-deps.sh core test tools
	@$(call configure,coverage)
	@$(call compile,-coverage)
	@find build-coverage -name '*.gcda' -delete
	@tools/run_tests.sh build-coverage $(ARGS)
	@gcovr -r . --object-directory build-coverage -f src/ -o build-coverage/coverage.txt
	@cat build-coverage/coverage.txt

bench: all ## MODEL=path: speed, load time and memory of a model
	@test -n "$(MODEL)" || { echo "usage: make bench MODEL=path"; exit 2; }
	@build/r1 bench $(ARGS) "$(MODEL)"

layers: ## no include climbs, names are unique, each library enters once
	@tools/check_layers.sh

loc: ## lines per room and the change against main
	@tools/loc.sh

lint: all ## static checks with whatever is installed
	@tools/lint.sh build

install: all ## PREFIX=/usr/local: program, library, headers, man pages
	@$(call compile,,--target r1_man)
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)"

clean: ## remove every object folder
	rm -rf build build-*

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile
