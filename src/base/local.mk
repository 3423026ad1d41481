# SPDX-License-Identifier: LGPL-2.1-or-later
# The base of everything else; knows nothing of networks.

noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES =
src_libbase_a_SOURCES += src/base/format.h
src_libbase_a_SOURCES += src/base/macros.h
src_libbase_a_SOURCES += src/base/buffer.c
src_libbase_a_SOURCES += src/base/buffer.h
src_libbase_a_SOURCES += src/base/clock.h
src_libbase_a_SOURCES += src/base/command-line.c
src_libbase_a_SOURCES += src/base/command-line.h
src_libbase_a_SOURCES += src/base/crc32c.c
src_libbase_a_SOURCES += src/base/crc32c.h
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
src_libbase_a_SOURCES += src/base/suggest.c
src_libbase_a_SOURCES += src/base/suggest.h
src_libbase_a_SOURCES += src/base/timer.c
src_libbase_a_SOURCES += src/base/timer.h
src_libbase_a_SOURCES += src/base/version.c
src_libbase_a_SOURCES += src/base/version.h
src_libbase_a_SOURCES += src/base/wake.c
src_libbase_a_SOURCES += src/base/wake.h
nodist_src_libbase_a_SOURCES = src/base/revision.c

# The commit that is built: from this folder's repository, or from the file `revision` of a release archive. Every make
# checks it, and writes it only if it has changed.
src/base/revision.c: always
	@mkdir -p src/base
	@if [ -e $(top_srcdir)/.git ]; then revision=`git -C $(top_srcdir) rev-parse --short=12 HEAD 2>/dev/null`; \
	else revision=`cat $(top_srcdir)/revision 2>/dev/null`; fi; \
	printf '%s\n%s\n' '#include "base/version.h"' "const char version_revision[] = \"$$revision\";" >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: always
always:
CLEANFILES += src/base/revision.c
