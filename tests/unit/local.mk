# SPDX-License-Identifier: LGPL-2.1-or-later
# One file of Check cases per module, each a separate program; runner.c has their main().

unit_tests =
unit_tests += tests/unit/test-acceptor
unit_tests += tests/unit/test-address
unit_tests += tests/unit/test-answerlog-select
unit_tests += tests/unit/test-answerlog-when
unit_tests += tests/unit/test-ask-options
unit_tests += tests/unit/test-ask-pending
unit_tests += tests/unit/test-ask-render
unit_tests += tests/unit/test-ask-replies
unit_tests += tests/unit/test-ask-rtt
unit_tests += tests/unit/test-batch
unit_tests += tests/unit/test-bench-assertions
unit_tests += tests/unit/test-bench-checktcp
unit_tests += tests/unit/test-bench-format
unit_tests += tests/unit/test-bench-message
unit_tests += tests/unit/test-bench-pacer
unit_tests += tests/unit/test-bench-sources
unit_tests += tests/unit/test-buffer
unit_tests += tests/unit/test-committer
unit_tests += tests/unit/test-config-key
unit_tests += tests/unit/test-connection
unit_tests += tests/unit/test-connection-deadlines
unit_tests += tests/unit/test-connection-ends
unit_tests += tests/unit/test-connection-mute
unit_tests += tests/unit/test-connection-resets
unit_tests += tests/unit/test-crew
unit_tests += tests/unit/test-entry
unit_tests += tests/unit/test-escape
unit_tests += tests/unit/test-event-log
unit_tests += tests/unit/test-expiry
unit_tests += tests/unit/test-format
unit_tests += tests/unit/test-frame
unit_tests += tests/unit/test-histogram
unit_tests += tests/unit/test-input
unit_tests += tests/unit/test-input-limits
unit_tests += tests/unit/test-journal-limit
unit_tests += tests/unit/test-link
unit_tests += tests/unit/test-log-crafted
unit_tests += tests/unit/test-log-damage
unit_tests += tests/unit/test-log-ends
unit_tests += tests/unit/test-log-faults
unit_tests += tests/unit/test-log-format
unit_tests += tests/unit/test-log-reader
unit_tests += tests/unit/test-log-recovery
unit_tests += tests/unit/test-log-room
unit_tests += tests/unit/test-loop
unit_tests += tests/unit/test-macros
unit_tests += tests/unit/test-memory
unit_tests += tests/unit/test-mirror
unit_tests += tests/unit/test-opening
unit_tests += tests/unit/test-output
unit_tests += tests/unit/test-output-memory
unit_tests += tests/unit/test-parse
unit_tests += tests/unit/test-peer
unit_tests += tests/unit/test-pool
unit_tests += tests/unit/test-preface
if HAVE_OPENSSL
unit_tests += tests/unit/test-handshake
unit_tests += tests/unit/test-tls-stream
endif
unit_tests += tests/unit/test-prefix
unit_tests += tests/unit/test-proxy-header
unit_tests += tests/unit/test-recorder
unit_tests += tests/unit/test-recorder-stops
unit_tests += tests/unit/test-session
unit_tests += tests/unit/test-session-feed
unit_tests += tests/unit/test-sink-journal
unit_tests += tests/unit/test-sink-stderr
unit_tests += tests/unit/test-slot
unit_tests += tests/unit/test-socket
unit_tests += tests/unit/test-status
unit_tests += tests/unit/test-system-calls
unit_tests += tests/unit/test-template
unit_tests += tests/unit/test-timer
if HAVE_OPENSSL
unit_tests += tests/unit/test-tls-client
unit_tests += tests/unit/test-tls-client-explain
unit_tests += tests/unit/test-tls-server
unit_tests += tests/unit/test-tls-server-clients
unit_tests += tests/unit/test-tls-tickets
endif
unit_tests += tests/unit/test-transport
unit_tests += tests/unit/test-waiting
unit_tests += tests/unit/test-worker

tests_unit_test_acceptor_SOURCES = tests/unit/test-acceptor.c
tests_unit_test_acceptor_SOURCES += $(stand)
tests_unit_test_acceptor_CFLAGS = $(unit_cflags)
tests_unit_test_acceptor_LDFLAGS = $(hooks_ldflags)
tests_unit_test_acceptor_LDADD = $(stand_libs)

