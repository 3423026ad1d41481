# SPDX-License-Identifier: LGPL-2.1-or-later
# The record log's files: format, segments, writing, recovery. answerd writes them, answerlog reads them.

noinst_LIBRARIES += src/liblog.a
src_liblog_a_SOURCES =
src_liblog_a_SOURCES += src/log/bytes.h
src_liblog_a_SOURCES += src/log/file.c
src_liblog_a_SOURCES += src/log/file.h
src_liblog_a_SOURCES += src/log/format.c
src_liblog_a_SOURCES += src/log/format.h
src_liblog_a_SOURCES += src/log/index.c
src_liblog_a_SOURCES += src/log/index.h
src_liblog_a_SOURCES += src/log/reader.c
src_liblog_a_SOURCES += src/log/reader.h
src_liblog_a_SOURCES += src/log/recovery.c
src_liblog_a_SOURCES += src/log/recovery.h
src_liblog_a_SOURCES += src/log/segment.c
src_liblog_a_SOURCES += src/log/segment.h
src_liblog_a_SOURCES += src/log/store.c
src_liblog_a_SOURCES += src/log/store.h
src_liblog_a_SOURCES += src/log/writer.c
src_liblog_a_SOURCES += src/log/writer.h
