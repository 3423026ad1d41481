# SPDX-License-Identifier: LGPL-2.1-or-later
# What everything else stands on; knows nothing of networks.

noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES =
src_libbase_a_SOURCES += src/base/macros.h