tests_unit_test_address_SOURCES = tests/unit/test-address.c
tests_unit_test_address_CFLAGS = $(unit_cflags)
tests_unit_test_address_LDADD = $(unit_libs)

tests_unit_test_answerlog_select_SOURCES = tests/unit/test-answerlog-select.c
tests_unit_test_answerlog_select_CFLAGS = $(unit_cflags)
tests_unit_test_answerlog_select_LDADD = tests/unit/librunner.a $(answerlog_libs) $(CHECK_LIBS)

tests_unit_test_answerlog_when_SOURCES = tests/unit/test-answerlog-when.c
tests_unit_test_answerlog_when_CFLAGS = $(unit_cflags)
tests_unit_test_answerlog_when_LDADD = tests/unit/librunner.a $(answerlog_libs) $(CHECK_LIBS)

tests_unit_test_ask_options_SOURCES = tests/unit/test-ask-options.c
tests_unit_test_ask_options_CFLAGS = $(unit_cflags)
tests_unit_test_ask_options_LDADD = $(unit_libs)

tests_unit_test_ask_pending_SOURCES = tests/unit/test-ask-pending.c
tests_unit_test_ask_pending_CFLAGS = $(unit_cflags)
tests_unit_test_ask_pending_LDADD = $(unit_libs)

tests_unit_test_ask_render_SOURCES = tests/unit/test-ask-render.c
tests_unit_test_ask_render_CFLAGS = $(unit_cflags)
tests_unit_test_ask_render_LDADD = $(unit_libs)

tests_unit_test_ask_replies_SOURCES = tests/unit/test-ask-replies.c
tests_unit_test_ask_replies_CFLAGS = $(unit_cflags)
tests_unit_test_ask_replies_LDADD = $(unit_libs)

tests_unit_test_ask_rtt_SOURCES = tests/unit/test-ask-rtt.c
tests_unit_test_ask_rtt_CFLAGS = $(unit_cflags)
tests_unit_test_ask_rtt_LDADD = $(unit_libs)

tests_unit_test_batch_SOURCES = tests/unit/test-batch.c
tests_unit_test_batch_CFLAGS = $(unit_cflags)
tests_unit_test_batch_LDADD = $(unit_libs)

tests_unit_test_bench_assertions_SOURCES = tests/unit/test-bench-assertions.c
tests_unit_test_bench_assertions_CFLAGS = $(unit_cflags)
tests_unit_test_bench_assertions_LDADD = $(unit_libs)

tests_unit_test_bench_checktcp_SOURCES = tests/unit/test-bench-checktcp.c
tests_unit_test_bench_checktcp_CFLAGS = $(unit_cflags)
tests_unit_test_bench_checktcp_LDADD = $(unit_libs)

tests_unit_test_bench_format_SOURCES = tests/unit/test-bench-format.c
tests_unit_test_bench_format_CFLAGS = $(unit_cflags)
tests_unit_test_bench_format_LDADD = $(unit_libs)

tests_unit_test_bench_message_SOURCES = tests/unit/test-bench-message.c
tests_unit_test_bench_message_CFLAGS = $(unit_cflags)
tests_unit_test_bench_message_LDADD = $(unit_libs)

tests_unit_test_bench_pacer_SOURCES = tests/unit/test-bench-pacer.c
tests_unit_test_bench_pacer_CFLAGS = $(unit_cflags)
tests_unit_test_bench_pacer_LDADD = $(unit_libs)

tests_unit_test_bench_sources_SOURCES = tests/unit/test-bench-sources.c
tests_unit_test_bench_sources_CFLAGS = $(unit_cflags)
tests_unit_test_bench_sources_LDADD = $(unit_libs)

tests_unit_test_buffer_SOURCES = tests/unit/test-buffer.c
tests_unit_test_buffer_SOURCES += tests/unit/random.h
tests_unit_test_buffer_CFLAGS = $(unit_cflags)
tests_unit_test_buffer_LDADD = $(unit_libs)

