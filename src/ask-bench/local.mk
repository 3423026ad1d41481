# SPDX-License-Identifier: LGPL-2.1-or-later
# The load generator: all but main() is in a library, so that tests can link it.

bin_PROGRAMS += ask-bench
ask_bench_SOURCES = src/ask-bench/main.c
ask_bench_LDADD = $(ask_bench_libs)

noinst_LIBRARIES += src/libaskbench.a
src_libaskbench_a_SOURCES =
src_libaskbench_a_SOURCES += src/ask-bench/assertions.c
src_libaskbench_a_SOURCES += src/ask-bench/assertions.h
src_libaskbench_a_SOURCES += src/ask-bench/client.c
src_libaskbench_a_SOURCES += src/ask-bench/client.h
src_libaskbench_a_SOURCES += src/ask-bench/coordinator.c
src_libaskbench_a_SOURCES += src/ask-bench/coordinator.h
src_libaskbench_a_SOURCES += src/ask-bench/format.c
src_libaskbench_a_SOURCES += src/ask-bench/format.h
src_libaskbench_a_SOURCES += src/ask-bench/gather.c
src_libaskbench_a_SOURCES += src/ask-bench/gather.h
src_libaskbench_a_SOURCES += src/ask-bench/histogram.c
src_libaskbench_a_SOURCES += src/ask-bench/histogram.h
src_libaskbench_a_SOURCES += src/ask-bench/message.c
src_libaskbench_a_SOURCES += src/ask-bench/message.h
src_libaskbench_a_SOURCES += src/ask-bench/options.c
src_libaskbench_a_SOURCES += src/ask-bench/options.h
src_libaskbench_a_SOURCES += src/ask-bench/output.c
src_libaskbench_a_SOURCES += src/ask-bench/output.h
src_libaskbench_a_SOURCES += src/ask-bench/pacer.h
src_libaskbench_a_SOURCES += src/ask-bench/progress.c
src_libaskbench_a_SOURCES += src/ask-bench/progress.h
src_libaskbench_a_SOURCES += src/ask-bench/report-json.c
src_libaskbench_a_SOURCES += src/ask-bench/report-text.c
src_libaskbench_a_SOURCES += src/ask-bench/result.c
src_libaskbench_a_SOURCES += src/ask-bench/result.h
src_libaskbench_a_SOURCES += src/ask-bench/sources.c
src_libaskbench_a_SOURCES += src/ask-bench/sources.h
src_libaskbench_a_SOURCES += src/ask-bench/stats.c
src_libaskbench_a_SOURCES += src/ask-bench/stats.h
src_libaskbench_a_SOURCES += src/ask-bench/target.c
src_libaskbench_a_SOURCES += src/ask-bench/target.h
src_libaskbench_a_SOURCES += src/ask-bench/worker.c
src_libaskbench_a_SOURCES += src/ask-bench/worker.h
src_libaskbench_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
