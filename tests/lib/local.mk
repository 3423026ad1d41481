# SPDX-License-Identifier: LGPL-2.1-or-later

TESTS += tests/lib/test_fixtures.py
TESTS += tests/lib/test_packaging.py
TESTS += tests/lib/test_slowest.py

EXTRA_DIST += \
	tests/lib/activate.py \
	tests/lib/certificates.py \
	tests/lib/daemon.py \
	tests/lib/hang.py \
	tests/lib/journal_export.py \
	tests/lib/journal_socket.py \
	tests/lib/journald.py \
	tests/lib/load.py \
	tests/lib/net.py \
	tests/lib/nspawn.py \
	tests/lib/readme.py \
	tests/lib/record_log.py \
	tests/lib/tap.py \
	tests/lib/test_fixtures.py \
	tests/lib/test_packaging.py \
	tests/lib/test_slowest.py
