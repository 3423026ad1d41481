# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each target is fuzz-NAME.c with seeds in corpus/NAME. "make check" feeds them to replay-NAME, with any compiler;
# --enable-fuzzers also builds fuzz-NAME, with libFuzzer, for "make fuzz". Its findings go into the corpus.

fuzz_targets =
replays =

fuzz_targets += tests/fuzz/fuzz-address
replays += tests/fuzz/replay-address
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz-address.c tests/fuzz/target.h
tests_fuzz_fuzz_address_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_address_LDADD = $(fuzz_libs)
tests_fuzz_replay_address_SOURCES = tests/fuzz/fuzz-address.c $(replay)
tests_fuzz_replay_address_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-config
replays += tests/fuzz/replay-config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz-config.c tests/fuzz/target.h
tests_fuzz_fuzz_config_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_config_LDADD = $(fuzz_libs)
tests_fuzz_replay_config_SOURCES = tests/fuzz/fuzz-config.c $(replay)
tests_fuzz_replay_config_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-entry
replays += tests/fuzz/replay-entry
tests_fuzz_fuzz_entry_SOURCES = tests/fuzz/fuzz-entry.c tests/fuzz/target.h $(decoder)
tests_fuzz_fuzz_entry_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_entry_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_entry_LDADD = $(fuzz_libs)
tests_fuzz_replay_entry_SOURCES = tests/fuzz/fuzz-entry.c $(replay) $(decoder)
tests_fuzz_replay_entry_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_replay_entry_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-frame
replays += tests/fuzz/replay-frame
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz-frame.c tests/fuzz/target.h
tests_fuzz_fuzz_frame_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_frame_LDADD = $(fuzz_libs)
tests_fuzz_replay_frame_SOURCES = tests/fuzz/fuzz-frame.c $(replay)
tests_fuzz_replay_frame_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-log
replays += tests/fuzz/replay-log
tests_fuzz_fuzz_log_SOURCES = tests/fuzz/fuzz-log.c tests/fuzz/target.h
tests_fuzz_fuzz_log_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_log_LDADD = $(fuzz_libs)
tests_fuzz_replay_log_SOURCES = tests/fuzz/fuzz-log.c $(replay)
tests_fuzz_replay_log_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-parse
replays += tests/fuzz/replay-parse
tests_fuzz_fuzz_parse_SOURCES = tests/fuzz/fuzz-parse.c tests/fuzz/target.h
tests_fuzz_fuzz_parse_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_parse_LDADD = $(fuzz_libs)
tests_fuzz_replay_parse_SOURCES = tests/fuzz/fuzz-parse.c $(replay)
tests_fuzz_replay_parse_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-proxy
replays += tests/fuzz/replay-proxy
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz-proxy.c tests/fuzz/target.h
tests_fuzz_fuzz_proxy_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_proxy_LDADD = $(fuzz_libs)
tests_fuzz_replay_proxy_SOURCES = tests/fuzz/fuzz-proxy.c $(replay)
tests_fuzz_replay_proxy_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-replies
replays += tests/fuzz/replay-replies
tests_fuzz_fuzz_replies_SOURCES = tests/fuzz/fuzz-replies.c tests/fuzz/target.h
tests_fuzz_fuzz_replies_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_replies_LDADD = $(fuzz_libs)
tests_fuzz_replay_replies_SOURCES = tests/fuzz/fuzz-replies.c $(replay)
tests_fuzz_replay_replies_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-session
replays += tests/fuzz/replay-session
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz-session.c tests/fuzz/target.h $(session_driver)
tests_fuzz_fuzz_session_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_session_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_session_LDADD = $(fuzz_libs)
tests_fuzz_replay_session_SOURCES = tests/fuzz/fuzz-session.c $(replay) $(session_driver)
tests_fuzz_replay_session_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_replay_session_LDADD = $(fuzz_libs)

fuzz_targets += tests/fuzz/fuzz-template
replays += tests/fuzz/replay-template
tests_fuzz_fuzz_template_SOURCES = tests/fuzz/fuzz-template.c tests/fuzz/target.h
tests_fuzz_fuzz_template_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_template_LDADD = $(fuzz_libs)
tests_fuzz_replay_template_SOURCES = tests/fuzz/fuzz-template.c $(replay)
tests_fuzz_replay_template_LDADD = $(fuzz_libs)

fuzz_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
fuzz_cflags = $(AM_CFLAGS) $(FUZZER_CFLAGS)
fuzz_libs = \
	src/libanswerd.a \
	src/libask.a \
	src/libserve.a \
	src/librecord.a \
	src/liblog.a \
	src/libprotocol.a \
	src/libnet.a \
	src/libbase.a \
	$(OPENSSL_LIBS) \
	$(SYSTEMD_LIBS) \
	$(LIBEDIT_LIBS) \
	$(JANSSON_LIBS)
session_driver = tests/unit/session-driver.c tests/unit/session-driver.h tests/unit/random.h
decoder = tests/unit/decoder.c tests/unit/decoder.h
replay = tests/fuzz/replay.c tests/fuzz/target.h

EXTRA_DIST += tests/fuzz/corpus
check_PROGRAMS += $(replays)
TESTS += $(replays)

.PHONY: fuzz clean-fuzz

mostlyclean-local: clean-fuzz
clean-fuzz:
	-rm -rf fuzz-build fuzz-found

FUZZ_SECONDS = 60

if ENABLE_FUZZERS
noinst_PROGRAMS += $(fuzz_targets)

# Runs every target for that long, from its seeds and the inputs that earlier runs in this build kept.
fuzz: $(fuzz_targets)
	@failed=; \
	for target in $(fuzz_targets); do \
		name=$${target##*fuzz-}; \
		found=fuzz-found/$$name; \
		corpus=$(top_srcdir)/tests/fuzz/corpus/$$name; \
		$(MKDIR_P) "$$found" && \
		echo "== $$name: $(FUZZ_SECONDS) s; what breaks it goes to $$corpus" && \
		"$$target" -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix="$$corpus/" "$$found" "$$corpus" || failed="$$failed $$name"; \
	done; \
	test -z "$$failed" || { echo "broken:$$failed"; exit 1; }
else
# libFuzzer and the sanitizers need a separate build. It is impossible if the source folder itself is configured: make
# would use the objects there.
fuzz:
	@test ! -f $(top_srcdir)/config.status || { \
		echo "make fuzz: the source folder itself is configured, so that it cannot be built in a second way:"; \
		echo "  make distclean; mkdir build; cd build; ../configure; make fuzz"; \
		exit 1; }
	@$(MKDIR_P) fuzz-build
	@test -f fuzz-build/Makefile || { cd fuzz-build && \
		$(abs_top_srcdir)/configure -q CC=clang CFLAGS='-O1 -g' --enable-sanitizers --enable-fuzzers; }
	@$(MAKE) -C fuzz-build fuzz FUZZ_SECONDS=$(FUZZ_SECONDS)
endif
