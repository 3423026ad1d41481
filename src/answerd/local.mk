# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon: all but main() is in a library, so that tests can link it.

noinst_LIBRARIES += src/libanswerd.a
src_libanswerd_a_SOURCES =
src_libanswerd_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
src_libanswerd_a_SOURCES += src/answerd/config-key.c
src_libanswerd_a_SOURCES += src/answerd/config-key.h
src_libanswerd_a_SOURCES += src/answerd/config.c
src_libanswerd_a_SOURCES += src/answerd/config.h
src_libanswerd_a_SOURCES += src/answerd/settings.c
src_libanswerd_a_SOURCES += src/answerd/settings.h
src_libanswerd_a_SOURCES += src/answerd/suggest.c
src_libanswerd_a_SOURCES += src/answerd/suggest.h
