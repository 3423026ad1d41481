/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "runner.h"
#include "tls-wire.h"

#define DAY (24 * 3600L)

static struct identity ca, other_ca, client_identity;
static const char *ca_file, *client_file, *client_key;

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    folder_make();
    ca = identity_new(&(struct recipe){ .name = "Test CA", .is_ca = true }, NULL);
    other_ca = identity_new(&(struct recipe){ .name = "Other CA", .is_ca = true }, NULL);
    client_identity = identity_new(&(struct recipe){ .name = "till 7" }, &ca);
    ca_file = file_of_certificate("ca.pem", &ca);
    client_file = file_of_certificate("client.pem", &client_identity);
    client_key = file_of_key("client.key", &client_identity, NULL);
}

static void teardown(void)
{
    identity_free(&ca);
    identity_free(&other_ca);
    identity_free(&client_identity);
    folder_remove();
}

static void check(char *line, const char *pattern)
{
    regex_t regex;

    ck_assert_ptr_nonnull(line);
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, line, 0, NULL, 0) == 0, "'%s' is not like '%s'", line, pattern);
    regfree(&regex);
    free(line);
}

static struct tls_client *client_of(const struct tls_client_settings *settings)
{
    struct tls_client *client = NULL;
    char *error;

    ck_assert_msg(tls_client_new(settings, &client, &error) == 0, "%s", error);
    return client;
}

/* The line after a handshake that fails. */
static void explains(SSL_CTX *server, const struct tls_client_settings *settings,
                     const char *pattern)
{
    struct tls_client *client = client_of(settings);
    struct wire wire;

    wire_open(&wire, server, client);
    ck_assert_int_eq(wire_shake(&wire), -EPROTO);
    check(tls_client_explain(client, wire.client, wire.reason), pattern);
    wire_close(&wire);
    tls_client_free(client);
}

static const struct blame {
    const char *asked;
    struct recipe recipe;
    const char *line; /* with the CA's file */
} blames[] = {
    { "localhost",
      { .name = "x", .names = "DNS:db.example" },
      "^the server's certificate is for db\\.example, not for localhost$" },
    { "localhost",
      { .names = "DNS:a,IP:192.0.2.1,email:x@a,IP:2001:db8::1,DNS:b,DNS:c" },
      "^the server's certificate is for a, 192\\.0\\.2\\.1, 2001:db8::1 and 2 more, not for "
      "localhost$" },
    { "192.0.2.7",
      { .names = "IP:192.0.2.1" },
      "^the server's certificate is for 192\\.0\\.2\\.1, not for 192\\.0\\.2\\.7$" },
    { "::1", { .names = "DNS:a" }, "^the server's certificate is for a, not for ::1$" },
    { "a", { .name = "b" }, "^the server's certificate is for b, not for a$" },
    { "a", { .names = "email:x@a" }, "^the server's certificate is for no host, not for a$" },
    { "a",
      { .name = "\x1b[31m\n\xe4\xb8\x96" },
      "^the server's certificate is for \\\\x1b\\[31m\\\\n世, not for a$" },
    { "a",
      { .names = "DNS:a", .from = -3 * DAY, .until = -2 * DAY },
      "^the server's certificate expired on 20[0-9-]{8} [0-9]{2}:[0-9]{2} UTC$" },
    { "a",
      { .names = "DNS:a", .from = 2 * DAY, .until = 3 * DAY },
      "^the server's certificate is not valid before 20[0-9-]{8} [0-9]{2}:[0-9]{2} UTC$" },
    { "a",
      { .names = "DNS:a", .usage = "clientAuth" },
      "^the server's certificate is not meant for a server$" },
};

START_TEST(a_certificate_that_is_not_accepted)
{
    const struct blame *b = &blames[_i];
    struct identity i = identity_new(&b->recipe, &ca);
    SSL_CTX *server = server_new(&i);

    explains(server, &(struct tls_client_settings){ .ca = ca_file, .name = b->asked }, b->line);
    SSL_CTX_free(server);
    identity_free(&i);
}
END_TEST