tests_unit_test_config_key_SOURCES = tests/unit/test-config-key.c
tests_unit_test_config_key_CFLAGS = $(unit_cflags)
tests_unit_test_config_key_LDADD = $(unit_libs)

tests_unit_test_connection_SOURCES = tests/unit/test-connection.c
tests_unit_test_connection_SOURCES += $(stand)
tests_unit_test_connection_CFLAGS = $(unit_cflags)
tests_unit_test_connection_LDFLAGS = $(hooks_ldflags)
tests_unit_test_connection_LDADD = $(stand_libs)

tests_unit_test_connection_deadlines_SOURCES = tests/unit/test-connection-deadlines.c
tests_unit_test_connection_deadlines_SOURCES += $(stand)
tests_unit_test_connection_deadlines_CFLAGS = $(unit_cflags)
tests_unit_test_connection_deadlines_LDFLAGS = $(hooks_ldflags)
tests_unit_test_connection_deadlines_LDADD = $(stand_libs)

tests_unit_test_connection_ends_SOURCES = tests/unit/test-connection-ends.c
tests_unit_test_connection_ends_SOURCES += $(stand)
tests_unit_test_connection_ends_CFLAGS = $(unit_cflags)
tests_unit_test_connection_ends_LDFLAGS = $(hooks_ldflags)
tests_unit_test_connection_ends_LDADD = $(stand_libs)

tests_unit_test_connection_mute_SOURCES = tests/unit/test-connection-mute.c
tests_unit_test_connection_mute_SOURCES += $(stand)
tests_unit_test_connection_mute_CFLAGS = $(unit_cflags)
tests_unit_test_connection_mute_LDFLAGS = $(hooks_ldflags)
tests_unit_test_connection_mute_LDADD = $(stand_libs)

tests_unit_test_connection_resets_SOURCES = tests/unit/test-connection-resets.c
tests_unit_test_connection_resets_SOURCES += $(stand)
tests_unit_test_connection_resets_CFLAGS = $(unit_cflags)
tests_unit_test_connection_resets_LDFLAGS = $(hooks_ldflags)
tests_unit_test_connection_resets_LDADD = $(stand_libs)

tests_unit_test_crew_SOURCES = tests/unit/test-crew.c
tests_unit_test_crew_SOURCES += $(stand)
tests_unit_test_crew_CFLAGS = $(unit_cflags)
tests_unit_test_crew_LDFLAGS = $(hooks_ldflags)
tests_unit_test_crew_LDADD = $(stand_libs)

tests_unit_test_entry_SOURCES = tests/unit/test-entry.c
tests_unit_test_entry_SOURCES += tests/unit/decoder.c
tests_unit_test_entry_SOURCES += tests/unit/decoder.h
tests_unit_test_entry_SOURCES += tests/unit/random.h
tests_unit_test_entry_CFLAGS = $(unit_cflags)
tests_unit_test_entry_LDADD = $(unit_libs)

tests_unit_test_escape_SOURCES = tests/unit/test-escape.c
tests_unit_test_escape_SOURCES += tests/unit/random.h
tests_unit_test_escape_CFLAGS = $(unit_cflags)
tests_unit_test_escape_LDADD = $(unit_libs)

tests_unit_test_event_log_SOURCES = tests/unit/test-event-log.c
tests_unit_test_event_log_SOURCES += tests/unit/decoder.c
tests_unit_test_event_log_SOURCES += tests/unit/decoder.h
tests_unit_test_event_log_CFLAGS = $(unit_cflags)
tests_unit_test_event_log_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
tests_unit_test_event_log_LDADD = $(unit_libs)

tests_unit_test_expiry_SOURCES = tests/unit/test-expiry.c
tests_unit_test_expiry_CFLAGS = $(unit_cflags)
tests_unit_test_expiry_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=event_log,--wrap=tls_server_expires
tests_unit_test_expiry_LDADD = $(unit_libs)

tests_unit_test_format_SOURCES = tests/unit/test-format.c
tests_unit_test_format_SOURCES += tests/unit/random.h
tests_unit_test_format_CFLAGS = $(unit_cflags)
tests_unit_test_format_LDADD = $(unit_libs)

