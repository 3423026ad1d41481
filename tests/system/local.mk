# SPDX-License-Identifier: LGPL-2.1-or-later
# `make check-system`, as root: the daemon in a booted systemd. Tests of catalog, units and installation need none.

TESTS += \
	tests/system/test_catalog.py \
	tests/system/test_install.py \
	tests/system/test_units.py

SYSTEM_TESTS = \
	tests/system/test_deployment.py \
	tests/system/test_journal.py \
	tests/system/test_lifecycle.py \
	tests/system/test_log.py \
	tests/system/test_memory.py \
	tests/system/test_package.py \
	tests/system/test_readme.py

EXTRA_DIST += \
	$(SYSTEM_TESTS) \
	tests/system/booted.py \
	tests/system/crowd.py \
	tests/system/debian.py \
	tests/system/test_catalog.py \
	tests/system/test_install.py \
	tests/system/test_units.py
