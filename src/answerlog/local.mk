# SPDX-License-Identifier: LGPL-2.1-or-later
# The reader of the record log: all but main() is in a library, so that tests can link it.

noinst_LIBRARIES += src/libanswerlog.a
src_libanswerlog_a_SOURCES =
src_libanswerlog_a_SOURCES += src/answerlog/follow.c
src_libanswerlog_a_SOURCES += src/answerlog/follow.h
src_libanswerlog_a_SOURCES += src/answerlog/gaps.c
src_libanswerlog_a_SOURCES += src/answerlog/gaps.h
src_libanswerlog_a_SOURCES += src/answerlog/options.c
src_libanswerlog_a_SOURCES += src/answerlog/options.h
src_libanswerlog_a_SOURCES += src/answerlog/print.c
src_libanswerlog_a_SOURCES += src/answerlog/print.h
src_libanswerlog_a_SOURCES += src/answerlog/print-export.c
src_libanswerlog_a_SOURCES += src/answerlog/print-export.h
src_libanswerlog_a_SOURCES += src/answerlog/print-json.c
src_libanswerlog_a_SOURCES += src/answerlog/print-json.h
src_libanswerlog_a_SOURCES += src/answerlog/select.c
src_libanswerlog_a_SOURCES += src/answerlog/select.h
src_libanswerlog_a_SOURCES += src/answerlog/show.c
src_libanswerlog_a_SOURCES += src/answerlog/show.h
src_libanswerlog_a_SOURCES += src/answerlog/status.h
src_libanswerlog_a_SOURCES += src/answerlog/vacuum.c
src_libanswerlog_a_SOURCES += src/answerlog/vacuum.h
src_libanswerlog_a_SOURCES += src/answerlog/verify.c
src_libanswerlog_a_SOURCES += src/answerlog/verify.h
src_libanswerlog_a_SOURCES += src/answerlog/when.c
src_libanswerlog_a_SOURCES += src/answerlog/when.h

bin_PROGRAMS += answerlog
answerlog_SOURCES = src/answerlog/main.c
answerlog_LDADD = $(answerlog_libs)