tests_unit_test_frame_SOURCES = tests/unit/test-frame.c
tests_unit_test_frame_SOURCES += tests/unit/random.h
tests_unit_test_frame_CFLAGS = $(unit_cflags)
tests_unit_test_frame_LDADD = $(unit_libs)

tests_unit_test_input_SOURCES = tests/unit/test-input.c
tests_unit_test_input_SOURCES += tests/unit/input-stand.c
tests_unit_test_input_SOURCES += tests/unit/input-stand.h
tests_unit_test_input_SOURCES += $(stand)
tests_unit_test_input_CFLAGS = $(unit_cflags)
tests_unit_test_input_LDFLAGS = $(hooks_ldflags)
tests_unit_test_input_LDADD = $(stand_libs)

tests_unit_test_input_limits_SOURCES = tests/unit/test-input-limits.c
tests_unit_test_input_limits_SOURCES += tests/unit/input-stand.c
tests_unit_test_input_limits_SOURCES += tests/unit/input-stand.h
tests_unit_test_input_limits_SOURCES += $(stand)
tests_unit_test_input_limits_CFLAGS = $(unit_cflags)
tests_unit_test_input_limits_LDFLAGS = $(hooks_ldflags)
tests_unit_test_input_limits_LDADD = $(stand_libs)

tests_unit_test_journal_limit_SOURCES = tests/unit/test-journal-limit.c
tests_unit_test_journal_limit_CFLAGS = $(unit_cflags)
tests_unit_test_journal_limit_LDADD = $(unit_libs)

tests_unit_test_link_SOURCES = tests/unit/test-link.c
tests_unit_test_link_CFLAGS = $(unit_cflags)
tests_unit_test_link_LDADD = $(unit_libs)
tests_unit_test_histogram_SOURCES = tests/unit/test-histogram.c
tests_unit_test_histogram_SOURCES += tests/unit/random.h
tests_unit_test_histogram_CFLAGS = $(unit_cflags)
tests_unit_test_histogram_LDADD = $(unit_libs)

tests_unit_test_log_crafted_SOURCES = tests/unit/test-log-crafted.c
tests_unit_test_log_crafted_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_crafted_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_crafted_SOURCES += tests/unit/random.h
tests_unit_test_log_crafted_CFLAGS = $(unit_cflags)
tests_unit_test_log_crafted_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=crc32c,--wrap=pread,--wrap=__pread_chk
tests_unit_test_log_crafted_LDADD = $(unit_libs)

tests_unit_test_log_damage_SOURCES = tests/unit/test-log-damage.c
tests_unit_test_log_damage_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_damage_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_damage_SOURCES += tests/unit/random.h
tests_unit_test_log_damage_CFLAGS = $(unit_cflags)
tests_unit_test_log_damage_LDADD = $(unit_libs)

tests_unit_test_committer_SOURCES = tests/unit/test-committer.c
tests_unit_test_committer_SOURCES += tests/unit/log-stand.c
tests_unit_test_committer_SOURCES += tests/unit/log-stand.h
tests_unit_test_committer_SOURCES += tests/unit/random.h
tests_unit_test_committer_CFLAGS = $(unit_cflags)
tests_unit_test_committer_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=clock_gettime,--wrap=fdatasync,--wrap=fsync,--wrap=pwritev
tests_unit_test_committer_LDADD = $(unit_libs)

tests_unit_test_log_ends_SOURCES = tests/unit/test-log-ends.c
tests_unit_test_log_ends_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_ends_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_ends_SOURCES += tests/unit/random.h
tests_unit_test_log_ends_CFLAGS = $(unit_cflags)
tests_unit_test_log_ends_LDADD = $(unit_libs)

tests_unit_test_log_faults_SOURCES = tests/unit/test-log-faults.c
tests_unit_test_log_faults_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_faults_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_faults_SOURCES += tests/unit/random.h
tests_unit_test_log_faults_CFLAGS = $(unit_cflags)
tests_unit_test_log_faults_LDFLAGS = -Wl,--wrap=pread,--wrap=__pread_chk,--wrap=pwrite,--wrap=fsync,--wrap=unlinkat,--wrap=renameat2
tests_unit_test_log_faults_LDADD = $(unit_libs)

