# SPDX-License-Identifier: LGPL-2.1-or-later
# What peers, the machine and chance may do to the daemon. What takes minutes is run by `make check-long`.

TESTS += tests/abuse/test_accept.py

LONG_TESTS =

EXTRA_DIST += \
	$(LONG_TESTS) \
	tests/abuse/test_accept.py \
	tests/abuse/witness.py
