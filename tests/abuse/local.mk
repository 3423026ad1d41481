# SPDX-License-Identifier: LGPL-2.1-or-later
# Abuse of the daemon by peers, by the machine and by chance. `make check-long` runs tests that take minutes.

TESTS += \
	tests/abuse/test_accept.py \
	tests/abuse/test_allocations.py \
	tests/abuse/test_clock.py \
	tests/abuse/test_entries.py \
	tests/abuse/test_journal.py \
	tests/abuse/test_limits.py \
	tests/abuse/test_peers.py \
	tests/abuse/test_resolver.py \
	tests/abuse/test_stop.py \
	tests/abuse/test_timeouts.py \
	tests/abuse/test_tls.py \
	tests/abuse/test_tls_allocations.py \
	tests/abuse/test_tls_reload.py

LONG_TESTS = \
	tests/abuse/long_fairness.py \
	tests/abuse/long_journal.py \
	tests/abuse/long_syscalls.py \
	tests/abuse/long_tls.py \
	tests/abuse/soak.py

# Libraries to preload into a program, however it was built. So they ignore the flags of this build, which may ask for
# a sanitizer.
abuse_preloads = \
	tests/abuse/fail-allocation.so \
	tests/abuse/few-watches.so \
	tests/abuse/shift-clock.so \
	tests/abuse/slow-resolver.so
check_PROGRAMS += $(abuse_preloads)
abuse_preload_cflags = -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -fPIC

tests_abuse_fail_allocation_so_SOURCES = tests/abuse/fail-allocation.c
tests_abuse_fail_allocation_so_CFLAGS = $(abuse_preload_cflags)
tests_abuse_fail_allocation_so_LDFLAGS = -shared

tests_abuse_few_watches_so_SOURCES = tests/abuse/few-watches.c
tests_abuse_few_watches_so_CFLAGS = $(abuse_preload_cflags)
tests_abuse_few_watches_so_LDFLAGS = -shared

tests_abuse_shift_clock_so_SOURCES = tests/abuse/shift-clock.c
tests_abuse_shift_clock_so_CFLAGS = $(abuse_preload_cflags)
tests_abuse_shift_clock_so_LDFLAGS = -shared

tests_abuse_slow_resolver_so_SOURCES = tests/abuse/slow-resolver.c
tests_abuse_slow_resolver_so_CFLAGS = $(abuse_preload_cflags)
tests_abuse_slow_resolver_so_LDFLAGS = -shared

if HAVE_OPENSSL
abuse_peers = tests/abuse/tls-flood
check_PROGRAMS += $(abuse_peers)
tests_abuse_tls_flood_SOURCES = tests/abuse/tls-flood.c
tests_abuse_tls_flood_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_abuse_tls_flood_LDADD = $(OPENSSL_LIBS)
endif

EXTRA_DIST += \
	$(LONG_TESTS) \
	tests/abuse/fairness.py \
	tests/abuse/life.py \
	tests/abuse/secure.py \
	tests/abuse/test_accept.py \
	tests/abuse/test_allocations.py \
	tests/abuse/test_clock.py \
	tests/abuse/test_entries.py \
	tests/abuse/test_journal.py \
	tests/abuse/test_limits.py \
	tests/abuse/test_peers.py \
	tests/abuse/test_resolver.py \
	tests/abuse/test_stop.py \
	tests/abuse/test_timeouts.py \
	tests/abuse/test_tls.py \
	tests/abuse/test_tls_allocations.py \
	tests/abuse/test_tls_reload.py \
	tests/abuse/witness.py

.PHONY: check-long soak

# In the same harness but separate: they take minutes and measure time.
check-long: all $(abuse_preloads) $(abuse_peers)
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(LONG_TESTS)'

SOAK_SECONDS = 1800

# As in check-long, where it takes two minutes.
soak: all
	$(AM_V_at)SOAK_SECONDS='$(SOAK_SECONDS)' $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS=tests/abuse/soak.py