tests_unit_test_log_format_SOURCES = tests/unit/test-log-format.c
tests_unit_test_log_format_SOURCES += tests/unit/random.h
tests_unit_test_log_format_CFLAGS = $(unit_cflags)
tests_unit_test_log_format_LDADD = $(unit_libs)

tests_unit_test_log_reader_SOURCES = tests/unit/test-log-reader.c
tests_unit_test_log_reader_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_reader_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_reader_SOURCES += tests/unit/random.h
tests_unit_test_log_reader_CFLAGS = $(unit_cflags)
tests_unit_test_log_reader_LDADD = $(unit_libs)

tests_unit_test_log_recovery_SOURCES = tests/unit/test-log-recovery.c
tests_unit_test_log_recovery_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_recovery_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_recovery_SOURCES += tests/unit/random.h
tests_unit_test_log_recovery_CFLAGS = $(unit_cflags)
tests_unit_test_log_recovery_LDADD = $(unit_libs)

tests_unit_test_log_room_SOURCES = tests/unit/test-log-room.c
tests_unit_test_log_room_SOURCES += tests/unit/log-stand.c
tests_unit_test_log_room_SOURCES += tests/unit/log-stand.h
tests_unit_test_log_room_SOURCES += tests/unit/random.h
tests_unit_test_log_room_CFLAGS = $(unit_cflags)
tests_unit_test_log_room_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=openat,--wrap=fallocate,--wrap=fdatasync,--wrap=pwritev
tests_unit_test_log_room_LDADD = $(unit_libs)

tests_unit_test_loop_SOURCES = tests/unit/test-loop.c
tests_unit_test_loop_CFLAGS = $(unit_cflags)
tests_unit_test_loop_LDADD = $(unit_libs)

tests_unit_test_mirror_SOURCES = tests/unit/test-mirror.c
tests_unit_test_mirror_SOURCES += tests/unit/decoder.c
tests_unit_test_mirror_SOURCES += tests/unit/decoder.h
tests_unit_test_mirror_SOURCES += tests/unit/log-stand.c
tests_unit_test_mirror_SOURCES += tests/unit/log-stand.h
tests_unit_test_mirror_SOURCES += tests/unit/random.h
tests_unit_test_mirror_CFLAGS = $(unit_cflags)
tests_unit_test_mirror_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=event_log
tests_unit_test_mirror_LDADD = $(unit_libs)

tests_unit_test_macros_SOURCES = tests/unit/test-macros.c
tests_unit_test_macros_CFLAGS = $(unit_cflags)
tests_unit_test_macros_LDADD = $(unit_libs)

tests_unit_test_memory_SOURCES = tests/unit/test-memory.c
tests_unit_test_memory_SOURCES += tests/unit/hooks.c
tests_unit_test_memory_SOURCES += tests/unit/hooks.h
tests_unit_test_memory_CFLAGS = $(unit_cflags)
tests_unit_test_memory_LDFLAGS = $(hooks_ldflags)
tests_unit_test_memory_LDADD = $(unit_libs)

tests_unit_test_opening_SOURCES = tests/unit/test-opening.c
tests_unit_test_opening_SOURCES += tests/unit/session-driver.c
tests_unit_test_opening_SOURCES += tests/unit/session-driver.h
tests_unit_test_opening_SOURCES += tests/unit/session-rules.h
tests_unit_test_opening_SOURCES += tests/unit/random.h
tests_unit_test_opening_CFLAGS = $(unit_cflags)
tests_unit_test_opening_LDADD = $(unit_libs)

tests_unit_test_output_SOURCES = tests/unit/test-output.c
tests_unit_test_output_SOURCES += tests/unit/output-stand.c
tests_unit_test_output_SOURCES += tests/unit/output-stand.h
tests_unit_test_output_SOURCES += $(stand)
tests_unit_test_output_CFLAGS = $(unit_cflags)
tests_unit_test_output_LDFLAGS = $(hooks_ldflags)
tests_unit_test_output_LDADD = $(stand_libs)

