# SPDX-License-Identifier: LGPL-2.1-or-later
# The load generator: all but main() is in a library, so that tests can link it.

noinst_LIBRARIES += src/libaskbench.a
src_libaskbench_a_SOURCES =
src_libaskbench_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
