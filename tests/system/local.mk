# SPDX-License-Identifier: LGPL-2.1-or-later
# In a booted systemd, as root: `make check-system`. Catalog and units are looked at without one.

TESTS += \
	tests/system/test_catalog.py \
	tests/system/test_units.py

SYSTEM_TESTS =

EXTRA_DIST += \
	$(SYSTEM_TESTS) \
	tests/system/test_catalog.py \
	tests/system/test_units.py
