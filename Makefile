# bench and test are all that a newcomer needs; each sets up what it uses below .venv and build*/.

PYTHON ?= python3
# Another Python beside the first: make test PYTHON=python3.12 VENV=build-3.12/venv BUILD=build-3.12/build
VENV ?= .venv
BUILD ?= build
WERROR ?= false
# What the benchmark compares with; any that cannot be installed is left out of the tables.
PEERS ?= numexpr numba opencv-python-headless jax torch==2.13.0
# Options of the benchmark, e.g. ARGS=--quick
ARGS ?=

BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
# Tests side by side, one process per CPU.
PYTEST := $(BIN)/python -m pytest -q -n auto --dist worksteal
# All but those of what neither an instruction set nor a sanitizer changes.
PLAIN_TESTS := benchmark benchmark_suites benchmark_verdicts documents guide memory_flat stubs
KERNEL_TESTS := $(PLAIN_TESTS:%=--ignore=tests/python/test_%.py)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find include src python tests/c examples/c -type f -not -path '*/__pycache__/*') \
	meson.build meson.options pyproject.toml
C_FILES := $(shell find include src python/_core tests/c examples/c -name '*.[ch]') src/ops.def
PY_FILES := python tests examples docs

.PHONY: bench test check check-address check-thread check-simd lint symbols size docs clean

bench: $(VENV)/forzium $(VENV)/peers
	$(BIN)/python -m tests.benchmark.benchmark_rust_python $(ARGS)

test: $(VENV)/forzium
	$(BIN)/meson test -C $(BUILD) --no-rebuild --print-errorlogs
	$(PYTEST)

# ---- slower checks ------------------------------------------------------------------------------------------

check: check-address check-thread check-simd

# The library, then the extension, under AddressSanitizer and UBSan. Python's own allocations are not its business.
check-address: $(VENV)/forzium
	$(call compile,$(BUILD)-address,address$(comma)undefined)
	$(call test,$(BUILD)-address)
	$(BIN)/meson install -C $(BUILD)-address --quiet --destdir stage --tags python-runtime
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	PYTHONMALLOC=malloc FORZIUM_SANITIZED=1 \
	PYTHONPATH="$$(dirname "$$(find "$(abspath $(BUILD)-address/stage)" -type d -name forzium_engine)")" \
	$(PYTEST) -p no:cacheprovider $(KERNEL_TESTS)

# Races do not depend on the instruction set, and are looked for slowly; but chains are interpreted on the lower ones.
check-thread: $(VENV)/forzium
	$(call compile,$(BUILD)-thread,thread,-Dpython=false)
	$(call test,$(BUILD)-thread,--suite library --suite examples --suite $$($(BIN)/python tests/instruction_sets.py highest))
	$(call test,$(BUILD)-thread,"expression*")

# The highest is what `make test` has run on.
check-simd: $(VENV)/forzium
	sets=$$($(BIN)/python tests/instruction_sets.py lower) && for simd in $$sets; do \
		echo "FORZIUM_SIMD=$$simd"; FORZIUM_SIMD=$$simd $(PYTEST) $(KERNEL_TESTS) || exit 1; done

lint: $(VENV)/forzium $(VENV)/lint
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)
	$(BIN)/ruff check $(PY_FILES)
	$(BIN)/ruff format --check $(PY_FILES)
	$(BIN)/python -m mypy

# Only fz_ names leave the library, only the module's own leaves the extension.
symbols: $(VENV)/forzium
	$(BIN)/python tests/symbols.py $(BUILD)

# A wheel stays below 1 MB.
size: $(VENV)/forzium
	rm -rf $(BUILD)/wheel
	$(PIP) wheel --no-deps --no-build-isolation -Cbuild-dir=$(BUILD) -Csetup-args=-Dtests=true \
		-Csetup-args=-Dwerror=$(WERROR) --wheel-dir $(BUILD)/wheel .
	find $(BUILD)/wheel -name '*.whl' -size -1000000c -printf 'wheel: %s bytes\n' | grep . || \
		{ ls -l $(BUILD)/wheel; exit 1; }

docs: $(VENV)/forzium
	$(PIP) install sphinx numpydoc
	$(BIN)/python -m sphinx -W -b html docs $(BUILD)/docs

# What VENV and BUILD named otherwise is theirs to remove who named it.
clean:
	rm -rf .venv build build-* metrics .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ---- set-up ---------------------------------------------------------------------------------------------------

comma := ,
compile = [ -f $(1)/build.ninja ] || $(BIN)/meson setup $(1) -Dwerror=$(WERROR) -Dbuildtype=debugoptimized \
	-Db_sanitize=$(2) -Db_lundef=false $(3) >/dev/null; \
	$(BIN)/meson compile -C $(1) >$(1)/compile.log || { cat $(1)/compile.log; exit 1; }
test = $(BIN)/meson test -C $(1) --no-rebuild --print-errorlogs --timeout-multiplier 5 $(2)

$(VENV)/tools:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=23.1"
	$(PIP) install "meson-python>=0.16" "meson>=1.4" ninja "numpy>=2.0"
	touch $@

$(VENV)/forzium: $(VENV)/tools $(SOURCES)
	$(PIP) install --no-build-isolation -Cbuild-dir=$(BUILD) -Csetup-args=-Dtests=true \
		-Csetup-args=-Dwerror=$(WERROR) ".[test]"
	touch $@

$(VENV)/peers: $(VENV)/forzium
	$(PIP) install matplotlib rich jinja2 scipy scikit-image
	for peer in $(PEERS); do $(PIP) install "$$peer" || echo "$$peer: not installed, left out"; done
	touch $@

$(VENV)/lint: $(VENV)/tools
	$(PIP) install "clang-format==23.1.5" "ruff==0.17.6" "mypy==2.4.1"
	touch $@
