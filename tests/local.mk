# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every test speaks TAP. C programs do so themselves; a Python file holds unittest cases, which tests/lib/tap.py runs.

TEST_EXTENSIONS = .py

tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(tap_driver)
PY_LOG_DRIVER = $(tap_driver)
PY_LOG_COMPILER = $(PYTHON) $(top_srcdir)/tests/lib/tap.py

AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	ANSWERD='$(abs_top_builddir)/answerd'; export ANSWERD; \
	ASK='$(abs_top_builddir)/ask'; export ASK; \
	ASK_BENCH='$(abs_top_builddir)/ask-bench'; export ASK_BENCH; \
	ANSWERLOG='$(abs_top_builddir)/answerlog'; export ANSWERLOG; \
	ASAN_OPTIONS="allocator_may_return_null=1:$$ASAN_OPTIONS"; export ASAN_OPTIONS; \
	TSAN_OPTIONS="allocator_may_return_null=1:suppressions=$(abs_top_srcdir)/tests/tsan.suppressions:$$TSAN_OPTIONS"; export TSAN_OPTIONS; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

TESTS += tests/layers.py
EXTRA_DIST += tests/layers.py
EXTRA_DIST += tests/slowest.py
EXTRA_DIST += tests/tsan.suppressions

include tests/lib/local.mk
include tests/unit/local.mk
include tests/abuse/local.mk
include tests/e2e/local.mk
include tests/fuzz/local.mk
include tests/sim/local.mk
include tests/system/local.mk
include tests/bench/local.mk

.PHONY: analyze check-system coverage clean-coverage

# In the same harness but separate: each boots a system. They need root and are skipped otherwise.
check-system: all
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(SYSTEM_TESTS)'

EXTRA_DIST += .clang-tidy
EXTRA_DIST += tests/analyze.sh

# Findings of gcc's analyzer, clang-tidy and cppcheck in the sources.
analyze: config.h
	$(AM_V_at)$(top_srcdir)/tests/analyze.sh $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) \
		$(SYSTEMD_CFLAGS) $(LIBEDIT_CFLAGS) $(JANSSON_CFLAGS)

if ENABLE_COVERAGE
# The lines that the tests ran: a summary here, and pages in coverage/.
coverage: check
	$(AM_V_at)$(MKDIR_P) coverage
	$(AM_V_GEN)top=$$(cd $(top_srcdir) && pwd -P) && \
		$(GCOVR) --root="$$top" --filter="$$top/src/" --print-summary --html-details=coverage/index.html .
	@echo "coverage/index.html has it line by line."

clean-local: clean-coverage
clean-coverage:
	rm -rf coverage
	find . -name '*.gc[dn][ao]' -exec rm -f {} +
endif
