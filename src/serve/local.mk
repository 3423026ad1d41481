# SPDX-License-Identifier: LGPL-2.1-or-later
# Workers and all their parts.

noinst_LIBRARIES += src/libserve.a
src_libserve_a_SOURCES =
src_libserve_a_SOURCES += src/serve/acceptor.c
src_libserve_a_SOURCES += src/serve/acceptor.h
src_libserve_a_SOURCES += src/serve/address-limit.c
src_libserve_a_SOURCES += src/serve/address-limit.h
src_libserve_a_SOURCES += src/serve/budget.c
src_libserve_a_SOURCES += src/serve/budget.h
src_libserve_a_SOURCES += src/serve/connection.c
src_libserve_a_SOURCES += src/serve/connection.h
src_libserve_a_SOURCES += src/serve/context.c
src_libserve_a_SOURCES += src/serve/context.h
src_libserve_a_SOURCES += src/serve/conversation.c
src_libserve_a_SOURCES += src/serve/conversation.h
src_libserve_a_SOURCES += src/serve/counters.h
src_libserve_a_SOURCES += src/serve/crew.c
src_libserve_a_SOURCES += src/serve/crew.h
src_libserve_a_SOURCES += src/serve/input.c
src_libserve_a_SOURCES += src/serve/input.h
src_libserve_a_SOURCES += src/serve/output.c
src_libserve_a_SOURCES += src/serve/output.h
src_libserve_a_SOURCES += src/serve/recorder.c
src_libserve_a_SOURCES += src/serve/recorder.h
src_libserve_a_SOURCES += src/serve/settings.c
src_libserve_a_SOURCES += src/serve/settings.h
src_libserve_a_SOURCES += src/serve/shared.h
src_libserve_a_SOURCES += src/serve/slot.c
src_libserve_a_SOURCES += src/serve/slot.h
src_libserve_a_SOURCES += src/serve/turn.c
src_libserve_a_SOURCES += src/serve/turn.h
src_libserve_a_SOURCES += src/serve/worker.c
src_libserve_a_SOURCES += src/serve/worker.h
