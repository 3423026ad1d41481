# SPDX-License-Identifier: LGPL-2.1-or-later
# Addresses, the event loop, socket helpers.

noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES =
src_libnet_a_SOURCES += src/net/address.c
src_libnet_a_SOURCES += src/net/address.h
src_libnet_a_SOURCES += src/net/loop.c
src_libnet_a_SOURCES += src/net/loop.h
src_libnet_a_SOURCES += src/net/peer.c
src_libnet_a_SOURCES += src/net/peer.h
src_libnet_a_SOURCES += src/net/prefix.c
src_libnet_a_SOURCES += src/net/prefix.h
src_libnet_a_SOURCES += src/net/socket.c
src_libnet_a_SOURCES += src/net/socket.h
src_libnet_a_SOURCES += src/net/transport.c
src_libnet_a_SOURCES += src/net/transport.h
src_libnet_a_SOURCES += src/net/tls-client.h
src_libnet_a_SOURCES += src/net/tls-server.h
src_libnet_a_SOURCES += src/net/tls-settings.h
src_libnet_a_SOURCES += src/net/tls.h
src_libnet_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
if HAVE_OPENSSL
src_libnet_a_SOURCES += src/net/openssl.c
src_libnet_a_SOURCES += src/net/openssl.h
src_libnet_a_SOURCES += src/net/tls-client-explain.c
src_libnet_a_SOURCES += src/net/tls-client.c
src_libnet_a_SOURCES += src/net/tls-certificates.c
src_libnet_a_SOURCES += src/net/tls-certificates.h
src_libnet_a_SOURCES += src/net/tls-names.c
src_libnet_a_SOURCES += src/net/tls-names.h
src_libnet_a_SOURCES += src/net/tls-pem.c
src_libnet_a_SOURCES += src/net/tls-pem.h
src_libnet_a_SOURCES += src/net/tls-server.c
src_libnet_a_SOURCES += src/net/tls-tickets.c
src_libnet_a_SOURCES += src/net/tls-tickets.h
src_libnet_a_SOURCES += src/net/tls-verify.c
src_libnet_a_SOURCES += src/net/tls-verify.h
src_libnet_a_SOURCES += src/net/tls-trouble.c
src_libnet_a_SOURCES += src/net/tls-trouble.h
src_libnet_a_SOURCES += src/net/tls.c
else
src_libnet_a_SOURCES += src/net/tls-none.c
endif
