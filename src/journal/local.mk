# SPDX-License-Identifier: LGPL-2.1-or-later
# Encoding journal entries, and handing them over without ever blocking.

noinst_LIBRARIES += src/libjournal.a
src_libjournal_a_SOURCES =
