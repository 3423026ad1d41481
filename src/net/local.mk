# SPDX-License-Identifier: LGPL-2.1-or-later
# Addresses, the event loop, socket helpers.

noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES =
