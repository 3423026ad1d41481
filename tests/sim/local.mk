# SPDX-License-Identifier: LGPL-2.1-or-later
# A model of the kernel that runs real workers, and the tests that keep it true.

check_LIBRARIES += tests/sim/libworld.a
tests_sim_libworld_a_SOURCES = \
	tests/sim/blank.c \
	tests/sim/blank.h \
	tests/sim/calls-data.c \
	tests/sim/calls-disk.c \
	tests/sim/calls-epoll.c \
	tests/sim/calls-file.c \
	tests/sim/calls-folder.c \
	tests/sim/calls-memory.c \
	tests/sim/calls-socket.c \
	tests/sim/calls-thread.c \
	tests/sim/calls.h \
	tests/sim/clock.c \
	tests/sim/clock.h \
	tests/sim/datagram.c \
	tests/sim/datagram.h \
	tests/sim/descriptors.c \
	tests/sim/descriptors.h \
	tests/sim/disk-file.c \
	tests/sim/disk-file.h \
	tests/sim/disk.c \
	tests/sim/disk.h \
	tests/sim/epoll.c \
	tests/sim/epoll.h \
	tests/sim/eventfd.c \
	tests/sim/eventfd.h \
	tests/sim/faults.c \
	tests/sim/faults.h \
	tests/sim/fiber.c \
	tests/sim/fiber.h \
	tests/sim/file.c \
	tests/sim/file.h \
	tests/sim/listening.c \
	tests/sim/listening.h \
	tests/sim/memfile.c \
	tests/sim/memfile.h \
	tests/sim/memory.c \
	tests/sim/memory.h \
	tests/sim/names.c \
	tests/sim/names.h \
	tests/sim/observer.h \
	tests/sim/own.c \
	tests/sim/own.h \
	tests/sim/ring.c \
	tests/sim/ring.h \
	tests/sim/sanitize.h \
	tests/sim/seed.c \
	tests/sim/seed.h \
	tests/sim/stream.c \
	tests/sim/stream.h \
	tests/sim/task.c \
	tests/sim/task.h \
	tests/sim/tcp.c \
	tests/sim/tcp.h \
	tests/sim/terminal.c \
	tests/sim/terminal.h \
	tests/sim/threads.h \
	tests/sim/trace.c \
	tests/sim/trace.h \
	tests/sim/unix.c \
	tests/sim/unix.h \
	tests/sim/world.c \
	tests/sim/world.h

# The linker options for the calls that the world answers, one per line.
sim_ldflags = $(AM_LDFLAGS) -Wl,@$(top_srcdir)/tests/sim/wrapped
EXTRA_DIST += tests/sim/wrapped

sim_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)
sim_libs = tests/sim/libworld.a tests/unit/librunner.a $(CHECK_LIBS)

tests_sim_test_conformance_SOURCES = \
	tests/sim/conformance-datagram.c \
	tests/sim/conformance-epoll.c \
	tests/sim/conformance-file.c \
	tests/sim/conformance-listening.c \
	tests/sim/conformance-stream.c \
	tests/sim/conformance.c \
	tests/sim/conformance.h
tests_sim_test_conformance_CFLAGS = $(sim_cflags)
tests_sim_test_conformance_LDFLAGS = $(sim_ldflags)
tests_sim_test_conformance_LDADD = $(sim_libs)

tests_sim_test_world_SOURCES = \
	tests/sim/echo.c \
	tests/sim/echo.h \
	tests/sim/test-world.c
tests_sim_test_world_CFLAGS = $(sim_cflags)
tests_sim_test_world_LDFLAGS = $(sim_ldflags)
tests_sim_test_world_LDADD = src/libnet.a src/libbase.a $(sim_libs) $(OPENSSL_LIBS)

tests_sim_test_world_faults_SOURCES = tests/sim/test-world-faults.c
tests_sim_test_world_faults_CFLAGS = $(sim_cflags)
tests_sim_test_world_faults_LDFLAGS = $(sim_ldflags)
tests_sim_test_world_faults_LDADD = $(sim_libs)

sim_tests =
sim_tests += tests/sim/test-conformance
sim_tests += tests/sim/test-world
sim_tests += tests/sim/test-world-faults

if HAVE_CHECK
check_PROGRAMS += $(sim_tests)
TESTS += $(sim_tests)
endif