START_TEST(an_issuer_that_is_not_trusted)
{
    struct identity i = identity_new(&(struct recipe){ .names = "DNS:a" }, &other_ca);
    struct identity self = identity_new(&(struct recipe){ .names = "DNS:a" }, NULL);
    SSL_CTX *server = server_new(&i), *own = server_new(&self);
    struct tls_client_settings with = { .ca = ca_file, .name = "a" }, without = { .name = "a" };

    explains(server, &without,
             "^the server's certificate was issued by \"CN=Other CA\", which is not trusted; "
             "use --ca=FILE$");
    explains(server, &with,
             "^the server's certificate was issued by \"CN=Other CA\", which is not in "
             "/tmp/.*/ca.pem$");
    explains(own, &without,
             "^the server's certificate is self-signed and not trusted; use --ca=FILE$");
    explains(own, &with, "^the server's certificate is self-signed and not in /tmp/.*/ca.pem$");
    /* The chain is complete but ends at a stranger. */
    ck_assert_int_eq(SSL_CTX_add1_chain_cert(server, other_ca.certificate), 1);
    explains(server, &without, "was issued by \"CN=Other CA\", which is not trusted");
    SSL_CTX_free(server);
    SSL_CTX_free(own);
    identity_free(&i);
    identity_free(&self);
}
END_TEST

START_TEST(an_authority_that_has_expired)
{
    struct identity old = identity_new(
        &(struct recipe){ .name = "Old CA", .is_ca = true, .from = -3 * DAY, .until = -2 * DAY },
        NULL);
    struct identity i = identity_new(&(struct recipe){ .names = "DNS:a" }, &old);
    SSL_CTX *server = server_new(&i);

    explains(
        server,
        &(struct tls_client_settings){ .ca = file_of_certificate("old.pem", &old), .name = "a" },
        "^the certificate of the server's CA \"CN=Old CA\" expired on 20");
    SSL_CTX_free(server);
    identity_free(&i);
    identity_free(&old);
}
END_TEST

/* What the server demands of clients: their certificates are from `issuer`. */
static SSL_CTX *demanding(const struct identity *issuer, int version)
{
    struct identity i = identity_new(&(struct recipe){ .names = "DNS:a" }, &ca);
    SSL_CTX *server = server_new(&i);

    ck_assert_int_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(server), issuer->certificate), 1);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, version), 1);
    identity_free(&i);
    return server;
}

/* With TLS 1.3, the handshake is over before the server has looked at the client's certificate. */
static void is_refused(SSL_CTX *server, const struct tls_client_settings *settings,
                       const char *pattern)
{
    struct tls_client *client = client_of(settings);
    struct wire wire;
    char byte;

    wire_open(&wire, server, client);
    if (wire_shake(&wire) == 0) {
        wire.source.ready = TLS_READY_ALL;
        ck_assert_int_eq(tls_recv(wire.client, &byte, 1), -EPROTO);
        wire.reason = NULL;
    } else {
        ck_assert_int_eq(wire.result, -EPROTO);
    }
    check(tls_client_explain(client, wire.client, wire.reason), pattern);
    wire_close(&wire);
    tls_client_free(client);
}

START_TEST(our_certificate)
{
    struct tls_client_settings without = { .ca = ca_file, .name = "a" };
    struct tls_client_settings with = without;
    SSL_CTX *server = demanding(&ca, _i);
    struct identity old =
        identity_new(&(struct recipe){ .name = "x", .from = -3 * DAY, .until = -2 * DAY }, &ca);

    with.certificate = client_file;
    with.key = client_key;
    is_refused(server, &without, "^the server demands a client certificate; use --cert=FILE$");
    with.certificate = file_of_certificate("old.pem", &old);
    with.key = file_of_key("old.key", &old, NULL);
    is_refused(server, &with, "^the server does not accept our certificate: certificate expired$");
    SSL_CTX_free(server);
    server = demanding(&other_ca, _i);
    with.certificate = client_file;
    with.key = client_key;
    is_refused(server, &with, "^the server does not accept our certificate: unknown CA$");
    SSL_CTX_free(server);
    identity_free(&old);
}
END_TEST

