# SPDX-License-Identifier: LGPL-2.1-or-later

E2E_TESTS = \
	tests/e2e/test_answerd_activation.py \
	tests/e2e/test_answerd_busy.py \
	tests/e2e/test_answerd_broken_config.py \
	tests/e2e/test_answerd_crowd.py \
	tests/e2e/test_answerd_framings.py \
	tests/e2e/test_answerd_journal.py \
	tests/e2e/test_answerd_journal_faults.py \
	tests/e2e/test_answerd_limits.py \
	tests/e2e/test_answerd_log.py \
	tests/e2e/test_answerd_options.py \
	tests/e2e/test_answerd_peers.py \
	tests/e2e/test_answerd_proxy.py \
	tests/e2e/test_answerd_refusals.py \
	tests/e2e/test_answerd_reload.py \
	tests/e2e/test_answerd_stderr.py \
	tests/e2e/test_answerd_stop.py \
	tests/e2e/test_answerd_tls_config.py \
	tests/e2e/test_answerlog_export.py \
	tests/e2e/test_answerlog_follow.py \
	tests/e2e/test_answerlog_reads.py \
	tests/e2e/test_answerlog_show.py \
	tests/e2e/test_answerlog_verify.py \
	tests/e2e/test_ask.py \
	tests/e2e/test_ask_answerd.py \
	tests/e2e/test_ask_bench.py \
	tests/e2e/test_ask_bench_errors.py \
	tests/e2e/test_ask_bench_reports.py \
	tests/e2e/test_ask_bench_tls.py \
	tests/e2e/test_ask_pipe.py \
	tests/e2e/test_ask_prompt.py \
	tests/e2e/test_ask_refusals.py \
	tests/e2e/test_ask_retry.py \
	tests/e2e/test_ask_tls.py \
	tests/e2e/test_dev.py \
	tests/e2e/test_docs_manual.py \
	tests/e2e/test_docs_readme.py \
	tests/e2e/test_examples.py \
	tests/e2e/test_gone_peers.py \
	tests/e2e/test_held_replies.py \
	tests/e2e/test_last_messages.py \
	tests/e2e/test_mirror.py \
	tests/e2e/test_replies_apart.py \
	tests/e2e/test_senders_haproxy.py \
	tests/e2e/test_senders_rsyslog.py \
	tests/e2e/test_senders_tls.py \
	tests/e2e/test_senders_tools.py

TESTS += $(E2E_TESTS)
EXTRA_DIST += $(E2E_TESTS)
EXTRA_DIST += tests/e2e/asking.py
EXTRA_DIST += tests/e2e/bench_server.py
EXTRA_DIST += tests/e2e/benching.py
EXTRA_DIST += tests/e2e/logreading.py
EXTRA_DIST += tests/e2e/screen.py
EXTRA_DIST += tests/e2e/senders.py