TESTS += tests/sim/test_calls.py
EXTRA_DIST += tests/sim/test_calls.py

# TLS in the simulation. Only this includes OpenSSL's headers.
check_LIBRARIES += tests/sim/libtls.a
tests_sim_libtls_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_sim_libtls_a_SOURCES = tests/sim/tls/cipher.h
tests_sim_libtls_a_SOURCES += tests/sim/tls/tls.h
if HAVE_OPENSSL
tests_sim_libtls_a_SOURCES += tests/sim/tls/chance.c
tests_sim_libtls_a_SOURCES += tests/sim/tls/chance.h
tests_sim_libtls_a_SOURCES += tests/sim/tls/cipher.c
tests_sim_libtls_a_SOURCES += tests/sim/tls/keys.c
tests_sim_libtls_a_SOURCES += tests/sim/tls/keys.h
tests_sim_libtls_a_SOURCES += tests/sim/tls/seam.c
tests_sim_libtls_a_SOURCES += tests/sim/tls/seam.h
sim_tls_ldflags = -Wl,@$(top_srcdir)/tests/sim/wrapped-tls
else
tests_sim_libtls_a_SOURCES += tests/sim/tls/none.c
endif
EXTRA_DIST += tests/sim/wrapped-tls

# The simulation: real workers in the model.
check_PROGRAMS += tests/sim/simulate
tests_sim_simulate_SOURCES = \
	tests/sim/drive/book-tls.c \
	tests/sim/drive/book.c \
	tests/sim/drive/book.h \
	tests/sim/drive/client.c \
	tests/sim/drive/client.h \
	tests/sim/drive/clients.c \
	tests/sim/drive/clients.h \
	tests/sim/drive/conn-tls.c \
	tests/sim/drive/conn.c \
	tests/sim/drive/conn.h \
	tests/sim/drive/crowd.c \
	tests/sim/drive/crowd.h \
	tests/sim/drive/daemon-log.c \
	tests/sim/drive/daemon-log.h \
	tests/sim/drive/inspect-prefaces.c \
	tests/sim/drive/inspect.c \
	tests/sim/drive/inspect.h \
	tests/sim/drive/journal.c \
	tests/sim/drive/ledger.c \
	tests/sim/drive/ledger.h \
	tests/sim/drive/life.h \
	tests/sim/drive/logged.c \
	tests/sim/drive/logged.h \
	tests/sim/drive/operator.c \
	tests/sim/drive/others.h \
	tests/sim/drive/overdue.c \
	tests/sim/drive/overdue.h \
	tests/sim/drive/process.c \
	tests/sim/drive/process.h \
	tests/sim/drive/records.c \
	tests/sim/drive/run.c \
	tests/sim/drive/run.h \
	tests/sim/drive/setup.c \
	tests/sim/drive/setup.h \
	tests/sim/drive/shorten.c \
	tests/sim/drive/shorten.h \
	tests/sim/drive/states.c \
	tests/sim/simulate.c
tests_sim_simulate_LDFLAGS = $(sim_ldflags) $(sim_tls_ldflags)
tests_sim_simulate_LDADD = \
	tests/sim/libtls.a \
	src/libserve.a \
	src/librecord.a \
	src/liblog.a \
	src/libnet.a \
	src/libprotocol.a \
	src/libbase.a \
	tests/sim/libworld.a \
	$(OPENSSL_LIBS)

if HAVE_CHECK
TESTS += tests/sim/test_simulate.py
endif
EXTRA_DIST += \
	tests/sim/mutations/catalogue.py \
	tests/sim/mutations/run.py \
	tests/sim/seeds \
	tests/sim/test_simulate.py

.PHONY: mutations simulate

# Runs for as long as you like, with new seeds.
SECONDS = 60
simulate: tests/sim/simulate
	tests/sim/simulate --seconds=$(SECONDS) --from=$$(date +%s)000

# Applies each fault of the catalogue to a copy of the sources. The simulation must find it.
mutations: tests/sim/simulate
	top_srcdir='$(abs_top_srcdir)' CC='$(CC)' OPENSSL_LIBS='$(OPENSSL_LIBS)' LDFLAGS='$(AM_LDFLAGS) $(LDFLAGS)' \
	CFLAGS='$(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS)' \
	$(PYTHON) $(top_srcdir)/tests/sim/mutations/run.py