static int refuse_name(SSL *ssl, int *alert, void *userdata)
{
    (void)ssl;
    *alert = *(int *)userdata;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

START_TEST(alerts)
{
    struct identity i = identity_new(&(struct recipe){ .names = "DNS:a" }, &ca);
    struct tls_client_settings settings = { .ca = ca_file, .name = "a" };
    SSL_CTX *server = server_new(&i);
    int alert = SSL_AD_UNRECOGNIZED_NAME;

    (void)SSL_CTX_set_tlsext_servername_callback(server, refuse_name);
    (void)SSL_CTX_set_tlsext_servername_arg(server, &alert);
    explains(server, &settings, "^the server does not know the name a$");
    alert = SSL_AD_INTERNAL_ERROR;
    explains(server, &settings, "^the server ended TLS with an alert: internal error$");
    (void)SSL_CTX_set_tlsext_servername_callback(server, NULL);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(server, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
    explains(server, &settings,
             "^the server accepts none of our ciphers, groups or signatures \\(handshake "
             "failure\\)$");
    ck_assert_int_eq(SSL_CTX_set_cipher_list(server, "DEFAULT:@SECLEVEL=0"), 1);
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(server, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION), 1);
    explains(server, &settings, "^the server accepts neither TLS 1.2 nor TLS 1.3$");
    SSL_CTX_free(server);
    identity_free(&i);
}
END_TEST

static const struct babble {
    const char *text;
    size_t size;
    const char *line;
} babbles[] = {
#define BABBLE(text, line)                                                                         \
    {                                                                                              \
        text, sizeof(text) - 1, line                                                               \
    }
    BABBLE("HTTP/1.1 400 Bad Request\r\n\r\n", "^the server does not speak TLS$"),
    BABBLE("", "^the server closed the connection in the TLS handshake; it may not speak TLS$"),
    BABBLE("ok\n", "^the server closed the connection in the TLS handshake; it may not speak TLS$"),
    BABBLE("error: what?\n", "^the server does not speak TLS$"),
    BABBLE("SSH-2.0-x\r\n", "^the server does not speak TLS$"),
    BABBLE("\0\0\0\2ok", "^the server does not speak TLS$"),
    /* These do. */
    BABBLE("\x15\3\3\0\2\2\x50", "^the server ended TLS with an alert: internal error$"),
    BABBLE("\x16\3\3\0\4\2\0\0\0", "^TLS failed: length mismatch$"),
};

START_TEST(a_server_that_does_not_speak_tls)
{
    const struct babble *b = &babbles[_i];
    struct tls_client *client = client_of(&(struct tls_client_settings){ .ca = ca_file });
    struct wire wire;

    wire_open(&wire, NULL, client);
    ck_assert_int_eq(send(wire.server_fd, b->text, b->size, 0), (ssize_t)b->size);
    ck_assert_int_eq(shutdown(wire.server_fd, SHUT_WR), 0);
    ck_assert_int_eq(wire_shake(&wire), -EPROTO);
    check(tls_client_explain(client, wire.client, wire.reason), b->line);
    wire_close(&wire);
    tls_client_free(client);
}
END_TEST

/* A record whose tag is wrong, once the handshake is over. */
START_TEST(a_stream_that_is_damaged)
{
    struct identity i = identity_new(&(struct recipe){ .names = "DNS:a" }, &ca);
    SSL_CTX *server = server_new(&i);
    struct tls_client *client = client_of(&(struct tls_client_settings){ .ca = ca_file });
    static const char record[] = "\x17\3\3\0\x14"
                                 "twenty bytes of junk";
    struct wire wire;
    char byte;

    ck_assert_int_eq(SSL_CTX_set_num_tickets(server, 0), 1);
    wire_open(&wire, server, client);
    ck_assert_int_eq(wire_shake(&wire), 0);
    ck_assert_int_eq(send(wire.server_fd, record, 25, 0), 25);
    wire.source.ready = TLS_READY_ALL;
    ck_assert_int_eq(tls_recv(wire.client, &byte, 1), -EPROTO);
    check(tls_client_explain(client, wire.client, NULL), "^TLS failed: the stream is damaged$");
    wire_close(&wire);
    tls_client_free(client);
    SSL_CTX_free(server);
    identity_free(&i);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("tls-client-explain");
    TCase *t = tcase_create("explain");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_certificate_that_is_not_accepted, 0, (int)ARRAY_SIZE(blames));
    tcase_add_test(t, an_issuer_that_is_not_trusted);
    tcase_add_test(t, an_authority_that_has_expired);
    tcase_add_loop_test(t, our_certificate, TLS1_2_VERSION, TLS1_3_VERSION + 1);
    tcase_add_test(t, alerts);
    tcase_add_loop_test(t, a_server_that_does_not_speak_tls, 0, (int)ARRAY_SIZE(babbles));
    tcase_add_test(t, a_stream_that_is_damaged);
    suite_add_tcase(s, t);
    return s;
}
