# SPDX-License-Identifier: LGPL-2.1-or-later

TESTS += tests/e2e/test_held_replies.py
EXTRA_DIST += tests/e2e/test_held_replies.py