tests_unit_test_output_memory_SOURCES = tests/unit/test-output-memory.c
tests_unit_test_output_memory_SOURCES += tests/unit/output-stand.c
tests_unit_test_output_memory_SOURCES += tests/unit/output-stand.h
tests_unit_test_output_memory_SOURCES += $(stand)
tests_unit_test_output_memory_CFLAGS = $(unit_cflags)
tests_unit_test_output_memory_LDFLAGS = $(hooks_ldflags)
tests_unit_test_output_memory_LDADD = $(stand_libs)

tests_unit_test_parse_SOURCES = tests/unit/test-parse.c
tests_unit_test_parse_SOURCES += tests/unit/random.h
tests_unit_test_parse_CFLAGS = $(unit_cflags)
tests_unit_test_parse_LDADD = $(unit_libs)

tests_unit_test_peer_SOURCES = tests/unit/test-peer.c
tests_unit_test_peer_CFLAGS = $(unit_cflags)
tests_unit_test_peer_LDADD = $(unit_libs)

tests_unit_test_pool_SOURCES = tests/unit/test-pool.c
tests_unit_test_pool_SOURCES += tests/unit/random.h
tests_unit_test_pool_CFLAGS = $(unit_cflags)
tests_unit_test_pool_LDADD = $(unit_libs)

tests_unit_test_handshake_SOURCES = tests/unit/test-handshake.c
tests_unit_test_handshake_SOURCES += $(tls_stand)
tests_unit_test_handshake_SOURCES += $(stand)
tests_unit_test_handshake_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_handshake_LDFLAGS = $(hooks_ldflags)
tests_unit_test_handshake_LDADD = $(stand_libs)

tests_unit_test_tls_server_SOURCES = tests/unit/test-tls-server.c
tests_unit_test_tls_server_SOURCES += tests/unit/tls-served.c
tests_unit_test_tls_server_SOURCES += tests/unit/tls-served.h
tests_unit_test_tls_server_SOURCES += tests/unit/tls-wire.c
tests_unit_test_tls_server_SOURCES += tests/unit/tls-wire.h
tests_unit_test_tls_server_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_tls_server_LDADD = $(unit_libs)

tests_unit_test_tls_server_clients_SOURCES = tests/unit/test-tls-server-clients.c
tests_unit_test_tls_server_clients_SOURCES += tests/unit/tls-served.c
tests_unit_test_tls_server_clients_SOURCES += tests/unit/tls-served.h
tests_unit_test_tls_server_clients_SOURCES += tests/unit/tls-wire.c
tests_unit_test_tls_server_clients_SOURCES += tests/unit/tls-wire.h
tests_unit_test_tls_server_clients_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_tls_server_clients_LDADD = $(unit_libs)

tests_unit_test_tls_tickets_SOURCES = tests/unit/test-tls-tickets.c
tests_unit_test_tls_tickets_SOURCES += tests/unit/tls-served.c
tests_unit_test_tls_tickets_SOURCES += tests/unit/tls-served.h
tests_unit_test_tls_tickets_SOURCES += tests/unit/tls-wire.c
tests_unit_test_tls_tickets_SOURCES += tests/unit/tls-wire.h
tests_unit_test_tls_tickets_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_tls_tickets_LDADD = $(unit_libs)

tests_unit_test_tls_stream_SOURCES = tests/unit/test-tls-stream.c
tests_unit_test_tls_stream_SOURCES += $(tls_stand)
tests_unit_test_tls_stream_SOURCES += $(stand)
tests_unit_test_tls_stream_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_tls_stream_LDFLAGS = $(hooks_ldflags)
tests_unit_test_tls_stream_LDADD = $(stand_libs)

tests_unit_test_preface_SOURCES = tests/unit/test-preface.c
tests_unit_test_preface_SOURCES += $(stand)
tests_unit_test_preface_CFLAGS = $(unit_cflags)
tests_unit_test_preface_LDFLAGS = $(hooks_ldflags)
tests_unit_test_preface_LDADD = $(stand_libs)

tests_unit_test_prefix_SOURCES = tests/unit/test-prefix.c
tests_unit_test_prefix_CFLAGS = $(unit_cflags)
tests_unit_test_prefix_LDADD = $(unit_libs)

tests_unit_test_proxy_header_SOURCES = tests/unit/test-proxy-header.c
tests_unit_test_proxy_header_CFLAGS = $(unit_cflags)
tests_unit_test_proxy_header_LDADD = $(unit_libs)

tests_unit_test_recorder_SOURCES = tests/unit/test-recorder.c
tests_unit_test_recorder_SOURCES += tests/unit/recorder-stand.c
tests_unit_test_recorder_SOURCES += tests/unit/recorder-stand.h
tests_unit_test_recorder_SOURCES += $(stand)
tests_unit_test_recorder_CFLAGS = $(unit_cflags)
tests_unit_test_recorder_LDFLAGS = $(hooks_ldflags)
tests_unit_test_recorder_LDADD = $(stand_libs)

tests_unit_test_recorder_stops_SOURCES = tests/unit/test-recorder-stops.c
tests_unit_test_recorder_stops_SOURCES += tests/unit/recorder-stand.c
tests_unit_test_recorder_stops_SOURCES += tests/unit/recorder-stand.h
tests_unit_test_recorder_stops_SOURCES += $(stand)
tests_unit_test_recorder_stops_CFLAGS = $(unit_cflags)
tests_unit_test_recorder_stops_LDFLAGS = $(hooks_ldflags)
tests_unit_test_recorder_stops_LDADD = $(stand_libs)

tests_unit_test_session_SOURCES = tests/unit/test-session.c
tests_unit_test_session_SOURCES += tests/unit/session-driver.c
tests_unit_test_session_SOURCES += tests/unit/session-driver.h
tests_unit_test_session_SOURCES += tests/unit/session-rules.h
tests_unit_test_session_SOURCES += tests/unit/random.h
tests_unit_test_session_CFLAGS = $(unit_cflags)
tests_unit_test_session_LDADD = $(unit_libs)

tests_unit_test_session_feed_SOURCES = tests/unit/test-session-feed.c
tests_unit_test_session_feed_SOURCES += tests/unit/session-rules.h
tests_unit_test_session_feed_CFLAGS = $(unit_cflags)
tests_unit_test_session_feed_LDADD = $(unit_libs)

tests_unit_test_sink_journal_SOURCES = tests/unit/test-sink-journal.c
tests_unit_test_sink_journal_SOURCES += tests/unit/decoder.c
tests_unit_test_sink_journal_SOURCES += tests/unit/decoder.h
tests_unit_test_sink_journal_CFLAGS = $(unit_cflags)
tests_unit_test_sink_journal_LDADD = $(unit_libs)

tests_unit_test_sink_stderr_SOURCES = tests/unit/test-sink-stderr.c
tests_unit_test_sink_stderr_CFLAGS = $(unit_cflags)
tests_unit_test_sink_stderr_LDADD = $(unit_libs)

tests_unit_test_slot_SOURCES = tests/unit/test-slot.c
tests_unit_test_slot_CFLAGS = $(unit_cflags)
tests_unit_test_slot_LDADD = $(unit_libs)

tests_unit_test_socket_SOURCES = tests/unit/test-socket.c
tests_unit_test_socket_CFLAGS = $(unit_cflags)
tests_unit_test_socket_LDADD = $(unit_libs)

tests_unit_test_status_SOURCES = tests/unit/test-status.c
tests_unit_test_status_CFLAGS = $(unit_cflags)
tests_unit_test_status_LDADD = $(unit_libs)

tests_unit_test_system_calls_SOURCES = tests/unit/test-system-calls.c
tests_unit_test_system_calls_CFLAGS = $(unit_cflags)
tests_unit_test_system_calls_LDFLAGS = $(AM_LDFLAGS)
tests_unit_test_system_calls_LDFLAGS += -Wl,--wrap=bind,--wrap=epoll_create1,--wrap=epoll_pwait2,--wrap=epoll_wait,--wrap=fcntl,--wrap=getaddrinfo
tests_unit_test_system_calls_LDFLAGS += -Wl,--wrap=getsockopt,--wrap=listen,--wrap=memfd_create,--wrap=sendmmsg
tests_unit_test_system_calls_LDFLAGS += -Wl,--wrap=sendmsg,--wrap=setsockopt,--wrap=socket,--wrap=write
tests_unit_test_system_calls_LDADD = $(unit_libs)

