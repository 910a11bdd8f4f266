# uio_workloop: `make` shows what there is.
# Everything is installed into .venv; the lab keeps its kernel in ~/.cache/uio_workloop.

PYTHON  ?= python3
PYTHONS ?= 3.11 3.12 3.13
VENV    := .venv
PY      := $(VENV)/bin/python
LAB     := $(PY) -m uio_workloop.testing.lab
SECONDS ?= 10
DEVICE  ?=
ONLY    ?=
KERNEL  ?=
CMD     ?= cat /proc/interrupts
APPLY   ?=
PREFIX  ?= /usr/local
DESTDIR ?=
INTERPRETER ?= $(abspath $(PY))
# With tests/qnx, so that one run shows the whole contract.
QNX_LAB := tests/lab/test_qnx.py
# With others, so that the two virtual machines have about as much to do.
BENCH_LAB := tests/lab/test_benchmarks.py
export CMD
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-host test-lab test-lab-devices test-lab-others test-all bench bench-lab lint lab lab-packages install-udev uninstall-udev clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed ## interrupts and a timer for SECONDS=10; DEVICE=/dev/uio0 (or 1234:11e8, gpiochip0:17): real ones
	@$(PY) -m uio_workloop demo --seconds $(SECONDS) $(DEVICE)

test: lab-packages test-host test-lab ## every test: on this machine, then in a virtual machine with real interrupts

test-host: $(VENV)/.benchmarks ## the tests of this machine alone, in two minutes; no virtual machine
	$(PY) -m pytest tests --ignore=tests/lab --ignore=tests/suspend --ignore=tests/systemd

test-lab: lab-packages ## the tests on real interrupts alone, in virtual machines
	@echo "two virtual machines at a time; what each has to say comes when it is done, after some minutes"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line test-lab-devices test-lab-others

test-lab-devices: lab-packages
	UIO_WORKLOOP_REQUIRE_LAB=1 $(LAB) --timeout 1800 -- $(PY) -m pytest -p no:cacheprovider tests/lab --ignore=$(QNX_LAB) --ignore=$(BENCH_LAB)

test-lab-others: lab-packages
	UIO_WORKLOOP_REQUIRE_LAB=1 $(LAB) --timeout 1800 -- $(PY) -m pytest -p no:cacheprovider tests/conformance
	UIO_WORKLOOP_REQUIRE_LAB=1 $(LAB) --timeout 900 -- $(PY) -m pytest -p no:cacheprovider tests/qnx $(QNX_LAB)
	UIO_WORKLOOP_REQUIRE_LAB=1 $(LAB) --timeout 900 -- $(PY) -m pytest -p no:cacheprovider tests/realtime $(BENCH_LAB)
	UIO_WORKLOOP_REQUIRE_LAB=1 $(PY) -m pytest tests/suspend
	UIO_WORKLOOP_REQUIRE_LAB=1 $(LAB) -- sh tests/systemd/with_systemd $(PY) -m pytest -p no:cacheprovider tests/systemd

test-all: ## the tests of this machine on each of PYTHONS that is at hand, and a line that says which those were
	@passed=; failed=; missing=; \
	for version in $(PYTHONS); do \
		if python$$version -c 'import ensurepip' 2>/dev/null; then choice=; \
		elif PYENV_VERSION=$$version python$$version -c 'import ensurepip' 2>/dev/null; then choice=PYENV_VERSION=$$version; \
		else missing="$$missing $$version"; continue; fi; \
		echo "Python $$version"; \
		if env $$choice $(MAKE) --no-print-directory test-host PYTHON=python$$version VENV=.venv-$$version; \
		then passed="$$passed $$version"; else failed="$$failed $$version"; fi; \
	done; \
	echo "passed on Python:$${passed:- none}; failed on:$${failed:- none}; not at hand:$${missing:- none}"; \
	[ -n "$$passed" ] && [ -z "$$failed" ]

bench: $(VENV)/.benchmarks ## what everything costs beside hand-written loops: benchmarks/RESULTS.md and plots; ONLY=name for one
	$(PY) -m benchmarks --keep $(ONLY)

bench-lab: lab-packages $(VENV)/.benchmarks ## the same with real interrupts, in the virtual machine; KERNEL=debian-rt for that one; ONLY=name
	$(PY) -m benchmarks.in_lab --keep $(if $(KERNEL),--kernel $(KERNEL)) $(ONLY)

lint: $(VENV)/.installed ## formatting, style, types, and that imports point down
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

lab: lab-packages ## run a command in the virtual machine: make lab CMD='cat /proc/interrupts'
	@$(PY) -m uio_workloop.testing.lab -- sh -c "$$CMD"

install-udev: $(VENV)/.installed ## show what gives drivers their devices without root, and starts them; APPLY=yes installs it
	@$(install_udev) install

uninstall-udev: $(VENV)/.installed ## show what install-udev has installed; APPLY=yes removes it
	@$(install_udev) uninstall

install_udev = $(PY) udev/install.py --prefix '$(PREFIX)' --destdir '$(DESTDIR)' --python '$(INTERPRETER)' $(if $(filter yes,$(APPLY)),--apply)

clean: ## remove what was built here
	rm -rf $(VENV) .venv-* build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# What the lab needs of Debian, and the tests of udev/ in it: root installs it, everybody else is told the line.
lab-packages: $(VENV)/.installed
	@missing=$$($(PY) -m uio_workloop.testing.lab.host) && \
	for package in systemd:systemd udev:systemd-udevd; do \
		[ -x /lib/systemd/$${package#*:} ] || missing="$$missing $${package%:*}"; \
	done; \
	$(call install,$$missing)

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys; assert sys.version_info >= (3, 11)' 2>/dev/null || { $(call install,python3 python3-venv); }
	@echo "installing uio_workloop and what it needs into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --editable '.[dev]'
	@touch $@

# What benchmarks are run against.
$(VENV)/.benchmarks: $(VENV)/.installed
	@$(PY) -m pip install --quiet --editable '.[bench]'
	@touch $@

# $(call install,PACKAGES): a shell command; nothing to do if PACKAGES is empty.
define install
packages="$(1)"; line="apt-get install --yes --no-install-recommends $$packages"; \
if [ -z "$$packages" ]; then :; \
elif [ "$$(id -u)" = 0 ]; then echo "$$line" && apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive $$line --quiet=2 >/dev/null; \
else echo "packages are missing; as root, run: $$line" >&2; exit 1; fi
endef
