# SPDX-License-Identifier: LGPL-2.1-or-later
# Framing, templates and the session of one connection: no system calls.

noinst_LIBRARIES += src/libprotocol.a
src_libprotocol_a_SOURCES =
