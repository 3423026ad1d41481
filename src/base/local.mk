# SPDX-License-Identifier: LGPL-2.1-or-later
# What everything else stands on; knows nothing of networks.

noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES =
src_libbase_a_SOURCES += src/base/format.h
src_libbase_a_SOURCES += src/base/macros.h
src_libbase_a_SOURCES += src/base/buffer.c
src_libbase_a_SOURCES += src/base/buffer.h
src_libbase_a_SOURCES += src/base/clock.h
src_libbase_a_SOURCES += src/base/descriptors.c
src_libbase_a_SOURCES += src/base/descriptors.h
src_libbase_a_SOURCES += src/base/escape.c
src_libbase_a_SOURCES += src/base/escape.h
src_libbase_a_SOURCES += src/base/histogram.c
src_libbase_a_SOURCES += src/base/histogram.h
src_libbase_a_SOURCES += src/base/link.h
src_libbase_a_SOURCES += src/base/parse.c
src_libbase_a_SOURCES += src/base/parse.h
src_libbase_a_SOURCES += src/base/pool.c
src_libbase_a_SOURCES += src/base/pool.h
src_libbase_a_SOURCES += src/base/print.c
src_libbase_a_SOURCES += src/base/print.h
src_libbase_a_SOURCES += src/base/record.h
src_libbase_a_SOURCES += src/base/timer.c
src_libbase_a_SOURCES += src/base/timer.h
