# SPDX-License-Identifier: LGPL-2.1-or-later
# Units, the journal's message catalog and an example of a configuration.

dist_systemdsystemunit_DATA = \
	systemd/answerd.socket \
	systemd/answerd.target \
	systemd/answerd@.socket
nodist_systemdsystemunit_DATA = \
	systemd/answerd.service \
	systemd/answerd@.service
dist_catalog_DATA = systemd/answerd.catalog

examplesdir = $(docdir)/examples
dist_examples_DATA = \
	examples/client.c \
	examples/client.py \
	examples/client.sh \
	examples/resend.py \
	systemd/answerd.conf

EXTRA_DIST += systemd/answerd.service.in
CLEANFILES += $(nodist_systemdsystemunit_DATA)

# The service and the template differ in one word.
unit_rule = $(AM_V_GEN)$(MKDIR_P) systemd && sed -e 's|[@]sbindir@|$(sbindir)|'
systemd/answerd.service: systemd/answerd.service.in Makefile
	$(unit_rule) -e 's|[@]of_instance@||; s|[@]instance@||; s|[@]wanted_by@|multi-user.target|' \
		$(srcdir)/systemd/answerd.service.in >$@.tmp && mv $@.tmp $@
systemd/answerd@.service: systemd/answerd.service.in Makefile
	$(unit_rule) -e 's|[@]of_instance@|, instance %i|; s|[@]instance@|@%i|; s|[@]wanted_by@|answerd.target|' \
		$(srcdir)/systemd/answerd.service.in >$@.tmp && mv $@.tmp $@

# journald reads a compiled index of all catalogs, one for the machine. An installation below DESTDIR or without write
# access does not update it: whoever installs the package does.
install-data-hook:
	@if [ -z "$(DESTDIR)" ] && journalctl --update-catalog 2>/dev/null; then :; \
	else echo 'Run "journalctl --update-catalog" as root, so that "journalctl -x" shows explanations.'; fi
uninstall-hook:
	@if [ -z "$(DESTDIR)" ]; then journalctl --update-catalog 2>/dev/null || :; fi
	@rmdir "$(DESTDIR)$(examplesdir)" "$(DESTDIR)$(docdir)" 2>/dev/null || :
