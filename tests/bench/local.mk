# SPDX-License-Identifier: LGPL-2.1-or-later
# Comparisons with other servers. They take minutes, so "make check" only checks that they work.

bench_tools =
bench_tools += tests/bench/floor
bench_tools += tests/bench/flood
check_PROGRAMS += $(bench_tools)

tests_bench_floor_SOURCES = tests/bench/floor.c

if HAVE_OPENSSL
bench_tools += tests/bench/floor-tls
tests_bench_floor_tls_SOURCES = tests/bench/floor-tls.c
tests_bench_floor_tls_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_bench_floor_tls_LDADD = $(OPENSSL_LIBS)
endif

tests_bench_flood_SOURCES = tests/bench/flood.c

EXTRA_DIST += tests/bench/bench.py
EXTRA_DIST += tests/bench/durable.py
EXTRA_DIST += tests/bench/measure.py
EXTRA_DIST += tests/bench/million
EXTRA_DIST += tests/bench/peers/asyncio-lines.py
EXTRA_DIST += tests/bench/peers/node-echo.js
EXTRA_DIST += tests/bench/servers.py
EXTRA_DIST += tests/bench/table.py
EXTRA_DIST += tests/bench/test_bench.py
EXTRA_DIST += tests/bench/tls.py
EXTRA_DIST += tests/bench/turns.py
TESTS += tests/bench/test_bench.py

.PHONY: bench

# BENCHFLAGS are options of bench.py, such as --only=floor,answerd.
bench: all $(bench_tools)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(PYTHON) $(top_srcdir)/tests/bench/bench.py $(BENCHFLAGS)
