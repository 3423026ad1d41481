# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon: all but main() is in a library, so that tests can link it.

sbin_PROGRAMS += answerd
answerd_SOURCES = src/answerd/main.c
answerd_LDFLAGS = $(ANSWERD_LDFLAGS)
answerd_LDADD = $(answerd_libs)

noinst_LIBRARIES += src/libanswerd.a
src_libanswerd_a_SOURCES =
src_libanswerd_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
src_libanswerd_a_SOURCES += src/answerd/config-key.c
src_libanswerd_a_SOURCES += src/answerd/config-key.h
src_libanswerd_a_SOURCES += src/answerd/config-file.c
src_libanswerd_a_SOURCES += src/answerd/config-file.h
src_libanswerd_a_SOURCES += src/answerd/config-lines.c
src_libanswerd_a_SOURCES += src/answerd/config-lines.h
src_libanswerd_a_SOURCES += src/answerd/config-parts.c
src_libanswerd_a_SOURCES += src/answerd/config-parts.h
src_libanswerd_a_SOURCES += src/answerd/config-show.c
src_libanswerd_a_SOURCES += src/answerd/config-show.h
src_libanswerd_a_SOURCES += src/answerd/config.c
src_libanswerd_a_SOURCES += src/answerd/config.h
src_libanswerd_a_SOURCES += src/answerd/limits.c
src_libanswerd_a_SOURCES += src/answerd/limits.h
src_libanswerd_a_SOURCES += src/answerd/listener.c
src_libanswerd_a_SOURCES += src/answerd/listener.h
src_libanswerd_a_SOURCES += src/answerd/listeners.c
src_libanswerd_a_SOURCES += src/answerd/listeners.h
src_libanswerd_a_SOURCES += src/answerd/options.c
src_libanswerd_a_SOURCES += src/answerd/options.h
src_libanswerd_a_SOURCES += src/answerd/reload.c
src_libanswerd_a_SOURCES += src/answerd/reload.h
src_libanswerd_a_SOURCES += src/answerd/report.c
src_libanswerd_a_SOURCES += src/answerd/report.h
src_libanswerd_a_SOURCES += src/answerd/server.c
src_libanswerd_a_SOURCES += src/answerd/server.h
src_libanswerd_a_SOURCES += src/answerd/service.c
src_libanswerd_a_SOURCES += src/answerd/service.h
src_libanswerd_a_SOURCES += src/answerd/status.c
src_libanswerd_a_SOURCES += src/answerd/status.h
src_libanswerd_a_SOURCES += src/answerd/wanted.c
src_libanswerd_a_SOURCES += src/answerd/wanted.h