tests_unit_test_template_SOURCES = tests/unit/test-template.c
tests_unit_test_template_CFLAGS = $(unit_cflags)
tests_unit_test_template_LDADD = $(unit_libs)

tests_unit_test_timer_SOURCES = tests/unit/test-timer.c
tests_unit_test_timer_SOURCES += tests/unit/random.h
tests_unit_test_timer_CFLAGS = $(unit_cflags)
tests_unit_test_timer_LDADD = $(unit_libs)

tests_unit_test_tls_client_SOURCES = tests/unit/test-tls-client.c
tests_unit_test_tls_client_SOURCES += tests/unit/tls-wire.c
tests_unit_test_tls_client_SOURCES += tests/unit/tls-wire.h
tests_unit_test_tls_client_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_tls_client_LDADD = $(unit_libs)

tests_unit_test_tls_client_explain_SOURCES = tests/unit/test-tls-client-explain.c
tests_unit_test_tls_client_explain_SOURCES += tests/unit/tls-wire.c
tests_unit_test_tls_client_explain_SOURCES += tests/unit/tls-wire.h
tests_unit_test_tls_client_explain_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_tls_client_explain_LDADD = $(unit_libs)

# Workers on a test stand.
stand = \
	tests/unit/alone.c \
	tests/unit/alone.h \
	tests/unit/hooks.c \
	tests/unit/hooks.h \
	tests/unit/sink-fake.c \
	tests/unit/sink-fake.h \
	tests/unit/stand.c \
	tests/unit/stand.h
tls_stand = \
	tests/unit/tls-peer.c \
	tests/unit/tls-peer.h \
	tests/unit/tls-stand.c \
	tests/unit/tls-stand.h
# Without the libraries of the other programs, which also have workers.
stand_libs = \
	tests/unit/librunner.a \
	src/libserve.a \
	src/librecord.a \
	src/liblog.a \
	src/libprotocol.a \
	src/libnet.a \
	src/libbase.a \
	$(OPENSSL_LIBS) \
	$(CHECK_LIBS)
hooks_ldflags = \
	$(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray \
	-Wl,--wrap=accept4,--wrap=clock_gettime,--wrap=epoll_ctl,--wrap=epoll_pwait2,--wrap=epoll_wait \
	-Wl,--wrap=event_log,--wrap=event_log_about

tests_unit_test_transport_SOURCES = tests/unit/test-transport.c
tests_unit_test_transport_SOURCES += $(stand)
tests_unit_test_transport_CFLAGS = $(unit_cflags)
tests_unit_test_transport_LDFLAGS = $(hooks_ldflags) -Wl,--wrap=syscall
tests_unit_test_transport_LDADD = $(stand_libs)

tests_unit_test_waiting_SOURCES = tests/unit/test-waiting.c
tests_unit_test_waiting_SOURCES += $(stand)
tests_unit_test_waiting_CFLAGS = $(unit_cflags)
tests_unit_test_waiting_LDFLAGS = $(hooks_ldflags)
tests_unit_test_waiting_LDADD = $(stand_libs)

tests_unit_test_worker_SOURCES = tests/unit/test-worker.c
tests_unit_test_worker_SOURCES += $(stand)
tests_unit_test_worker_CFLAGS = $(unit_cflags)
tests_unit_test_worker_LDFLAGS = $(hooks_ldflags)
tests_unit_test_worker_LDADD = $(stand_libs)

unit_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)
unit_libs = \
	tests/unit/librunner.a \
	src/libanswerd.a \
	src/libask.a \
	src/libaskbench.a \
	src/libserve.a \
	src/librecord.a \
	src/liblog.a \
	src/libprotocol.a \
	src/libnet.a \
	src/libbase.a \
	$(OPENSSL_LIBS) \
	$(SYSTEMD_LIBS) \
	$(LIBEDIT_LIBS) \
	$(JANSSON_LIBS) \
	$(CHECK_LIBS) \
	-lm

tests_unit_librunner_a_SOURCES = tests/unit/runner.c
tests_unit_librunner_a_SOURCES += tests/unit/runner.h
tests_unit_librunner_a_CFLAGS = $(unit_cflags)

if HAVE_CHECK
check_LIBRARIES += tests/unit/librunner.a
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
