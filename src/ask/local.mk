# SPDX-License-Identifier: LGPL-2.1-or-later
# The client: all but main() is in a library, so that tests can link it.

noinst_LIBRARIES += src/libask.a
src_libask_a_SOURCES =
src_libask_a_CFLAGS = $(AM_CFLAGS) $(LIBEDIT_CFLAGS) $(JANSSON_CFLAGS)
