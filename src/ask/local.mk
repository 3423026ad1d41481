# SPDX-License-Identifier: LGPL-2.1-or-later
# The client: all but main() is in a library, so that tests can link it.

noinst_LIBRARIES += src/libask.a
src_libask_a_SOURCES =
src_libask_a_SOURCES += src/ask/answer.h
src_libask_a_SOURCES += src/ask/attempt.c
src_libask_a_SOURCES += src/ask/attempt.h
src_libask_a_SOURCES += src/ask/editor.h
src_libask_a_SOURCES += src/ask/exchange.c
src_libask_a_SOURCES += src/ask/exchange.h
src_libask_a_SOURCES += src/ask/messages.c
src_libask_a_SOURCES += src/ask/modes.h
src_libask_a_SOURCES += src/ask/options.c
src_libask_a_SOURCES += src/ask/options.h
src_libask_a_SOURCES += src/ask/output.c
src_libask_a_SOURCES += src/ask/output.h
src_libask_a_SOURCES += src/ask/pending.c
src_libask_a_SOURCES += src/ask/pending.h
src_libask_a_SOURCES += src/ask/pipe.c
src_libask_a_SOURCES += src/ask/prompt.c
src_libask_a_SOURCES += src/ask/refusal.c
src_libask_a_SOURCES += src/ask/refusal.h
src_libask_a_SOURCES += src/ask/render.c
src_libask_a_SOURCES += src/ask/render.h
src_libask_a_SOURCES += src/ask/render-json.c
src_libask_a_SOURCES += src/ask/render-json.h
src_libask_a_SOURCES += src/ask/replies.c
src_libask_a_SOURCES += src/ask/replies.h
src_libask_a_SOURCES += src/ask/rtt.c
src_libask_a_SOURCES += src/ask/rtt.h
src_libask_a_SOURCES += src/ask/state.c
src_libask_a_SOURCES += src/ask/state.h
src_libask_a_SOURCES += src/ask/stream-open.c
src_libask_a_SOURCES += src/ask/stream.c
src_libask_a_SOURCES += src/ask/stream.h
if HAVE_LIBEDIT
src_libask_a_SOURCES += src/ask/editor-libedit.c
else
src_libask_a_SOURCES += src/ask/editor-plain.c
endif
src_libask_a_CFLAGS = $(AM_CFLAGS) $(LIBEDIT_CFLAGS) $(JANSSON_CFLAGS)

bin_PROGRAMS += ask
ask_SOURCES = src/ask/main.c
ask_LDADD = $(ask_libs)
