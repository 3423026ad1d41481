# SPDX-License-Identifier: LGPL-2.1-or-later
# Folders above include and link folders below, never the other way: base, then protocol, net and log, record, serve, then programs.

include src/base/local.mk
include src/protocol/local.mk
include src/net/local.mk
include src/log/local.mk
include src/record/local.mk
include src/serve/local.mk
include src/answerd/local.mk
include src/answerlog/local.mk
include src/ask/local.mk
include src/ask-bench/local.mk

# In the order that the linker wants: each before what it uses.
answerd_libs = \
	src/libanswerd.a \
	src/libserve.a \
	src/librecord.a \
	src/liblog.a \
	src/libprotocol.a \
	src/libnet.a \
	src/libbase.a \
	$(OPENSSL_LIBS) \
	$(SYSTEMD_LIBS)
answerlog_libs = \
	src/libanswerlog.a \
	src/librecord.a \
	src/liblog.a \
	src/libbase.a
ask_libs = \
	src/libask.a \
	src/libprotocol.a \
	src/libnet.a \
	src/libbase.a \
	$(LIBEDIT_LIBS) \
	$(OPENSSL_LIBS) \
	$(JANSSON_LIBS) \
	-lm
ask_bench_libs = \
	src/libaskbench.a \
	src/libprotocol.a \
	src/libnet.a \
	src/libbase.a \
	$(OPENSSL_LIBS) \
	$(JANSSON_LIBS) \
	-lm
