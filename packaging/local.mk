# SPDX-License-Identifier: LGPL-2.1-or-later
# What `./dev deb` builds the Debian package with.

EXTRA_DIST += \
	packaging/debian/answerd-clients.install \
	packaging/debian/answerd.docs \
	packaging/debian/answerd.install \
	packaging/debian/answerd.lintian-overrides \
	packaging/debian/answerd.postinst \
	packaging/debian/answerd.prerm \
	packaging/debian/changelog \
	packaging/debian/control \
	packaging/debian/copyright \
	packaging/debian/rules \
	packaging/debian/source/format
