# SPDX-License-Identifier: LGPL-2.1-or-later
# Where records go: entries, sinks that never block, and the daemon's own events.

noinst_LIBRARIES += src/librecord.a
src_librecord_a_SOURCES =
src_librecord_a_SOURCES += src/record/batch.c
src_librecord_a_SOURCES += src/record/batch.h
src_librecord_a_SOURCES += src/record/committer.c
src_librecord_a_SOURCES += src/record/committer.h
src_librecord_a_SOURCES += src/record/display.c
src_librecord_a_SOURCES += src/record/display.h
src_librecord_a_SOURCES += src/record/entry.c
src_librecord_a_SOURCES += src/record/entry.h
src_librecord_a_SOURCES += src/record/event-log.c
src_librecord_a_SOURCES += src/record/event-log.h
src_librecord_a_SOURCES += src/record/event.h
src_librecord_a_SOURCES += src/record/log-service.c
src_librecord_a_SOURCES += src/record/log-service.h
src_librecord_a_SOURCES += src/record/mirror-cursor.c
src_librecord_a_SOURCES += src/record/mirror-cursor.h
src_librecord_a_SOURCES += src/record/mirror.c
src_librecord_a_SOURCES += src/record/mirror.h
src_librecord_a_SOURCES += src/record/sink-journal.c
src_librecord_a_SOURCES += src/record/sink-log.c
src_librecord_a_SOURCES += src/record/sink-stderr.c
src_librecord_a_SOURCES += src/record/sink.c
src_librecord_a_SOURCES += src/record/sink.h
src_librecord_a_SOURCES += src/record/stderr.c
src_librecord_a_SOURCES += src/record/stderr.h
