# SPDX-License-Identifier: LGPL-2.1-or-later
# What the packages of distributions are built with: those of Debian by `./dev deb`.

EXTRA_DIST += \
	packaging/arch/PKGBUILD \
	packaging/debian/answerd-clients.install \
	packaging/debian/answerd.docs \
	packaging/debian/answerd.install \
	packaging/debian/answerd.lintian-overrides \
	packaging/debian/answerd.postinst \
	packaging/debian/answerd.postrm \
	packaging/debian/answerd.prerm \
	packaging/debian/changelog \
	packaging/debian/control \
	packaging/debian/copyright \
	packaging/debian/rules \
	packaging/debian/source/format \
	packaging/rpm/answerd.spec
