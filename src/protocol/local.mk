# SPDX-License-Identifier: LGPL-2.1-or-later
# Framing, templates and the session of one connection: no system calls.

noinst_LIBRARIES += src/libprotocol.a
src_libprotocol_a_SOURCES =
src_libprotocol_a_SOURCES += src/protocol/frame.c
src_libprotocol_a_SOURCES += src/protocol/frame.h
src_libprotocol_a_SOURCES += src/protocol/opening.c
src_libprotocol_a_SOURCES += src/protocol/opening.h
src_libprotocol_a_SOURCES += src/protocol/proxy-header.c
src_libprotocol_a_SOURCES += src/protocol/proxy-header.h
src_libprotocol_a_SOURCES += src/protocol/session.c
src_libprotocol_a_SOURCES += src/protocol/session.h
src_libprotocol_a_SOURCES += src/protocol/template.c
src_libprotocol_a_SOURCES += src/protocol/template.h
