# SPDX-License-Identifier: LGPL-2.1-or-later
# Encoding journal entries, and handing them over without ever blocking.

noinst_LIBRARIES += src/libjournal.a
src_libjournal_a_SOURCES =
src_libjournal_a_SOURCES += src/journal/entry.c
src_libjournal_a_SOURCES += src/journal/entry.h
src_libjournal_a_SOURCES += src/journal/event.h
src_libjournal_a_SOURCES += src/journal/sink.c
src_libjournal_a_SOURCES += src/journal/sink.h
src_libjournal_a_SOURCES += src/journal/sink-journal.c
src_libjournal_a_SOURCES += src/journal/sink-stderr.c
src_libjournal_a_SOURCES += src/journal/stderr.c
src_libjournal_a_SOURCES += src/journal/stderr.h
