# One profile everywhere: demo, test, bench and check share target/release, so nothing is compiled twice.
# `make demo`   the whole thing on bundled data        `make test`   all tests, against real servers
# `make bench`  speed, memory and accuracy             `make check`  format, lints, import rules, licences
# `make test-kubernetes`  the actuator against a real API server, built once from Debian's source, or that of KUBECONFIG
# `make notebooks`  runs and renders notebooks/, on bundled data and a real Prometheus
# `make soak`   storms over the core of acting, and mutations of its gate
#
# mold is used for linking where it is installed and never required. It wraps the build only: `mold -run` works by LD_PRELOAD, which must
# not reach the programs that tests start.

CARGO ?= cargo
MOLD := $(shell command -v mold >/dev/null 2>&1 && echo "mold -run")
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
FLAGS := --release --locked
# Where cargo puts what it builds.
BUILT := $(abspath $(or $(CARGO_TARGET_DIR),target))/release
# What the default build leaves out: of the models alone, so that nothing large is compiled twice.
OPTIONAL := --package portent-models --features prophet

.PHONY: demo test test-kubernetes soak bench check notebooks side-by-side test-packages fmt lint rules deny

demo:
	$(MOLD) $(CARGO) build $(FLAGS)
	$(CARGO) run --quiet $(FLAGS) -- demo $(ARGS)

# Doc tests first (nextest does not run them), so that the runner's summary stands last.
test: test-packages
	$(MOLD) $(CARGO) test $(FLAGS) --workspace --no-run
	$(MOLD) $(CARGO) test $(FLAGS) --workspace --doc
	$(MOLD) $(CARGO) test $(FLAGS) $(OPTIONAL) --lib forecast::
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run $(FLAGS) --workspace $(ARGS)
else
	$(CARGO) test $(FLAGS) --workspace --no-fail-fast --lib --bins --tests $(ARGS)
endif

# As many seeded storms over the core of acting as one likes (`make soak SEEDS=1000000`); one that breaks something is printed, and
# `PORTENT_SEED=n` replays it. Then every comparison of the gate is turned around, and a test must notice.
SEEDS ?= 200000
soak:
	PORTENT_SEEDS=$(SEEDS) $(CARGO) test $(FLAGS) --lib core::run::sim -- --nocapture
	scripts/mutate-gate

# A thousand CPU seconds the first time, which is why it is no part of `make test`; about a minute afterwards.
test-kubernetes:
	$(MOLD) $(CARGO) test $(FLAGS) --workspace --no-run
	CARGO="$(CARGO)" scripts/test-kubernetes

# What the tests need from the system; fails and names what is missing where it cannot install.
test-packages:
	scripts/install-test-packages

# The bench profile inherits release without a change: the same artifacts.
bench:
	$(MOLD) $(CARGO) bench --locked --workspace --bench '*' --no-run
	$(CARGO) bench --locked --workspace --bench '*' $(ARGS)
	$(MAKE) side-by-side

# Beside pandas, river and Prophet, in an environment of their own. What cannot be installed is said and left out.
side-by-side:
	$(MOLD) $(CARGO) build $(FLAGS)
	@test -x target/side-by-side/bin/python || python3 -m venv target/side-by-side
	@while read -r package; do target/side-by-side/bin/pip install --quiet "$$package" || echo "cannot be installed: $$package"; \
		done < benches/side_by_side/requirements.txt
	target/side-by-side/bin/python benches/side_by_side/side_by_side.py --portent $(BUILT)/portent

# Python 3.11 or newer with venv; the packages are pinned and installed into target/.
notebooks: test-packages
	$(MOLD) $(CARGO) build $(FLAGS)
	@test -x target/notebooks/bin/python || python3 -m venv target/notebooks
	target/notebooks/bin/pip install --quiet --requirement notebooks/requirements.txt
	PORTENT=$(BUILT)/portent target/notebooks/bin/python notebooks/run.py $(ARGS)

check: fmt lint rules deny

fmt:
	$(CARGO) fmt --all --check

# Not `cargo clippy`: that asks for every dependency once more as metadata, minutes of work. Clippy stands in for rustc on our own crates
# only, in a normal build, on the dependencies that are built already. Warnings are errors.
lint: export RUSTC_WORKSPACE_WRAPPER := clippy-driver
lint: export CLIPPY_ARGS := -Dwarnings
lint: export CARGO_PROFILE_RELEASE_OPT_LEVEL := 0
lint:
	$(MOLD) $(CARGO) build $(FLAGS) --workspace --all-targets
	$(MOLD) $(CARGO) build $(FLAGS) $(OPTIONAL) --all-targets

rules:
	$(MOLD) $(CARGO) test $(FLAGS) --test it tidy::

# The advisory database is a network clone and not part of this; deny.toml holds our dated exceptions for it.
deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install --locked cargo-deny (6 minutes on 2 cores)" >&2; exit 1; }
	$(CARGO) fetch --locked
	$(CARGO) deny --offline --locked check licenses bans sources
